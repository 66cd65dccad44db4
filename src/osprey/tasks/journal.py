"""Answers about a folder of photos so far: killed, the same command goes on where it was."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tqdm import tqdm

from osprey.data.stamps import file_stamps
from osprey.errors import UserError
from osprey.system.console import counted, warn
from osprey.system.files import write_text
from osprey.system.locks import FolderLock
from osprey.system.outputs import followed, is_stream

_FILE, _SETTINGS = "answers.jsonl", "settings.json"
# Of the command line, what no answer depends on.
_NOT_OF_THE_ANSWERS = ("output", "force", "excel", "verbose", "strict", "plugin", "runs", "run")


class PredictionJournal:
    """One line of plain data per photo, in the photos' order, beside the output until it is done.

    A context in which no other process writes the same output. Left by an exception it keeps what
    is there; an output that is a stream has no journal.

    Args:
        arguments: The command line.
        photos: All photos, in order.
        checkpoints: What answers.
        whole: Whether all that an entry stands for is there; the first entry of which something was
            taken away since, and those after it, are asked about again.

    Attributes:
        before: Number of photos answered by an earlier start with the same settings.

    Raises:
        UserError: Another process writes the output, or its folder cannot be written to.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        photos: Sequence[Path],
        checkpoints: Sequence[Path],
        whole: Callable[[Path, Any], bool] | None = None,
    ) -> None:
        self.photos = photos
        self._whole = whole
        self.before = 0
        self.folder: Path | None = None
        if is_stream(arguments.output):
            with ExitStack() as stack:
                self._file = stack.enter_context(TemporaryFile("w+", encoding="utf-8"))
                self._open = stack.pop_all()
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
                stack.close()
                with suppress(OSError):
                    self._discard_if_empty()
                raise UserError(
                    f"--output: cannot write to '{output.parent}' ({error.strerror}): make room "
                    "there, or name another place"
                ) from None
            self._open = stack.pop_all()
        if self.before:
            left = len(photos) - self.before
            warn(f"done before: {counted(self.before, 'photo')}; left: {left}")

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
            self._file.seek(0)
            yield from map(json.loads, self._file)
            return
        with (self.folder / _FILE).open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    def _write(self, line: str) -> None:
        self._file.write(line)
        self._file.flush()

    def _resume(self, digest: str) -> int:
        """Keep the whole lines of an earlier start of the same command, or begin anew."""
        assert self.folder is not None
        settings, file = self.folder / _SETTINGS, self.folder / _FILE
        same = settings.is_file() and settings.read_text(encoding="utf-8") == digest
        done = size = 0
        with file.open("r+b" if same and file.is_file() else "w+b") as lines:
            for photo, line in zip(self.photos, lines, strict=False):
                if not _is_sound(line):
                    break
                if self._whole is not None and not self._whole(photo, json.loads(line)):
                    break
                done, size = done + 1, size + len(line)
            lines.truncate(size)
        write_text(settings, digest)
        return done

    def _discard_if_empty(self) -> None:
        """Leave no empty folder where there was no room even to begin."""
        assert self.folder is not None
        file = self.folder / _FILE
        if not file.is_file() or not file.stat().st_size:
            shutil.rmtree(self.folder)

    def __enter__(self) -> PredictionJournal:
        return self

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        self._open.close()
        if self.folder is None:
            return
        if error is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        elif isinstance(error, KeyboardInterrupt):
            with (self.folder / _FILE).open("rb") as file:
                done = sum(1 for _ in file)
            warn(f"{done} of {counted(len(self.photos), 'photo')} done; the same command goes on")


def _is_sound(line: bytes) -> bool:
    """Whether a line is whole: no kill cut it off, no power cut or bad disk made it unreadable."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return line.endswith(b"\n")


def _digest(
    arguments: argparse.Namespace, photos: Sequence[Path], checkpoints: Sequence[Path]
) -> str:
    """Everything that the answers depend on."""
    options = {k: v for k, v in vars(arguments).items() if k not in _NOT_OF_THE_ANSWERS}
    digest = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    for paths in (checkpoints, photos):
        digest.update(file_stamps(Path(), map(str, paths)).tobytes())
    return digest.hexdigest()
