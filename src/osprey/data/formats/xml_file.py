"""XML as annotation tools write it, read safely; every error names file and line."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from osprey.data.formats.parsing import read_bytes
from osprey.data.text_encoding import guess_encoding, packed_as
from osprey.errors import DataError

NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # even escaped
_BARE = re.compile(r"&(?!#?\w+;)")


@dataclass
class Node:
    """An XML element: tag, the line it starts on, attributes, text and child elements."""

    tag: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    below: list[Node] = field(default_factory=list)

    def find(self, tag: str) -> Node | None:
        """The first child element with that tag."""
        return next((node for node in self.below if node.tag == tag), None)

    def said(self, tag: str) -> str:
        """The text of the first child element with that tag; "" where there is none."""
        node = self.find(tag)
        return node.text.strip() if node else ""

    def all(self, tag: str) -> list[Node]:
        """Every child element with that tag."""
        return [node for node in self.below if node.tag == tag]


def read_xml(path: Path, guesses: list[str] | None = None) -> Node:
    """Read the root element of an XML file.

    A file whose encoding is undeclared or declared wrongly, or with a bare ``&``, is read as what
    it most likely is.

    Args:
        path: The file.
        guesses: What had to be guessed is appended, a few words each.

    Raises:
        DataError: It is malformed or has a DOCTYPE, whose entities could fill the memory or read
            other files.
    """
    data = read_bytes(path)
    if kind := packed_as(data):
        raise DataError(f"'{path}' is packed ({kind}): unpack it first")
    try:
        return _parsed(data, path, None)
    except (expat.ExpatError, LookupError, ValueError) as error:
        repaired, said = _repaired(data)
        if repaired is not None:
            with suppress(expat.ExpatError):
                top = _parsed(repaired.encode(), path, "utf-8")
                if guesses is not None:
                    guesses += said
                return top
        if isinstance(error, expat.ExpatError):
            why = expat.ErrorString(error.code)
            raise DataError(f"'{path}' line {error.lineno}: malformed XML ({why})") from None
        raise DataError(f"'{path}' cannot be read as XML ({error})") from None


def _repaired(data: bytes) -> tuple[str | None, list[str]]:
    """The text of a file that a strict parser refuses, and what was guessed for it."""
    text, said = None, []
    declared = re.match(rb"""\s*<\?xml[^>]*encoding=["']([\w.-]+)""", data)
    names = [declared[1].decode()] if declared else []
    names.append(guess_encoding(data))
    for name in names:
        try:
            text = data.decode(name)
        except (LookupError, ValueError):
            continue
        if not (name.startswith("utf-8") or (declared and name == names[0])):
            said.append(f"read as {'GBK' if name == 'gb18030' else name}")
        break
    if text is not None and _BARE.search(text):
        text = _BARE.sub("&amp;", text)
        said.append("with a bare &")
    return text, said


def _parsed(data: bytes, path: Path, encoding: str | None) -> Node:
    if (text_alone := data.lstrip()).startswith(b"<?xml"):  # which stands first, blank lines or not
        data = text_alone
    parser = expat.ParserCreate(encoding)
    top = Node("", 0)
    open_nodes = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        node = Node(tag, parser.CurrentLineNumber, attributes)
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
    parser.Parse(data, True)
    return top.below[0]
