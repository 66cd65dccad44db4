"""Spaces of the user's own: a function, a file; and a study that several machines share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import osprey_process, run_process
from sweeps import LR, records, words

pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")


SPACE = '''
def space(trial, widths):
    """The wider network gets a rate of its own."""
    width = trial.suggest_categorical("width", list(widths))
    rate = [f"optimizer.lr={trial.suggest_float('lr', 1e-3, 1e-2)}"] if width == 8 else []
    return [f"model.options={{width: {width}}}", *rate]


def nothing(trial):
    return "optimizer.lr=1"
'''


@pytest.mark.slow
def test_a_function_of_the_user_s_gives_the_space(here: Path, photos: Path) -> None:
    (here / "my_space.py").write_text(SPACE)
    more = ["sweep=optuna", "sweep.space._target_=my_space.space", "+sweep.space.widths=[4,8]"]
    plain = [w for w in words(photos, *more) if not str(w).startswith("model.options=")]
    result = run_process([*plain, "sweep.trials=3"], here)
    assert result.code == 0, result.err
    assert "space   my_space.space(trial)" in result.out
    for record in records(here):
        assert len(record["drawn"]) == (2 if "8" in record["drawn"][0] else 1)
    bad = run_process([*plain[:-2], "sweep=optuna", "sweep.space._target_=my_space.nothing"], here)
    assert (bad.code, bad.err) == (
        2,
        "osprey train: sweep.space: my_space.nothing must return a list of 'key=value', not "
        "'optimizer.lr=1'\n",
    )


@pytest.mark.slow
def test_a_space_of_the_user_s_own_file(here: Path, photos: Path) -> None:
    from documents import DOCUMENTS, write_files

    (document,) = (d for d in DOCUMENTS if d.name == "sweeps.md")
    write_files(document, here)
    plain = [w for w in words(photos, "sweep=rates") if not str(w).startswith("augmentation")]
    result = run_process([*plain, "sweep.trials=1", "--config-dir", "mine"], here)
    assert result.code == 0, result.err
    (record,) = records(here)
    assert [word.partition("=")[0] for word in record["drawn"]] == ["optimizer.lr", "augmentation"]
    again = run_process(["train", "-m", "sweep.resume=latest", "sweep.trials=2"], here)
    assert again.code == 0, again.err
    assert len(records(here)) == 2


@pytest.mark.slow
def test_two_machines_share_a_study(here: Path, photos: Path) -> None:
    shared = ["sweep=optuna", "sweep.trials=4", "sweep.storage=sqlite:///study.db", LR]
    both = [
        osprey_process(words(photos, *shared, "sweep.study=ours", f"paths.runs=m{n}"), here)
        for n in range(2)
    ]
    for process in both:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    files = list(here.glob("m?/sweeps/*/trials/*.json"))
    assert sorted(int(file.stem) for file in files) == [0, 1, 2, 3]
    drawn = {json.loads(file.read_text())["drawn"][0] for file in files}
    assert len(drawn) == 4  # none draws what the other does


@pytest.mark.slow
def test_two_machines_share_a_grid(here: Path, photos: Path) -> None:
    shared = ["sweep=grid", "seed=0,1,2,3", "sweep.storage=sqlite:///grid.db", "sweep.study=ours"]
    both = [osprey_process(words(photos, *shared, f"paths.runs=m{n}"), here) for n in range(2)]
    for process in both:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    files = list(here.glob("m?/sweeps/*/trials/*.json"))
    drawn = sorted(json.loads(file.read_text())["drawn"][0] for file in files)
    assert drawn == ["seed=0", "seed=1", "seed=2", "seed=3"]
