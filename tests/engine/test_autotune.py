"""Autotune takes the fastest way that computes the same, and changes nothing else."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from conftest import TIMES, TINY, only_run
from helpers import train_config
from tiny_task import make_task, random_batches

from osprey.errors import ConfigError
from osprey.models.simple_cnn import SimpleCNN
from osprey.tuning import autotune
from osprey.tuning import resolve as resolve_settings
from osprey.tuning.autotune import STEPS, candidates, compare, describe, pays, pays_from
from osprey.tuning.memory import fit_batch
from osprey.tuning.trial import Setting, Trial

CPU = torch.device("cpu")
PLAIN, LAST = Setting("32-true", False), Setting("32-true", True)
HALF = Setting("bf16-mixed", True)
TUNED = [word for word in TINY if not word.startswith("trainer.autotune")]
Script = dict[Setting, list[tuple[float, float]]]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Trials that answer (loss, seconds) from a script, so that nothing is timed."""
    script: Script = {}
    taken: dict[Setting, int] = {}

    class Scripted:
        def __init__(self, task: Any, setting: Setting, device: Any, steps: int) -> None:
            self.setting = setting
            taken[setting] = 0

        def timed_step(self, batch: Any) -> tuple[float, float]:
            taken[self.setting] += 1
            answers = script[self.setting]
            if not answers:
                raise RuntimeError("no kernel\nsecond line")
            return answers[min(taken[self.setting], len(answers)) - 1]

    monkeypatch.setattr(autotune, "Trial", Scripted)

    def choose(told: Script, jit: bool = False, steps: int = 10**6) -> Any:
        script.update(told)
        ways = [setting for setting in told if not setting.compile]
        found, choice = compare(None, ways, random_batches(1)[0], CPU, steps, jit=jit)  # type: ignore[arg-type]
        return {c.setting: c.verdict for c in found}, choice, taken, describe(found, choice, False)

    yield choose


def steady(seconds: float, loss: float = 2.0) -> list[tuple[float, float]]:
    return [(loss, seconds)]


def test_the_fastest_is_taken_and_said(scripted: Any) -> None:
    verdicts, choice, _, line = scripted(
        {PLAIN: steady(0.8), LAST: steady(0.4), HALF: steady(0.7, 2.01)}
    )
    assert choice == LAST
    assert set(verdicts.values()) == {"admitted"}
    assert line == (
        "tuned   channels_last float32: 20.0 images/s (plain 10.0, channels_last bfloat16 11.4)"
    )


def test_the_simpler_is_kept_below_five_per_cent(scripted: Any) -> None:
    assert scripted({PLAIN: steady(1.0), LAST: steady(0.96)})[1] == PLAIN
    assert scripted({PLAIN: steady(1.0), LAST: steady(0.94)})[1] == LAST


@pytest.mark.parametrize("wrong", [math.nan, math.inf, 2.5, 1.5])
@pytest.mark.parametrize("step", range(STEPS))
def test_another_loss_in_any_step_is_refused(wrong: float, step: int, scripted: Any) -> None:
    losses = [2.0] * STEPS
    losses[step] = wrong
    for way in (LAST, HALF):
        verdicts, choice, *_ = scripted({PLAIN: steady(1.0), way: [(loss, 0.1) for loss in losses]})
        assert choice == PLAIN
        assert verdicts[way] == f"loss {wrong:.5g} in step {step + 1}, not 2"


def test_a_slow_way_is_given_up_after_two_steps(scripted: Any) -> None:
    verdicts, choice, taken, line = scripted({PLAIN: steady(0.5), HALF: steady(4.0)})
    assert (choice, taken[HALF], taken[PLAIN]) == (PLAIN, 2, STEPS)
    assert verdicts[HALF] == "given up: two steps took 4.00 s or more"
    assert line.endswith("(channels_last bfloat16 given up)")


def test_one_slow_step_is_a_busy_machine(scripted: Any) -> None:
    for slow in range(STEPS):
        steps = [(2.0, 9.0 if number == slow else 0.4) for number in range(STEPS)]
        assert scripted({PLAIN: steady(0.8), LAST: steps})[1] == LAST


