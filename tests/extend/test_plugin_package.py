"""examples/plugin from a wheel of it: found by its entry point, its README and its tests pass."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import PLUGIN, REPOSITORY, environment


def test_the_wheel_is_whole(site: Path) -> None:
    names = {str(p.relative_to(PLUGIN)) for p in (PLUGIN / "reefkit").rglob("*") if p.is_file()}
    names = {name for name in names if "__pycache__" not in name}
    assert {"reefkit/__init__.py", "reefkit/configs/model/reefnet.yaml"} <= names
    assert {name for name in names if not (site / name).is_file()} == set()


@pytest.mark.slow
def test_its_own_tests_pass_from_the_wheel(site: Path, tmp_path: Path) -> None:
    """Those of the parts, and the README's commands, in a folder without its source."""
    shutil.copytree(PLUGIN / "tests", tmp_path / "tests")
    shutil.copy(PLUGIN / "README.md", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    path = f"{site}:{REPOSITORY / 'src'}"
    pytest_words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(
        pytest_words,
        cwd=tmp_path,
        env={**environment(), "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    where = [sys.executable, "-c", "import reefkit; print(reefkit.__file__)"]
    found = subprocess.run(
        where, cwd=tmp_path, env={**environment(), "PYTHONPATH": path}, capture_output=True
    )
    assert found.stdout.decode().startswith(str(site))


def test_it_names_osprey_as_it_is_called() -> None:
    ours = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    theirs = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    assert theirs["dependencies"] == [ours["name"]]
    assert theirs["requires-python"] == ours["requires-python"]
