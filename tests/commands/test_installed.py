"""From a wheel, in an empty folder, with no checkout in sight."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, TINY


@pytest.mark.slow
def test_wheel_in_an_empty_folder(tmp_path: Path, photos: Path) -> None:
    built = tmp_path / "dist"
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built)]
    subprocess.run([*command, str(REPOSITORY)], check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    install = [sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)]
    subprocess.run(install, check=True)  # a pure wheel is its files; the rest is in this venv
    own = work / "own/experiment/quick.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# @package _global_\ntrainer: {max_epochs: 1}\n")

    def osprey(*words: str) -> subprocess.CompletedProcess[str]:
        code = (
            "import sys, osprey; assert 'site' in osprey.__file__, osprey.__file__; "
            "from osprey.commands import main; sys.exit(main())"
        )
        return subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=work,
            env={**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )

    words = [w for w in TINY if not w.startswith("trainer.max")]
    done = osprey(
        *("train", "--config-dir", "own", "experiment=quick"),
        *("data=folder", f"data.root={photos}", *words),
    )
    assert done.returncode == 0, done.stderr
    done = osprey("predict", "--image", str(photos / "red" / "red_00.png"))
    assert done.stdout in ("['red']\n", "['green']\n", "['blue']\n"), done.stderr
