"""Files whole or not at all, and folders that one process holds."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from osprey.errors import UserError
from osprey.system.files import atomic_path, partial_path, publish, write_csv, write_json
from osprey.system.locks import LOCK, FolderLock


def test_a_file_is_replaced_at_once(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("before")
    with atomic_path(target) as partial:
        assert partial.parent == tmp_path
        partial.write_text("after")
        assert target.read_text() == "before"
    assert target.read_text() == "after"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("keep_name", [False, True])
@pytest.mark.parametrize("fixed", [False, True])
def test_a_failure_leaves_what_was_there(tmp_path: Path, keep_name: bool, fixed: bool) -> None:
    target = tmp_path / "table.csv"
    target.write_text("before")
    with (
        pytest.raises(KeyboardInterrupt),
        atomic_path(target, keep_name=keep_name, fixed=fixed) as partial,
    ):
        partial.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("fixed", [False, True])
def test_what_a_killed_process_left_is_in_nobodys_way(tmp_path: Path, fixed: bool) -> None:
    target = tmp_path / "latest"
    partial_path(target, fixed=fixed).write_text("half")
    with atomic_path(target, fixed=fixed) as partial:
        partial.symlink_to("elsewhere")
    assert os.readlink(target) == "elsewhere"
    assert [p.name for p in tmp_path.iterdir()] == ["latest"]


def test_a_folder_takes_an_empty_one_s_place_under_its_own_name(tmp_path: Path) -> None:
    target = tmp_path / "boxes.yolo"
    target.mkdir()
    with atomic_path(target, keep_name=True) as partial:
        assert partial.name == "boxes.yolo"
        partial.mkdir()
        (partial / "data.yaml").write_text("")
    assert [p.name for p in target.iterdir()] == ["data.yaml"]
    assert [p.name for p in tmp_path.iterdir()] == ["boxes.yolo"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError), atomic_path(tmp_path / "none" / "x") as partial:
        partial.write_text("")
    with pytest.raises(OSError):
        publish(tmp_path / "none", tmp_path / "x")


def test_json_and_csv(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"name": "gr\u00f6\u00dfe"})
    assert (tmp_path / "x.json").read_bytes() == '{\n  "name": "gr\u00f6\u00dfe"\n}\n'.encode()
    write_json(tmp_path / "y.json", ["caf\udce9"], indent=None, errors="backslashreplace")
    assert json.loads((tmp_path / "y.json").read_bytes()) == ["caf\udce9"]
    write_csv(tmp_path / "x.csv", ("a", "b"), ([i, f"{i},"] for i in range(2)))
    assert (tmp_path / "x.csv").read_bytes() == b'a,b\r\n0,"0,"\r\n1,"1,"\r\n'


# ------------------------------------------------------------------ locks

HOLDER = """
import sys, time
from pathlib import Path
from osprey.system.locks import FolderLock
with FolderLock(Path(sys.argv[1]), "held"):
    print("holds", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_held_until_its_process_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"holds\n"
        with (
            pytest.raises(UserError, match=r"^another has it$"),
            FolderLock(tmp_path, "another has it"),
        ):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    with FolderLock(tmp_path, "another has it"):
        pass


def test_a_folder_is_held_once_in_one_process_too(tmp_path: Path) -> None:
    with (
        FolderLock(tmp_path, "x"),
        pytest.raises(UserError, match=r"^no$"),
        FolderLock(tmp_path, "no"),
    ):
        pass
    with FolderLock(tmp_path, "x"):
        assert [p.name for p in tmp_path.iterdir()] == [LOCK]


@pytest.mark.parametrize(
    "error", [OSError(38, "ENOSYS"), OSError(95, "ENOTSUP"), OSError(37, "ENOLCK")]
)
def test_a_file_system_without_locks_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refuse(*_: object) -> bool:
        raise error

    monkeypatch.setattr(fcntl, "flock", refuse)
    with FolderLock(tmp_path, "x"):
        pass


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError), FolderLock(tmp_path / "none", "x"):
        pass
