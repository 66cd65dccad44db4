"""JSON, YAML and XML from strangers: data alone, and every complaint with file and line."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

import yaml

from osprey.errors import DataError


def read_text(path: Path) -> str:
    """The whole of a UTF-8 file.

    Raises:
        DataError: It cannot be read, or holds something else.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"'{path}' line {line}: is not text in UTF-8") from None
    except OSError as error:
        raise DataError(f"'{path}' cannot be read ({error.strerror})") from None


def read_lines(path: Path) -> list[str]:
    """The lines of a text file; only a line feed, or Windows' pair, ends one."""
    return [line.removesuffix("\r") for line in read_text(path).split("\n")]


def read_json(path: Path) -> tuple[dict[str, Any], str]:
    """A JSON object, and its text for `line_of`.

    Raises:
        DataError: It is malformed; the line says where.
    """
    text = read_text(path)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"'{path}' line {error.lineno}: malformed JSON ({error.msg})") from None
    except RecursionError:
        raise DataError(f"'{path}': malformed JSON (nested too deeply)") from None
    if not isinstance(content, dict):
        raise DataError(f"'{path}' line 1: expected a JSON object {{...}}")
    _check_whole(content, text, path)
    return content, text


def _check_whole(content: object, text: str, path: Path) -> None:
    """Refuse escapes that stand for one half of a character: no text that could be written."""
    if not re.search(r"\\u[dD][89a-fA-F]", text):
        return
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])[1:-1]
        line = line_with(text.lower(), half)
        raise DataError(f"'{path}' line {line}: {half} is half a character") from None


def line_of(text: str, key: str, value: object) -> int:
    """Line on which a JSON text first gives ``key`` this value."""
    pattern = rf'"{re.escape(key)}"\s*:\s*{re.escape(json.dumps(value))}(?![\w.])'
    plain = rf'"{re.escape(key)}"\s*:\s*{re.escape(json.dumps(value, ensure_ascii=False))}'
    found = re.search(pattern, text) or re.search(plain, text)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def line_with(text: str, word: str) -> int:
    """Line on which ``word`` first stands."""
    return text.count("\n", 0, max(text.find(word), 0)) + 1


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping; every scalar comes as text, so that a class may be called ``no``.

    Raises:
        DataError: It is malformed; the line says where.
    """
    text = read_text(path)
    try:
        content = yaml.load(text, Loader=yaml.BaseLoader)  # plain data only
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or "nested too deeply"
        raise DataError(f"'{path}'{line}: malformed YAML ({why})") from None
    if not isinstance(content, dict):
        raise DataError(f"'{path}' line 1: expected 'key: value' lines")
    _check_whole(list(content.items()), text, path)
    return content


@dataclass
class Node:
    """An XML element: its tag, the line it starts on, the text in it and the elements below."""

    tag: str
    line: int
    text: str = ""
    below: list[Node] = field(default_factory=list)

    def find(self, tag: str) -> Node | None:
        """The first element of that name directly below."""
        return next((node for node in self.below if node.tag == tag), None)

    def all(self, tag: str) -> list[Node]:
        """Every element of that name directly below."""
        return [node for node in self.below if node.tag == tag]


def read_xml(path: Path) -> Node:
    """The root element of an XML file.

    Raises:
        DataError: It is malformed, or defines entities, by which a small file can fill all memory
            or read other files.
    """
    parser = expat.ParserCreate()
    top = Node("", 0)
    open_nodes = [top]

    def start(tag: str, _: dict[str, str]) -> None:
        node = Node(tag, parser.CurrentLineNumber)
        open_nodes[-1].below.append(node)
        open_nodes.append(node)

    def end(_: str) -> None:
        open_nodes.pop()

    def text(part: str) -> None:
        open_nodes[-1].text += part

    def refuse(*_: object) -> None:
        raise DataError(
            f"'{path}' line {parser.CurrentLineNumber}: has a DOCTYPE, which annotations do not "
            "need and which is not read for safety; remove it"
        )

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        why = expat.ErrorString(error.code)
        raise DataError(f"'{path}' line {error.lineno}: malformed XML ({why})") from None
    except (OSError, LookupError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read as XML ({error})") from None
    return top.below[0]
