"""Safe parsing of JSON, YAML and XML; every error names file and line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from osprey.data.text_encoding import packed_as
from osprey.errors import DataError


def read_bytes(path: Path) -> bytes:
    """Read a file.

    Raises:
        DataError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"'{path}' cannot be read ({error.strerror})") from None


def decoded(data: bytes, path: Path) -> str:
    """Decode UTF-8.

    Raises:
        DataError: It is no UTF-8; the message says on which line.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if kind := packed_as(data):
            raise DataError(f"'{path}' is packed ({kind}): unpack it first") from None
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"'{path}' line {line}: is not text in UTF-8") from None


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    Raises:
        DataError: It cannot be read, or is not UTF-8.
    """
    return decoded(read_bytes(path), path)


def read_lines(path: Path) -> list[str]:
    r"""The lines of a text file; only ``\n`` or ``\r\n`` ends one.

    Raises:
        DataError: It cannot be read, or is not UTF-8.
    """
    return [line.removesuffix("\r") for line in read_text(path).split("\n")]


def check_whole(content: object, text: str, path: Path) -> None:
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
    check_whole(list(content.items()), text, path)
    return content
