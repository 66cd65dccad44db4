"""``osprey train -m sweep=...``: what it says, what it trains, and what it leaves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import run_process
from sweeps import LR, records, study_of, sweep_folder, words

pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")


def test_a_sweep_ranks_its_trials_and_can_be_gone_on_with(here: Path, photos: Path) -> None:
    given = [w for w in words(photos, "sweep=optuna", "sweep.trials=2", LR) if w != "export=null"]
    result = run_process(given, here)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    folder = sweep_folder(here)
    assert lines[0] == f"sweep   {folder.relative_to(here)}"
    assert lines[1] == f"space   {LR}"
    plan = "plan    2 trials (no end of combinations), tpe; 1 worker, "
    assert lines[2].startswith(plan)
    assert lines[3].startswith("trial   1 of 2  macro-F1 0.")
    assert re.fullmatch(r"others  1 trial: under a minute or so, \d MB \(\d+ GB free\)", lines[4])
    done = records(here)
    assert [record["state"] for record in done] == ["complete", "complete"]
    best = max(done, key=lambda record: record["value"])
    assert any(line.startswith("again:  osprey train data=folder") for line in lines)
    assert f"report  {best['run']}/report.html" in lines
    assert lines[-1] == f"board   {folder.relative_to(here)}/leaderboard.html"
    assert "What mattered" not in (folder / "leaderboard.html").read_text()  # of two trials
    others = [r["run"] for r in done if r is not best]
    assert not any((here / run / "report.html").exists() for run in others)
    assert (here / best["run"] / "bundle" / "card.json").is_file()  # the winner's alone
    assert not any((here / run / "bundle").exists() for run in others)
    assert "export" not in (here / best["run"] / "overrides.txt").read_text()
    # Optuna reads the study for one's own plots.
    study = study_of(folder)
    assert [trial.value for trial in study.trials] == [record["value"] for record in done]

    more = run_process(["train", "-m", "sweep.resume=latest", "sweep.trials=3"], here)
    assert more.code == 0, more.err
    assert "there   2 trials finished before" in more.out
    assert [r["run"] for r in records(here)][:2] == [r["run"] for r in done]
    assert len(records(here)) == 3

    other = run_process(["train", "-m", "sweep.resume=latest", "optimizer.lr=0.1,0.2"], here)
    assert (other.code, other.err) == (
        2,
        "osprey train: the sweep was of another space: optimizer.lr was "
        f"{LR.partition('=')[2]}, is 0.1,0.2: leave that out, begin a new sweep, or accept it "
        "with sweep.allow_changes=true\n",
    )
    allowed = ["sweep.resume=latest", "optimizer.lr=0.1,0.2", "sweep.allow_changes=true"]
    changed = run_process(["train", "-m", *allowed, "sweep.trials=4"], here)
    assert changed.code == 0, changed.err
    assert records(here)[3]["drawn"][0] in ("optimizer.lr=0.1", "optimizer.lr=0.2")
    assert [r["run"] for r in records(here)][:2] == [r["run"] for r in done]


@pytest.mark.slow
def test_a_trial_is_what_the_same_command_alone_would_train(here: Path, photos: Path) -> None:
    swept = run_process(words(photos, "sweep=grid", "seed=3,4", "optimizer.lr=0.01"), here)
    assert swept.code == 0, swept.err
    alone = [w for w in words(photos, "seed=4", "optimizer.lr=0.01") if w != "-m"]
    assert run_process(alone, here).code == 0
    mine, theirs = (
        json.loads((here / run / "summary.json").read_text())
        for run in ("runs/latest", records(here)[1]["run"])
    )
    for part in ("val", "test", "epochs"):
        assert mine[part] == theirs[part]


PRUNED = [
    *("sweep=grid", "sweep.pruner=median", "optimizer.lr=0.01,0.011,0.012,0.013,1e-9"),
    *("sweep.keep_pruned=false", "callbacks.ema_decay=null"),
]


def test_a_hopeless_trial_ends_early_and_says_so(here: Path, photos: Path) -> None:
    result = run_process(words(photos, *PRUNED, epochs=4), here)
    assert result.code == 0, result.err
    last = records(here)[-1]
    assert last["state"] == "pruned" and last["pruned"] < 4
    assert "ended early, after epoch" in result.out
    run = here / last["run"]
    assert json.loads((run / "pruned.json").read_text()) == {"epochs": last["pruned"]}
    assert not any((run / "checkpoints").iterdir())
    assert study_of(sweep_folder(here)).trials[-1].state.name == "PRUNED"
    assert "  ended early      optimizer.lr=1e-09\n" in result.out


@pytest.mark.slow
def test_several_seeds_count_as_one_trial_with_their_mean(here: Path, photos: Path) -> None:
    grid = ["sweep=grid", "optimizer.lr=0.01,0.02", "sweep.seeds=2", "sweep.workers=2", "seed=5"]
    result = run_process(words(photos, *grid), here)
    assert result.code == 0, result.err
    for record in records(here):
        runs = [here / run for run in record["runs"]]
        seeds = [word for run in runs for word in (run / "overrides.txt").read_text().split()]
        assert [word for word in seeds if word.startswith("seed=")] == ["seed=5", "seed=6"]
        assert record["value"] == sum(record["values"]) / 2
    assert "plan    2 trials of 2 seeds (2 combinations), grid; 2 workers, " in result.out


@pytest.mark.slow
def test_two_objectives_have_a_front(here: Path, photos: Path) -> None:
    grid = ["sweep=grid", "+model.options.width=4,8", "sweep.objectives=[monitor,parameters]"]
    plain = [w for w in words(photos, *grid) if not str(w).startswith("model.options=")]
    result = run_process(plain, here)
    assert result.code == 0, result.err
    small, large = records(here)
    assert small["parameters"] < large["parameters"]
    assert study_of(sweep_folder(here)).directions[1].name == "MINIMIZE"


FORKED = '''
"""Says how loaders would be started."""
import multiprocessing
from pathlib import Path

from pytorch_lightning.callbacks import Callback


class Note(Callback):
    def on_train_start(self, trainer, pl_module):
        Path("method").write_text(multiprocessing.get_start_method())
'''


@pytest.mark.slow
def test_loaders_begin_as_in_a_command_of_its_own(here: Path, photos: Path) -> None:
    import multiprocessing

    (here / "forked.py").write_text(FORKED)
    more = ["sweep=grid", "seed=0,1", "sweep.trials=1", "+callbacks.note._target_=forked.Note"]
    plain = [w for w in words(photos, *more) if w != "data.num_workers=0"]
    result = run_process([*plain, "data.num_workers=1"], here)
    assert result.code == 0, result.err
    assert (here / "method").read_text() == multiprocessing.get_start_method()
