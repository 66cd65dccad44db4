"""A folder that one process at a time may write to."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from weakref import WeakSet

from filelock import FileLock, Timeout

from osprey.errors import UserError

LOCK = ".lock"


class FolderLock:
    """Hold a folder for this process alone, as a context; entered, it refuses at once.

    The system lets go when the process ends, however it ends. On file systems that have no locks,
    as some network drives, two processes are not told apart.

    Args:
        folder: Where the lock's file is kept; it stays there.
        refusal: What to say where another process holds it.
    """

    def __init__(self, folder: Path, refusal: str) -> None:
        self.refusal = refusal
        self.file = folder / LOCK
        # No soft lock in place of a missing one: its file would outlive a killed process.
        self.lock = FileLock(self.file, thread_local=False, fallback_to_soft=False)

    def __enter__(self) -> FolderLock:
        """Hold it.

        Raises:
            UserError: Another process holds it.
            OSError: The folder cannot be written to.
        """
        self.file.touch()
        try:
            self.lock.acquire(blocking=False)
            _held.add(self)
        except Timeout:
            raise UserError(self.refusal) from None
        except (OSError, NotImplementedError):  # a file system without locks
            pass
        return self

    def drop(self) -> None:
        """In a forked child: have no part in the lock, which is its parent's alone."""
        context = self.lock._context
        if context.lock_file_fd is not None:
            os.close(context.lock_file_fd)
            context.lock_file_fd = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Let go."""
        _held.discard(self)
        self.lock.release()


_held: WeakSet[FolderLock] = WeakSet()


def _drop_all() -> None:
    """A loader's process may outlive a killed command, whose folder is free from then on."""
    for lock in list(_held):
        lock.drop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_all)
