"""One process a folder, however the one before ended."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from osprey.errors import UserError
from osprey.system.locks import LOCK, FolderLock

HOLD = """
import sys, time
from pathlib import Path
from osprey.system.locks import FolderLock
with FolderLock(Path(sys.argv[1]), "taken"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_another_process_is_refused_until_it_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    path = {"PYTHONPATH": ":".join(sys.path)}
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=path)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=r"^busy$"), FolderLock(tmp_path, "busy"):
            pass
    finally:
        holder.kill()  # kill -9 on POSIX
        holder.communicate()
    with FolderLock(tmp_path, "busy"):
        assert (tmp_path / LOCK).is_file()


def test_one_after_the_other(tmp_path: Path) -> None:
    for _ in range(2):
        with FolderLock(tmp_path, "busy"), pytest.raises(UserError), FolderLock(tmp_path, "busy"):
            pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_drive_without_locks_goes_on(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*arguments: object) -> None:
        raise OSError(number, "no locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with FolderLock(tmp_path, "busy"), FolderLock(tmp_path, "busy"):
        pass
