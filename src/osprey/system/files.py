"""Files that are there whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def partial_path(target: Path, *, fixed: bool = False) -> Path:
    """Where a file is written before it takes its place.

    Args:
        target: The file's place.
        fixed: Always the same name, so that what a killed process left behind is overwritten by
            the next one: for folders that one process at a time writes to. Otherwise the name
            holds the process's number, so that two processes may write the same file.

    Returns:
        A hidden name in the same folder, and so on the same file system.
    """
    return target.with_name(f".{target.name}.{'part' if fixed else os.getpid()}")


def publish(partial: Path, target: Path) -> None:
    """Let a finished file take its place in one step; a file or empty folder there gives way.

    Raises:
        OSError: The place cannot be written to.
    """
    os.replace(partial, target)


@contextmanager
def atomic_path(target: Path, *, fixed: bool = False, keep_name: bool = False) -> Iterator[Path]:
    """Write a file, a link or a folder whole or not at all.

    Args:
        target: Its place, in a folder that exists.
        fixed: As for ``partial_path``.
        keep_name: Write under the target's own name, in a hidden folder beside it: for writers
            that look at the name or its ending.

    Yields:
        A path where nothing is, to write to. It takes its place when the block ends, and is
        removed when the block raises.

    Raises:
        OSError: The place cannot be written to.
    """
    if keep_name:
        with TemporaryDirectory(prefix=".osprey-", dir=target.parent) as folder:
            yield (partial := Path(folder, target.name))
            publish(partial, target)
        return
    partial = partial_path(target, fixed=fixed)
    _remove(partial)  # left by a killed process of the same number
    try:
        yield partial
        publish(partial, target)
    except BaseException as error:
        _remove(partial)
        if isinstance(error, OSError) and error.filename in (None, os.fspath(partial)):
            error.filename = os.fspath(target)  # what people know it by
        raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes, *, fixed: bool = False) -> None:
    """Write bytes, whole or not at all."""
    with atomic_path(path, fixed=fixed) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str, *, errors: str = "strict", fixed: bool = False) -> None:
    """Write UTF-8 with its line ends as they are, whole or not at all.

    Args:
        path: Where to.
        text: The content.
        errors: What is done with names of files that are no UTF-8: ``strict`` raises
            UnicodeEncodeError, ``backslashreplace`` writes escapes.
        fixed: As for ``partial_path``.
    """
    write_bytes(path, text.encode("utf-8", errors), fixed=fixed)


def write_json(path: Path, content: Any, *, indent: int | None = 2, errors: str = "strict") -> None:
    """Write plain data as JSON with a line end, whole or not at all."""
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    write_text(path, f"{text}\n", errors=errors)


def write_csv(
    path: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    line_end: str = "\r\n",
    fixed: bool = False,
) -> None:
    """Write a table row by row, whole or not at all.

    Args:
        path: Where to.
        header: The columns' names.
        rows: As many values each.
        line_end: The CSV standard's own by default.
        fixed: As for ``partial_path``.
    """
    with (
        atomic_path(path, fixed=fixed) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator=line_end)
        writer.writerow(header)
        writer.writerows(rows)
