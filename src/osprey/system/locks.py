"""A folder that one process at a time may write to."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

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
        except Timeout:
            raise UserError(self.refusal) from None
        except (OSError, NotImplementedError):  # a file system without locks
            pass
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Let go."""
        self.lock.release()
