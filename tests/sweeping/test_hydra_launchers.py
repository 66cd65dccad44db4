"""Hydra's joblib and submitit launchers: trials in processes that know nothing of the command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY, Result, run_process

LAUNCHERS = [
    pytest.param("joblib", "hydra_joblib_launcher", ["hydra.launcher.n_jobs=2"]),
    pytest.param("submitit_local", "hydra_submitit_launcher", []),
]


def words(photos: Path, *more: str) -> list[str | Path]:
    kept = [w for w in TINY if w.partition("=")[0] not in {m.partition("=")[0] for m in more}]
    return ["train", "-m", "data=folder", f"data.root={photos}", *kept, *more]


@pytest.mark.slow
@pytest.mark.parametrize(("launcher", "package", "more"), LAUNCHERS)
def test_a_grid_by_a_launcher_of_hydra_s(
    my_pkg: Path,
    photos: Path,
    osprey: Callable[..., Result],
    launcher: str,
    package: str,
    more: list[str],
) -> None:
    pytest.importorskip(f"hydra_plugins.{package}", reason="the extra 'launchers' is not installed")
    # A network of the user's own config file, and loader processes, are what breaks most easily.
    mine = ["--config-dir", "mine", "model=reefnet", "data.num_workers=1", "extras.report=false"]
    plain = [w for w in words(my_pkg / photos, *mine) if not str(w).startswith("model.options")]
    grid = [f"hydra/launcher={launcher}", *more, "seed=0,1", "trainer.max_epochs=1"]
    result = run_process([*plain, *grid], my_pkg)
    assert result.code == 0, result.err
    (sweep,) = my_pkg.glob("runs/sweeps/*")
    records = [json.loads(file.read_text()) for file in sorted(sweep.glob("trials/*.json"))]
    assert [[w for w in r["overrides"] if w.startswith("seed=")] for r in records] == [
        ["seed=0"],
        ["seed=1"],
    ]
    runs = [Path(record["run"]) for record in records]
    assert runs[0] != runs[1]
    for record, run in zip(records, runs, strict=True):
        assert json.loads((run / "summary.json").read_text())["val"]["macro_f1"] == record["value"]
        about = json.loads((run / "environment.json").read_text())
        assert about["config_dir"] == str(my_pkg / "mine")  # so that it can be trained again
    assert "sweep, best first by validation macro-F1:\n" in result.out
    board = osprey("leaderboard", sweep)
    assert board.out.startswith("2 runs")
    assert all(str(run) in board.out for run in runs)


def test_a_launcher_that_is_not_there_is_one_line(
    here: Path, photos: Path, osprey: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(
        "hydra_plugins.hydra_submitit_launcher", reason="the extra 'launchers' is not installed"
    )
    monkeypatch.setenv("PATH", str(here))
    assert shutil.which("srun") is None
    result = osprey(*words(photos, "hydra/launcher=submitit_slurm", "seed=0,1"))
    assert (result.code, result.err) == (
        2,
        "osprey train: hydra/launcher=submitit_slurm: there is no srun here: start the sweep on a "
        "machine of the cluster, or use hydra/launcher=submitit_local\n",
    )


def test_a_launcher_that_is_not_installed_names_its_extra(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    from importlib.util import find_spec

    if find_spec("hydra_plugins.hydra_joblib_launcher") is not None:
        pytest.skip("the extra 'launchers' is installed")
    result = osprey(*words(photos, "hydra/launcher=joblib", "seed=0,1"))
    assert (result.code, result.err) == (
        2,
        "osprey train: hydra/launcher=joblib needs pip install 'osprey-vision[launchers]'\n",
    )
