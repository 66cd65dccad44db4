"""Large JSON files, entry by entry; every error names file, line and column."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from osprey.data.formats.parsing import check_whole, decoded, read_bytes
from osprey.data.text_encoding import packed_as
from osprey.errors import DataError

_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # may be half a character
_ANY = msgspec.json.Decoder()
_NOT_PLAIN = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


def opened(path: Path) -> JsonFile:
    """A file that several looks share: the last one is kept until `forget` is called.

    Args:
        path: As for `JsonFile`.

    Raises:
        DataError: As `JsonFile`.
    """
    try:
        stat = path.stat()
    except OSError:
        return JsonFile(path)
    return _opened(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1)
def _opened(path: Path, _changed: int, _size: int) -> JsonFile:
    return JsonFile(path)


def json_files(folder: Path) -> list[Path]:
    """All JSON files under a folder, by name; hidden ones are left out."""
    return [file for file in sorted(folder.rglob("*.json")) if not file.name.startswith(".")]


def forget() -> None:
    """Give the memory back that `opened` holds."""
    _opened.cache_clear()


class JsonFile:
    """A JSON file, of which only one entry of a list is in memory as Python objects at a time.

    msgspec cuts it into entries; a file that it refuses (a NaN, half a character, a fault) is read
    by Python's own parser, which says where the fault is.

    Args:
        path: The file.

    Raises:
        DataError: It cannot be read, is not UTF-8 or is malformed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data = read_bytes(path).removeprefix(b"\xef\xbb\xbf")
        if kind := packed_as(self._data):
            raise DataError(f"'{path}' is packed ({kind}): unpack it and name what was in it")
        if not self._data.isascii():
            decoded(self._data, path)
        try:
            if b"\\u" in self._data and _HALF.search(self._data):
                raise msgspec.DecodeError
            starts_list = self._data.lstrip()[:1] == b"["
            shape: Any = list[msgspec.Raw] if starts_list else dict[str, msgspec.Raw]
            self._top: Any = msgspec.json.decode(self._data, type=shape)
        except _NOT_PLAIN:
            self._top = self._plain

    @cached_property
    def text(self) -> str:
        """The whole text, to find a line in."""
        return self._data.decode()

    @cached_property
    def _plain(self) -> Any:
        """Everything at once, by Python's own parser."""
        try:
            content = json.loads(self.text)
        except json.JSONDecodeError as error:
            cut = error.msg.startswith("Unterminated") or error.pos >= len(self.text.rstrip())
            why = f"{error.msg}; the file ends there" if cut and self.text.strip() else error.msg
            where = f"line {error.lineno}, column {error.colno}"
            raise DataError(f"'{self.path}' {where}: malformed JSON ({why})") from None
        except RecursionError:
            raise DataError(f"'{self.path}': malformed JSON (nested too deeply)") from None
        check_whole(content, self.text, self.path)
        return content

    @property
    def keys(self) -> list[str]:
        """The keys of an object; none of a list."""
        return list(self._top) if isinstance(self._top, dict) else []

    @property
    def is_list(self) -> bool:
        """Whether the file is a list."""
        return isinstance(self._top, list)

    def object(self) -> JsonFile:
        """Itself.

        Raises:
            DataError: It is no object ``{...}``.
        """
        if not isinstance(self._top, dict):
            raise DataError(f"'{self.path}' line 1: expected a JSON object {{...}}")
        return self

    def get(self, key: str) -> Any:
        """The value of a key of the object, None where it is not there."""
        value = self._top.get(key)
        return self._value(value, key) if isinstance(value, msgspec.Raw) else value

    def _value(self, raw: msgspec.Raw, key: str) -> Any:
        try:
            return _ANY.decode(raw)
        except _NOT_PLAIN:
            return self._plain[key]

    def entries(self, key: str | None = None) -> Iterator[Any] | None:
        """The entries of a list, one after the other.

        Args:
            key: Of the list in the object; None: the file is the list.

        Returns:
            An iterator; None where there is no such list.
        """
        parts = self._parts(key)
        if parts is None:
            return None
        return (self.entry(part, key, number) for number, part in enumerate(parts))

    def _parts(self, key: str | None) -> list[Any] | None:
        """The entries of a list, undecoded where msgspec can cut them; None: it is no list."""
        value = self._top if key is None else self._top.get(key)
        if key is not None and isinstance(value, msgspec.Raw):
            try:
                return msgspec.json.decode(value, type=list[msgspec.Raw])
            except msgspec.ValidationError:
                return None
            except _NOT_PLAIN:
                value = self._plain[key]
        return value if isinstance(value, list) else None

    def chunks(self, key: str, count: int) -> Iterator[tuple[int, list[Any]]]:
        """A list of the object in pieces, as `entry` takes their parts.

        Args:
            key: Of the list.
            count: Entries of a piece.

        Yields:
            The number of a piece's first entry, and its entries, undecoded where msgspec cut them.
        """
        parts = self._parts(key) or []
        for start in range(0, len(parts), count):
            yield start, parts[start : start + count]

    def entry(self, part: Any, key: str | None, number: int) -> Any:
        """One entry of a list, decoded.

        Args:
            part: As `chunks` gives it.
            key: Of the list.
            number: Of the entry in it.
        """
        if not isinstance(part, msgspec.Raw):  # Python's own parser has read it
            return part
        try:
            return _ANY.decode(part)
        except _NOT_PLAIN:
            return (self._plain if key is None else self._plain[key])[number]