def test_a_way_that_fails_is_not_taken(scripted: Any) -> None:
    verdicts, choice, *_ = scripted({PLAIN: steady(0.5), HALF: []})
    assert choice == PLAIN and verdicts[HALF] == "failed: no kernel"


def test_compilation_is_tried_on_the_winner_of_a_long_run(scripted: Any) -> None:
    compiled = Setting("32-true", True, compile=True)
    told = {PLAIN: steady(0.8), LAST: steady(0.4), compiled: steady(0.2)}
    assert scripted(told, jit=True)[1] == compiled
    assert scripted(told, jit=True, steps=100)[1] == LAST, "would cost more than it saves"
    assert scripted(told)[1] == LAST


def test_explicit_values_are_not_tried() -> None:
    trainer = train_config("trainer.precision=bf16-mixed", "trainer.channels_last=true").trainer
    assert candidates(trainer, CPU) == [HALF]
    trainer = train_config("trainer.precision=32-true").trainer
    assert candidates(trainer, CPU) == [PLAIN, LAST]
    assert candidates(train_config().trainer, CPU)[:2] == [PLAIN, LAST]
    assert pays(2, 160) and not pays(2, 159)
    assert pays_from(2) == 160, "the number that a run which is too short is told"


def test_trials_agree_and_leave_the_task_alone() -> None:
    task = make_task("augmentation=heavy")
    before = {key: value.clone() for key, value in task.state_dict().items()}
    batch = random_batches(1)[0]
    losses = []
    for way in (PLAIN, LAST, PLAIN):
        trial = Trial(task, way, CPU, 100)
        losses.append([trial.step(batch) for _ in range(3)])
    assert losses[0] == losses[2], "dropout and mixes are drawn alike"
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0][0] != losses[0][1], "it learns"
    for key, value in task.state_dict().items():
        assert torch.equal(value, before[key]), key


def outcome(folder: Path) -> tuple[Any, list[dict[str, str]], dict[str, Any]]:
    run = only_run(folder)
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    with (run / "metrics.csv").open(newline="") as file:
        rows = [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]
    return state, rows, yaml.safe_load((run / "config.yaml").read_text())["trainer"]


