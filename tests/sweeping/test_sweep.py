"""``osprey train -m sweep=...``: the real command, its workers and what it leaves."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Result, environment, run_process

pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")
from osprey.sweeping.study import JOURNAL

FAST = [w for w in TINY if not w.startswith(("optimizer.lr", "trainer.max_epochs"))]
LR = "optimizer.lr=tag(log,interval(1e-4,1e-1))"


def words(photos: Path, *more: str, epochs: int = 1) -> list[str | Path]:
    data = ["data=folder", f"data.root={photos}", f"trainer.max_epochs={epochs}"]
    return ["train", "-m", *data, *FAST, *more]


def sweep_folder(here: Path) -> Path:
    (file,) = here.glob("runs/sweeps/*/sweep.json")
    return file.parent


def records(here: Path) -> list[dict[str, Any]]:
    files = sorted(sweep_folder(here).glob("trials/*.json"))
    return [json.loads(file.read_text()) for file in files]


def study_of(folder: Path) -> Any:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    return optuna.load_study(study_name=folder.name, storage=storage)


def test_a_sweep_ranks_its_trials_and_can_be_gone_on_with(here: Path, photos: Path) -> None:
    result = run_process(words(photos, "sweep=optuna", "sweep.trials=2", LR), here)
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


def test_a_bad_trial_is_kept_with_its_reason_and_ends_nothing(here: Path, photos: Path) -> None:
    grid = ["sweep=grid", "optimizer.lr=1e30,0.01", "sweep.max_failures=2"]
    result = run_process(words(photos, *grid), here)
    assert result.code == 1
    bad, good = records(here)
    assert bad["state"] == "failed" and "nan" in bad["failure"].lower()
    assert good["state"] == "complete"
    assert f"trial   1 of 2  failed: {bad['failure']}  optimizer.lr=1e+30\n" in result.out
    log = (sweep_folder(here) / "log" / "00000.log").read_text()
    assert bad["failure"] in log
    assert study_of(sweep_folder(here)).trials[0].state.name == "FAIL"


@pytest.mark.slow
def test_the_first_failure_ends_a_sweep_that_is_to_fail_fast(here: Path, photos: Path) -> None:
    grid = ["sweep=grid", "optimizer.lr=1e30,0.01,0.02", "sweep.fail_fast=true"]
    result = run_process(words(photos, *grid), here)
    assert result.code == 1
    assert len(records(here)) == 1
    assert "(sweep.fail_fast=true); to go on: osprey train -m sweep.resume=" in result.err


KILLER = '''
"""A callback that has its own process killed, as a machine without memory does."""
import os
import signal

from pytorch_lightning.callbacks import Callback


class Kill(Callback):
    def __init__(self, seed):
        self.seed = seed

    def on_train_epoch_end(self, trainer, pl_module):
        if self.seed == 1:
            os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.mark.slow
def test_a_killed_trial_ends_nothing_but_itself(here: Path, photos: Path) -> None:
    (here / "killer.py").write_text(KILLER)
    more = ["+callbacks.kill._target_=killer.Kill", "+callbacks.kill.seed=${seed}"]
    result = run_process(words(photos, "sweep=grid", "seed=0,1,2", *more), here)
    assert result.code == 1, result.err
    assert [record["state"] for record in records(here)] == ["complete", "failed", "complete"]
    reason = "its process was killed (SIGKILL, as when memory is gone)"
    assert records(here)[1]["failure"] == reason


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
def test_two_machines_share_a_study(here: Path, photos: Path) -> None:
    from conftest import osprey_process

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


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["sweep.sampler=tpee"], "sweep.sampler: unknown 'tpee'; did you mean 'tpe'? (one of"),
        (["sweep.trails=3"], "unknown setting 'sweep.trails'; did you mean 'sweep.trials'?"),
        (["sweep=grid", LR], f"{LR}: a grid has no end there: give values, such as 1e-4,1e-3 or"),
        (["sweep=grid"], "the space is empty: give a setting several values, such as seed=0,1,2"),
        (["sweep.trials=null", LR], "sweep.trials is not set: say how many trials to make"),
        (["sweep.trials=0", LR], "sweep.trials: 0 is out of range (at least 1)"),
        (["sweep.devices=[7]", LR], "sweep.devices: no GPU 7 here (there is none)"),
        (["sweep.devices=x", LR], "sweep.devices=x: give auto, none, or GPUs such as [0,1]; one"),
        (["sweep.storage=x", LR], "sweep.storage: 'x' is neither a URL, such as sqlite:///x.db,"),
        (["sweep.storage=sqlite:////no/x.db", LR], "sweep.storage: 'sqlite:////no/x.db' cannot be"),
        (["sweep.sampler=tpe,random", LR], "sweep.sampler=tpe,random: give it one value; several"),
        (
            ["monitor=val/top1,val/log_loss"],
            "monitor: trials are ranked by one figure: give it",
        ),
        (["hydra/sweeper=basic", LR], "hydra/sweeper: sweep=... brings a sweeper of its own, not"),
        (["sweep.objectives=[monitor,speed]", "sweep.workers=2", LR], "sweep.objectives: speed is"),
        (["sweep.study=x", LR], "sweep.study names a study in sweep.storage: give that, too"),
        (["sweep.resume=gone"], "there is no sweep 'gone'; name a folder below runs/sweeps"),
        (["sweep.resume=latest"], "there is no sweep under 'runs/sweeps': begin one with -m"),
        (["model=resnt18,vit_small"], "no model called 'resnt18'; did you mean 'resnet18'?"),
        (["sweep.objectives=[monitor,speed]", "sweep.pruner=median", LR], "sweep.pruner=median"),
        (["sweep.seeds=2", "seed=1,2"], "sweep.seeds=2: seed is in the space already"),
        (
            ["monitor=val/macro_f2", LR],
            "monitor=val/macro_f2 is not logged; did you mean 'val/macro_f1'",
        ),
    ],
)
def test_bad_input_is_one_line_before_any_trial(
    here: Path, photos: Path, osprey: Callable[..., Result], more: list[str], message: str
) -> None:
    result = osprey(*words(photos, "sweep=optuna", *more))
    assert result.code == 2
    assert result.err.startswith(f"osprey train: {message}")
    assert result.err.count("\n") == 1
    assert not list(here.glob("runs/sweeps/*"))


def test_settings_of_a_sweep_want_a_sweep(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    alone = osprey(*(w for w in words(photos, "sweep=optuna") if w != "-m"))
    assert (alone.code, alone.err) == (2, "osprey train: sweep=optuna is of a sweep: add -m\n")
    chosen = osprey(*words(photos, "sweep.trials=3", "seed=1,2"))
    assert chosen.err == (
        "osprey train: sweep.trials is of a sweep: choose one with -m sweep=optuna or sweep=grid\n"
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


RAISER = '''
"""Raises in one trial; another one is slow, so that it still trains when that is known."""
import time

from pytorch_lightning.callbacks import Callback


class Raise(Callback):
    def __init__(self, seed, slow, bad):
        self.seed, self.slow, self.bad = seed, slow, bad

    def on_train_epoch_end(self, trainer, pl_module):
        if self.seed == self.slow:
            time.sleep(8)
        if self.seed == self.bad:
            raise ZeroDivisionError("on purpose")
'''


def raiser(slow: int, bad: int) -> list[str]:
    node = f"{{_target_: raiser.Raise, seed: ${{seed}}, slow: {slow}, bad: {bad}}}"
    return [f"+callbacks.bad={node}"]


def test_one_bad_seed_of_three_fails_its_trial(here: Path, photos: Path) -> None:
    (here / "raiser.py").write_text(RAISER)
    more = ["sweep=grid", "optimizer.lr=0.01,0.02", "sweep.seeds=3", "sweep.workers=2"]
    more.append("sweep.trials=1")
    result = run_process(words(photos, *more, *raiser(slow=1, bad=0)), here)
    assert result.code == 1
    (record,) = records(here)
    assert record["state"] == "failed"
    assert record["failure"] == "ZeroDivisionError: on purpose"
    assert "Traceback" in (sweep_folder(here) / "log" / "00000-0.log").read_text()


@pytest.mark.slow
def test_the_first_failure_ends_what_still_trains(here: Path, photos: Path) -> None:
    (here / "raiser.py").write_text(RAISER)
    more = ["sweep=grid", "seed=0,1,2,3", "sweep.workers=2", "sweep.fail_fast=true"]
    result = run_process(words(photos, *more, *raiser(slow=1, bad=0), epochs=3), here)
    assert result.code == 1
    assert [record["state"] for record in records(here)] == ["failed"]
    again = run_process(["train", "-m", "sweep.resume=latest", "sweep.fail_fast=false"], here)
    assert "1 trial finished before, 1 interrupted one taken up again" in again.out
    states = [record["state"] for record in records(here)]
    assert states == ["failed", "complete", "complete", "complete"]


@pytest.mark.slow
def test_a_sweep_goes_on_renamed_and_from_elsewhere(
    here: Path, photos: Path, tmp_path: Path
) -> None:
    result = run_process(words(photos, "sweep=grid", "seed=0,1", "sweep.trials=1"), here)
    assert result.code == 0, result.err
    first = records(here)[0]["run"]
    folder = sweep_folder(here)
    folder.rename(folder.with_name("mine"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    resume = [f"sweep.resume='{folder.with_name('mine')}'", "sweep.trials=2"]
    again = run_process(["train", "-m", *resume], elsewhere)
    assert again.code == 0, again.err
    assert again.out.startswith(f"folder  {here}: where the sweep was begun\n")
    assert "there   1 trial finished before\n" in again.out
    assert records(here)[0]["run"] == first and len(records(here)) == 2
    assert not (elsewhere / "runs").exists()
    (folder.with_name("mine") / JOURNAL).unlink()
    lost = run_process(["train", "-m", *resume], elsewhere)
    assert lost.code == 2 and f"has lost its {JOURNAL}: copy it again" in lost.err


@pytest.mark.slow
def test_a_damaged_record_is_a_line(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    assert run_process(words(photos, "sweep=grid", "seed=0,1"), here).code == 0
    folder = sweep_folder(here)
    (folder / "trials" / "00000.json").write_text("{")
    board = osprey("leaderboard", folder)
    assert board.code == 0
    assert "00000.json' is damaged: its trial is not listed\n" in board.err
    (folder / "sweep.json").write_text("{}")
    resume = osprey("train", "-m", f"sweep.resume={folder}")
    assert (resume.code, resume.err.count("\n")) == (2, 1)
    assert "has no readable sweep.json: not a sweep's folder" in resume.err


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


@pytest.mark.slow
def test_a_full_disk_ends_the_sweep_and_no_trial(here: Path, photos: Path) -> None:
    line = shlex.join(map(str, words(photos, "sweep=grid", "seed=0,1", epochs=2)))
    command = ["bash", "-c", f"ulimit -f 50; exec {sys.executable} -m osprey {line}"]
    full = subprocess.run(command, cwd=here, env=environment(), capture_output=True, text=True)
    assert full.returncode == 2, full.stderr
    assert "last.ckpt': file too large: files may not be so large here (ulimit -f)" in full.stderr
    assert "trials that were interrupted go on with sweep.resume=runs/sweeps/" in full.stderr
    assert records(here) == []
    again = run_process(["train", "-m", "sweep.resume=latest"], here)
    assert again.code == 0, again.err
    assert [record["state"] for record in records(here)] == ["complete", "complete"]


@pytest.mark.slow
def test_two_machines_share_a_grid(here: Path, photos: Path) -> None:
    from conftest import osprey_process

    shared = ["sweep=grid", "seed=0,1,2,3", "sweep.storage=sqlite:///grid.db", "sweep.study=ours"]
    both = [osprey_process(words(photos, *shared, f"paths.runs=m{n}"), here) for n in range(2)]
    for process in both:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    files = list(here.glob("m?/sweeps/*/trials/*.json"))
    drawn = sorted(json.loads(file.read_text())["drawn"][0] for file in files)
    assert drawn == ["seed=0", "seed=1", "seed=2", "seed=3"]
