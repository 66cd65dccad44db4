"""Answers about a folder of photos so far: killed, the same command goes on where it was."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

from osprey.data.stamps import file_stamps
from osprey.errors import UserError
from osprey.system.console import warn
from osprey.system.files import write_text
from osprey.system.locks import FolderLock
from osprey.system.outputs import followed, is_stream

_FILE, _SETTINGS = "answers.jsonl", "settings.json"
# Of the command line, what no answer depends on.
_NOT_OF_THE_ANSWERS = (
    "output",
    "force",
    "excel",
    "verbose",
    "strict",
    "plugin",
    "runs",
    "run",
    "save_dir",
)


class PredictionJournal:
    """One line of plain data per photo, in the photos' order, beside the output until it is done.

    A context in which no other process writes the same output. Left by an exception it keeps what
    is there; an output that is a stream has no journal.

    Args:
        arguments: The command line.
        photos: All photos, in order.
        checkpoints: What answers.

    Attributes:
        before: Number of photos answered by an earlier start with the same settings.

    Raises:
        UserError: Another process writes the output, or its folder cannot be written to.
    """

    def __init__(
        self, arguments: argparse.Namespace, photos: Sequence[Path], checkpoints: Sequence[Path]
    ) -> None:
        self.photos = photos
        self.before = 0
        self.folder: Path | None = None
        self._lines: list[str] = []  # of a stream
        if is_stream(arguments.output):
            return
        output = followed(arguments.output)
        self.folder = output.with_name(f".{output.name}.part")
        with ExitStack() as stack:
            try:
                self.folder.mkdir(exist_ok=True)
                refusal = f"--output: another process is writing '{arguments.output}'"
                stack.enter_context(FolderLock(self.folder, refusal))
                self.before = self._resume(_digest(arguments, photos, checkpoints))
                path = self.folder / _FILE
                self._file = stack.enter_context(path.open("a", encoding="utf-8"))
            except OSError as error:
                raise UserError(
                    f"--output: cannot write to '{output.parent}' ({error.strerror})"
                ) from None
            self._open = stack.pop_all()
        if self.before:
            left = len(photos) - self.before
            warn(f"{self.before} photos were done before, {left} are left")

    @property
    def todo(self) -> Sequence[Path]:
        """The photos to ask about."""
        return self.photos[self.before :]

    def keep(self, entries: Iterator[Any]) -> None:
        """Take one entry, plain data, per photo of ``todo``; with a bar on a terminal."""
        bar = tqdm(
            total=len(self.photos),
            initial=self.before,
            unit=" photos",
            leave=False,
            disable=not sys.stderr.isatty(),
        )
        with bar:
            for entry in entries:
                self._write(json.dumps(entry) + "\n")
                bar.update(1)

    def entries(self) -> Iterator[Any]:
        """Every entry, in the photos' order."""
        if self.folder is None:
            yield from map(json.loads, self._lines)
            return
        with (self.folder / _FILE).open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    def _write(self, line: str) -> None:
        if self.folder is None:
            self._lines.append(line)
            return
        self._file.write(line)
        self._file.flush()

    def _resume(self, digest: str) -> int:
        """Keep the whole lines of an earlier start of the same command, or begin anew."""
        assert self.folder is not None
        settings, file = self.folder / _SETTINGS, self.folder / _FILE
        same = settings.is_file() and settings.read_text(encoding="utf-8") == digest
        content = file.read_bytes() if same and file.is_file() else b""
        whole = content[: content.rfind(b"\n") + 1]
        file.write_bytes(whole)
        write_text(settings, digest)
        return whole.count(b"\n")

    def __enter__(self) -> PredictionJournal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self.folder is None:
            return
        self._open.close()
        if error is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        elif isinstance(error, KeyboardInterrupt):
            with (self.folder / _FILE).open("rb") as file:
                done = sum(1 for _ in file)
            warn(f"{done} of {len(self.photos)} photos are done; the same command goes on")


def _digest(
    arguments: argparse.Namespace, photos: Sequence[Path], checkpoints: Sequence[Path]
) -> str:
    """Everything that the answers depend on."""
    options = {k: v for k, v in vars(arguments).items() if k not in _NOT_OF_THE_ANSWERS}
    digest = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    for paths in (checkpoints, photos):
        digest.update(file_stamps(Path(), map(str, paths)).tobytes())
    return digest.hexdigest()
