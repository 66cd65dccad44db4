"""Safe parsing of JSON, YAML and XML; every error names file and line."""

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
    """Read a UTF-8 file, with or without a byte order mark.

    Raises:
        DataError: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"'{path}' line {line}: is not text in UTF-8") from None
    except OSError as error:
        raise DataError(f"'{path}' cannot be read ({error.strerror})") from None


def read_lines(path: Path) -> list[str]:
    r"""The lines of a text file; only ``\n`` or ``\r\n`` ends one.

    Raises:
        DataError: It cannot be read, or is not UTF-8.
    """
    return [line.removesuffix("\r") for line in read_text(path).split("\n")]


def read_json(path: Path) -> tuple[dict[str, Any], str]:
    """Read a JSON object, and its text for `line_of`.

    Raises:
        DataError: It cannot be read or is malformed; the message says on which line.
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
    """Find the line where a JSON text first gives a key this value.

    Args:
        text: The JSON text.
        key: Name of the key.
        value: Its value.

    Returns:
        Line number from 1; 1 if it is not found.
    """
    pattern = rf'"{re.escape(key)}"\s*:\s*{re.escape(json.dumps(value))}(?![\w.])'
    plain = rf'"{re.escape(key)}"\s*:\s*{re.escape(json.dumps(value, ensure_ascii=False))}'
    found = re.search(pattern, text) or re.search(plain, text)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def line_with(text: str, word: str) -> int:
    """Find the line where a word first occurs.

    Args:
        text: Any text.
        word: The word.

    Returns:
        Line number from 1; 1 if it is not found.
    """
    return text.count("\n", 0, max(text.find(word), 0)) + 1


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; every scalar is a string, so that a class may be called ``no``.

    Raises:
        DataError: It cannot be read or is malformed; the message says on which line.
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
    """An XML element: its tag, the line it starts on, its text and its child elements."""

    tag: str
    line: int
    text: str = ""
    below: list[Node] = field(default_factory=list)

    def find(self, tag: str) -> Node | None:
        """The first child element with that tag."""
        return next((node for node in self.below if node.tag == tag), None)

    def all(self, tag: str) -> list[Node]:
        """Every child element with that tag."""
        return [node for node in self.below if node.tag == tag]


def read_xml(path: Path) -> Node:
    """Read the root element of an XML file.

    Raises:
        DataError: It is malformed or has a DOCTYPE, whose entities could fill the memory or read
            other files.
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
