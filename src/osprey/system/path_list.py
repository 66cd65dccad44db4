"""Many paths in little memory: a million of them take about as much as their letters."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload


class PathList:
    """Paths in one buffer: forked workers share it, where a list of strings would be copied."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._buffer, self._ends = bytearray(), array("q")
        for path in paths:  # one by one: a million strings at once would leave holes in memory
            self._buffer += path.encode("utf-8", "surrogateescape")
            self._ends.append(len(self._buffer))

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> str:
        start = self._ends[index - 1] if index else 0
        return self._buffer[start : self._ends[index]].decode("utf-8", "surrogateescape")


class Paths(Sequence[Path]):
    """Paths that are made when they are asked for; a slice copies none.

    Args:
        paths: Taken one by one.
    """

    def __init__(self, paths: Iterable[str | Path]) -> None:
        self._list = PathList(map(str, paths))
        self._rows = range(len(self._list))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Path]:
        return (Path(self._list[row]) for row in self._rows)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Path]: ...

    def __getitem__(self, index: int | slice) -> Path | Sequence[Path]:
        if isinstance(index, int):
            return Path(self._list[self._rows[index]])
        part = Paths(())
        part._list, part._rows = self._list, self._rows[index]
        return part
