"""``cost.*``: estimates, limits, and what runs at the end; driven by the real commands."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import TINY, Result, only_run, osprey_process, run_process


def words(photos: Path, *more: str) -> list[str | Path]:
    kept = [w for w in TINY if w.partition("=")[0] not in {m.partition("=")[0] for m in more}]
    return ["train", "data=folder", f"data.root={photos}", *kept, *more]


def test_a_run_ends_at_its_limit_tested(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    limit = "cost.max_minutes=0.001"
    result = osprey(*words(photos, limit, "trainer.max_epochs=500", "cost.usd_per_hour=3"))
    assert result.code == 0, result.err
    assert "limit   cost.max_minutes=0.001 reached in epoch " in result.out
    summary = json.loads((only_run(here) / "summary.json").read_text())
    assert summary["epochs"]["trained"] < 500
    assert "test" in summary and summary["usd"] == pytest.approx(summary["minutes"] / 20, abs=1e-3)
    assert " USD\n" in result.out

    more = ["cost.max_minutes=null", f"trainer.max_epochs={summary['epochs']['trained'] + 1}"]
    again = osprey("train", "resume=latest", *more)
    assert again.code == 0, again.err
    assert "limit   " not in again.out


@pytest.mark.slow
def test_money_is_a_limit_too(here: Path, photos: Path, osprey: Callable[..., Result]) -> None:
    money = ["cost.max_usd=0.0001", "cost.usd_per_hour=6", "trainer.max_epochs=500"]
    result = osprey(*words(photos, *money))
    assert result.code == 0, result.err
    assert "limit   cost.max_usd=0.0001 reached in epoch " in result.out


def test_an_estimate_comes_before_the_time_is_spent(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    steps = ["data.batch_size=2", "cost.usd_per_hour=2", "trainer.max_epochs=2"]
    result = osprey(*words(photos, *steps))
    lines = result.out.splitlines()
    (told,) = (n for n, line in enumerate(lines) if line.startswith("time    about "))
    assert " of training, about 0.0" in lines[told] and lines[told].endswith(" USD")
    assert told < next(n for n, line in enumerate(lines) if line.startswith("epoch "))


@pytest.mark.parametrize(
    ("more", "code"),
    [([], 0), (["optimizer.lr=-1"], 2), (["data.root=nowhere"], 2), (["modl=x"], 2)],
)
def test_what_is_to_run_at_the_end_runs_however_it_ends(
    here: Path, photos: Path, osprey: Callable[..., Result], more: list[str], code: int
) -> None:
    command = "cost.on_end=echo $OSPREY_EXIT_CODE >> ended.txt"
    result = osprey(*words(photos, command, *more))
    assert result.code == code
    assert (here / "ended.txt").read_text() == f"{code}\n"
    assert "on end  echo $OSPREY_EXIT_CODE >> ended.txt\n" in result.out
    if not code:  # no file tells a later command what to run
        assert "on_end" not in yaml.safe_load((only_run(here) / "config.yaml").read_text())["cost"]
        assert osprey("train", "resume=latest", "trainer.max_epochs=3").code == 0
        assert (here / "ended.txt").read_text() == "0\n"


def test_a_run_folder_s_command_is_never_run(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    assert osprey(*words(photos)).code == 0
    file = only_run(here) / "config.yaml"
    file.write_text(file.read_text().replace("cost:\n", "cost:\n  on_end: touch owned\n"))
    assert osprey("train", "resume=latest", "trainer.max_epochs=3").code == 0
    assert osprey("retrain", "latest", "trainer.max_epochs=1").code == 0
    assert not (here / "owned").exists()


@pytest.mark.slow
def test_a_signal_too_is_an_end(here: Path, photos: Path) -> None:
    process = osprey_process(
        words(photos, "cost.on_end=echo $OSPREY_EXIT_CODE > ended", "trainer.max_epochs=2000"), here
    )
    while not list(here.glob("runs/*/*/checkpoints/last.ckpt")) and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 143, err
    assert (here / "ended").read_text() == "143\n"


def test_a_command_that_fails_is_a_line(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    result = osprey(*words(photos, "cost.on_end=exit 3"))
    assert result.code == 0
    assert "on end  'exit 3' ended with exit code 3\n" in result.err


@pytest.mark.slow
def test_a_sweep_ends_at_its_limit_and_goes_on(here: Path, photos: Path) -> None:
    pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")
    sweep = ["-m", "sweep=grid", "seed=0,1,2", "cost.max_minutes=1e-6"]
    first, *rest = words(photos, *sweep, "cost.on_end=echo x >> ended")
    result = run_process([first, *rest], here)
    assert result.code == 0, result.err
    why = "sweep ended: cost.max_minutes=1e-06 reached, 0 of 3 trials done; to go on: osprey train "
    assert result.err.startswith(f"{why}-m sweep.resume=runs/sweeps/")
    assert (here / "ended").read_text() == "x\n"
    small = ["cost.max_minutes=null", "cost.on_end=null"]
    again = run_process(["train", "-m", "sweep.resume=latest", *small], here)
    assert again.code == 0, again.err
    files = sorted(file.stem for file in here.glob("runs/sweeps/*/trials/*.json"))
    assert files == ["00000", "00001", "00002"]
    assert (here / "ended").read_text() == "x\n"


def test_a_limit_of_money_needs_a_price(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    result = osprey(*words(photos, "cost.max_usd=3"))
    assert (result.code, result.err) == (
        2,
        "osprey train: cost.max_usd needs to know what an hour costs: add cost.usd_per_hour\n",
    )
