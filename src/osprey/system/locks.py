"""A folder that one process at a time may write to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from osprey.errors import UserError

LOCK = ".lock"


@contextmanager
def held(folder: Path, refusal: str) -> Iterator[None]:
    """Hold a folder for this process alone; the system lets go when the process ends.

    Args:
        folder: Where the lock's file is kept.
        refusal: What to say where another process holds it.

    Raises:
        UserError: Another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows: two processes on one folder are not told apart
        yield
        return
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(refusal) from None
        except OSError:  # nor on network drives without locks
            pass
        yield
