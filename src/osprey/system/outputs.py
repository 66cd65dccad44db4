"""What Osprey writes where a user says: never over anything that it did not write itself.

A file that has the name of an output and is not known as Osprey's own (`osprey.system.own_files`),
or was changed since, is somebody's.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from osprey.errors import UserError
from osprey.system.console import silence
from osprey.system.files import atomic_path
from osprey.system.own_files import foreign_among, remember

STANDARD_OUTPUT = "-"
BYTE_ORDER_MARK = "\ufeff"  # by which Excel knows a CSV as UTF-8
_STREAMS = ("/dev/", "/proc/")


def is_stream(name: str) -> bool:
    """Whether ``name`` is standard output (``-``), a device or a pipe, and no regular file."""
    if name == STANDARD_OUTPUT or os.path.abspath(name).startswith(_STREAMS):
        return True
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_standard_output(name: str) -> bool:
    """Whether ``name`` is standard output, by either of its names."""
    return name in (STANDARD_OUTPUT, "/dev/stdout")


def followed(name: str | Path) -> Path:
    """The file that ``name`` leads to where it is a link, else ``name``."""
    return Path(os.path.realpath(name)) if os.path.islink(name) else Path(name)


def refuse_existing(targets: Iterable[Path], option: str, *, force: bool) -> None:
    """Refuse to write over what Osprey did not write.

    Args:
        targets: Files to write.
        option: What they were given as, such as ``--output``.
        force: The user allows it.

    Raises:
        UserError: A file, a folder or a link of another's is there.
    """
    foreign = foreign_among([path for path in targets if os.path.lexists(path)])
    folders = [path for path in foreign if path.is_dir() and not path.is_symlink()]
    if folders:
        raise UserError(f"{option}: '{folders[0]}' is a folder; name a file")
    if not foreign or force:
        return
    first = foreign[0]
    if len(foreign) == 1:
        # Settings (``output=``) have no --force beside them.
        last = "add --force to replace it" if option.startswith("--") else "move it away"
        raise UserError(
            f"{option}: '{first}' is there already, and Osprey does not know it as its own: name "
            f"another, or {last}"
        )
    raise UserError(
        f"{option}: {len(foreign)} files of such names are there already, and Osprey does not know "
        f"them as its own (first: '{first}'): name another folder, or add --force to replace them"
    )


@contextmanager
def own_path(target: Path, option: str, *, force: bool, keep_name: bool = False) -> Iterator[Path]:
    """Write a file whole or not at all, and remember it as Osprey's own.

    Args:
        target: Its place, in a folder that exists.
        option: What it was given as.
        force: Whatever is there may be replaced.
        keep_name: As for `atomic_path`.

    Yields:
        A path to write to.

    Raises:
        UserError: A file that Osprey did not write is there.
        OSError: The place cannot be written to.
    """
    with atomic_path(target, fixed=not keep_name, keep_name=keep_name) as partial:
        yield partial
        refuse_existing([target], option, force=force)  # it may have come since
        remember(target, partial)  # first, so that no kill can come between


@contextmanager
def output_path(name: str | Path, option: str, *, force: bool, ending: str = "") -> Iterator[Path]:
    """Write an output whole or not at all.

    A link is followed. Standard output (``-``), devices and pipes are written to once all is there.

    Args:
        name: As the user gave it.
        option: What it was given as.
        force: Whatever is there may be replaced.
        ending: Of the path to write to, where the output is no file.

    Yields:
        A path to write to, of the same name and ending where the output is a file.

    Raises:
        UserError: A file that Osprey did not write is there, or the place cannot be written to.
    """
    if is_stream(os.fspath(name)):
        with TemporaryDirectory(prefix="osprey-") as folder:
            partial = Path(folder, f"output{ending}")
            yield partial
            _pour(partial, os.fspath(name))
        return
    target = followed(name)
    refuse_existing([target], option, force=force)
    try:
        with own_path(target, option, force=force, keep_name=True) as partial:
            yield partial
    except OSError as error:
        if error.filename is not None and not _is_beside(Path(error.filename), target):
            raise  # something else than the output
        raise UserError(
            f"{option}: '{name}' cannot be written ({error.strerror or error}): name another place"
        ) from None


def _is_beside(file: Path, target: Path) -> bool:
    """Whether a file lies where an output is being written; the folder may be gone by now."""
    folder = file.parent
    return folder == target.parent or (
        folder.parent == target.parent and folder.name.startswith(".osprey-")
    )


def _pour(source: Path, name: str) -> None:
    """Copy a finished file into a stream, as far as its reader wants it."""
    if is_standard_output(name):
        try:
            sys.stdout.flush()
            with source.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.flush()
        except BrokenPipeError:
            silence(sys.stdout)
        return
    with suppress(BrokenPipeError), source.open("rb") as file, Path(name).open("wb") as stream:
        shutil.copyfileobj(file, stream)