@pytest.mark.slow
def test_training_is_what_the_same_explicit_choice_gives(
    tmp_path: Path, photos: Path, osprey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSPREY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(resolve_settings, "pays", lambda count, steps: True)
    words = ["train", "data=folder", f"data.root={photos}", *TUNED, "augmentation=heavy"]
    words += ["callbacks.ema_decay=0.5", "trainer.precision=32-true"]
    found, printed = [], []
    damage = {"third": "{cut", "fourth": '{"candidates": [], "choice": {}}'}
    for name in ("first", "second", "third", "fourth", "explicit"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        if name in damage:
            (file,) = (tmp_path / "cache" / "autotune").glob("*.json")
            file.write_text(damage[name])
        if name == "explicit":
            chosen = str(found[0][2]["channels_last"]).lower()
            words += [f"trainer.channels_last={chosen}", "trainer.compile=false"]
        result = osprey(*words)
        assert result.code == 0, result.err
        printed.append([x for x in result.out.splitlines() if x.startswith("tuned ")])
        found.append(outcome(tmp_path / name))
    state, rows, trainer = found[0]
    assert "auto" not in (trainer[key] for key in ("precision", "channels_last", "compile"))
    stored = json.loads((only_run(tmp_path / "first") / "autotune.json").read_text())
    assert stored["candidates"][0]["verdict"] == "admitted"
    assert stored["choice"]["channels_last"] == trainer["channels_last"]
    assert stored["machine"]["torch"] == torch.__version__
    assert [("remembered" in lines[0]) for lines in printed[:4]] == [False, True, False, False]
    assert printed[4] == []
    assert rows == found[4][1]
    assert state.keys() == found[4][0].keys()
    for key, value in state.items():
        assert torch.equal(value, found[4][0][key]), key


def test_a_short_run_is_not_tuned(here: Path, photos: Path, osprey: Any) -> None:
    result = osprey("train", "data=folder", f"data.root={photos}", *TUNED)
    assert result.code == 0, result.err
    assert "autotune skipped: " in result.out and "; channels_last float32\n" in result.out
    assert not (only_run(here) / "autotune.json").exists()
    trainer = yaml.safe_load((only_run(here) / "config.yaml").read_text())["trainer"]
    assert [trainer[key] for key in ("precision", "channels_last", "compile")] == [
        *("32-true", True, False)
    ]


@pytest.mark.parametrize("works", [True, False])
def test_compile_by_choice(
    works: bool, here: Path, photos: Path, osprey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def compiler(call: Any, **options: Any) -> Any:
        def compiled(images: torch.Tensor) -> Any:
            if not works:
                raise RuntimeError("no compiler here\nand more")
            calls.append(len(images))
            return call(images)

        return compiled

    monkeypatch.setattr(torch, "compile", compiler)
    words = ["trainer.compile=true", "callbacks.ema_decay=0.5", "trainer.max_epochs=1"]
    result = osprey("train", "data=folder", f"data.root={photos}", *TINY, *words)
    assert result.code == 0, result.err
    said = "compile trainer.compile does not work here, left out: no compiler here\n"
    assert (said in result.out) is not works
    state = outcome(here)[0]
    assert not any("_orig_mod" in key for key in state)
    assert bool(calls) is works


def hungry(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """A network that runs out of memory beyond ``most`` photos."""
    forward = SimpleCNN.forward

    def greedy(self: SimpleCNN, images: torch.Tensor) -> torch.Tensor:
        if len(images) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return forward(self, images)

    monkeypatch.setattr(SimpleCNN, "forward", greedy)


@pytest.mark.parametrize(
    ("batch", "accumulate", "most", "wanted"),
    [(32, 1, 16, (16, 2)), (32, 2, 5, (4, 16)), (10, 1, 4, (2, 5)), (8, 1, 8, (8, 1))],
)
def test_a_batch_that_does_not_fit(
    batch: int,
    accumulate: int,
    most: int,
    wanted: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hungry(monkeypatch, most)
    config = train_config(
        f"data.batch_size={batch}", f"trainer.accumulate={accumulate}", "data.eval_batch_size=64"
    )
    lines = fit_batch(make_task(), config.data, config.trainer, PLAIN, CPU, (32, 32))
    assert (config.data.batch_size, config.trainer.accumulate) == wanted
    assert config.data.eval_batch_size <= most < 2 * config.data.eval_batch_size
    if wanted != (batch, accumulate):
        assert lines[0].startswith(f"batch   {batch} does not fit in ")
        assert lines[0].endswith(
            f": {wanted[0]} x {wanted[1]} accumulated, the same {batch * accumulate} a step"
        )
    assert lines[-1].startswith("batch   64 to validate does not fit in ")


def test_other_errors_are_not_taken_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: SimpleCNN, images: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("a bug")

    monkeypatch.setattr(SimpleCNN, "forward", broken)
    config = train_config()
    with pytest.raises(RuntimeError, match="a bug"):
        fit_batch(make_task(), config.data, config.trainer, PLAIN, CPU, (32, 32))


def test_not_one_photo_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    hungry(monkeypatch, 0)
    config = train_config()
    with pytest.raises(ConfigError, match=r"^data.batch_size: not even one photo of 32 px fits"):
        fit_batch(make_task(), config.data, config.trainer, PLAIN, CPU, (32, 32))


@pytest.mark.slow
def test_the_whole_run_falls_back(
    here: Path, photos: Path, osprey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve_settings, "pays", lambda count, steps: True)
    hungry(monkeypatch, 4)
    words = ["train", "data=folder", f"data.root={photos}", "trainer.max_epochs=1"]
    result = osprey(*words, *TUNED[:-2], "callbacks.progress=false", "trainer.max_epochs=1")
    assert result.code == 0, result.err
    assert "8 does not fit in " in result.out and ": 4 x 2 accumulated, the same 8" in result.out
    config = yaml.safe_load((only_run(here) / "config.yaml").read_text())
    assert (config["data"]["batch_size"], config["trainer"]["accumulate"]) == (4, 2)
    assert config["data"]["eval_batch_size"] == 4
    result = osprey(*words, *TINY)
    assert result.code == 2
    assert result.err.startswith("osprey train: out of memory: lower data.batch_size (it is 8) ")
    assert result.err.count("\n") == 1
