"""What the system refuses: a full disk, a folder without permission; one line with the remedy."""

from __future__ import annotations

import errno
import os
import re

_ROOM = "make room there, or write elsewhere"
_RIGHTS = "give yourself the right to it, or name another folder"
_REMEDIES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "files may not be so large here (ulimit -f): raise that, or write elsewhere",
    errno.EROFS: "name a folder that can be written to",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EIO: "the disk or its cable fails: copy what is on it",
    errno.EMFILE: "too many files are open (ulimit -n): raise that",
    errno.ENAMETOOLONG: "shorten the name",
}


# What torch says of shared memory, through which loader processes hand over photos.
_SHARED = re.compile(r"</?torch_\w+>|out of shared memory")


def system_failure(error: BaseException) -> str | None:
    """One line about an error of the system, of a full disk or memory, that the user can mend.

    Args:
        error: Whatever was raised.

    Returns:
        What is wrong, where, and what to do; None where it is another kind of error.
    """
    if isinstance(error, RuntimeError) and _SHARED.search(str(error)):
        return (
            "there is too little shared memory for loader processes: set data.num_workers=0, or "
            "allow more of it (docker run --shm-size, ulimit -f)"
        )
    if not isinstance(error, OSError) or error.errno not in _REMEDIES:
        return None
    name = error.filename2 or error.filename
    where = f"'{os.fsdecode(name)}': " if isinstance(name, str | bytes) else ""
    what = error.strerror or "the system refuses"
    return f"{where}{what[:1].lower()}{what[1:]}: {_REMEDIES[error.errno]}"
