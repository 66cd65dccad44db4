"""Interrupted by Ctrl-C, SIGTERM or kill -9, a run goes on as if nothing had happened."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path

import pytest
import torch
from conftest import TINY, make_photos, only_run, osprey_process, run_process

from osprey.training.callbacks import Progress

WORDS = [
    *TINY,
    "augmentation=light",
    "callbacks.ema_decay=0.9",
    "trainer.max_epochs=4",
    "data.batch_size=4",
]


def metrics(run: Path) -> list[dict[str, float]]:
    with (run / "metrics.csv").open(newline="") as file:
        return [
            {k: float(v) for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)
        ]


def assert_same(run: Path, reference: list[dict[str, float]], *, but: set[str]) -> None:
    """``but``: what an epoch cut in two cannot show, such as its mean training loss."""
    found = metrics(run)
    assert [r["epoch"] for r in found] == [1, 2, 3, 4]
    for row, expected in zip(found, reference, strict=True):
        for key in expected.keys() - but:
            assert row[key] == pytest.approx(expected[key], abs=1e-6), (row["epoch"], key)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, float]]]:
    """Photos, and the figures of a run left alone."""
    from osprey.commands import main

    folder = tmp_path_factory.mktemp("whole")
    photos = make_photos(folder / "photos", per_class=20)
    runs = [f"paths.runs={folder / 'runs'}", f"paths.cache={folder / 'cache'}"]
    assert main(["train", "data=folder", f"data.root={photos}", *WORDS, *runs]) == 0
    return photos, metrics(only_run(folder))


@pytest.mark.parametrize("place", [(1, 4), (2, 0), (2, 9)], ids=str)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_goes_on_exactly(
    place: tuple[int, int],
    number: signal.Signals,
    code: int,
    here: Path,
    uninterrupted: tuple[Path, list[dict[str, float]]],
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    """A real signal at a known step, so that the test depends on no clock."""
    photos, reference = uninterrupted
    count = Progress.on_train_batch_end

    def interrupt(self, trainer, module, outputs, batch, step):  # type: ignore[no-untyped-def]
        count(self, trainer, module, outputs, batch, step)
        if (trainer.current_epoch, step) == place:
            os.kill(os.getpid(), number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "on_train_batch_end", interrupt)
        result = osprey("train", "data=folder", f"data.root={photos}", *WORDS)
    assert result.code == code, result.err
    run = only_run(here)
    assert not (run / "summary.json").exists()
    assert result.err.splitlines() == [
        "stopping after this step, to save last.ckpt ...",
        f"stopped, state saved; to go on: osprey train resume={run.relative_to(here)}",
    ]
    result = osprey("train", "resume=latest")
    assert result.code == 0, result.err
    assert only_run(here) == run, "resuming goes on in the same run folder"
    # The mean training loss of an epoch cut in two is that of its second part.
    assert_same(run, reference, but={"train/loss"})


def test_kill_9_loses_at_most_the_epoch(
    here: Path, uninterrupted: tuple[Path, list[dict[str, float]]]
) -> None:
    photos, reference = uninterrupted
    process = osprey_process(["train", "data=folder", f"data.root={photos}", *WORDS], here)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch   2/4"):
            break
    process.kill()
    process.communicate(timeout=120)
    run = only_run(here)
    (last,) = (run / "checkpoints").glob("last.ckpt")
    done = torch.load(last, weights_only=True)["epoch"] + 1
    assert done >= 1, "the line of epoch 2 is printed as its checkpoint is about to be written"
    result = run_process(["train", "resume=latest"], here)
    assert result.code == 0, result.err
    assert_same(run, reference, but=set())


def test_more_epochs_on_a_finished_run(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey("train", "data=folder", f"data.root={photos}", *TINY).code == 0
    result = osprey("train", "resume=latest", "trainer.max_epochs=3")
    assert result.code == 0, result.err
    assert [row["epoch"] for row in metrics(only_run(here))] == [1, 2, 3]
    assert "goes on from last.ckpt" in result.out


def test_what_cannot_change(trained: Path, monkeypatch: pytest.MonkeyPatch, osprey) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(trained)
    result = osprey("train", "resume=latest", "model=resnet18")
    assert result.code == 2
    assert result.err == (
        "osprey train: resume goes on with a run as it was: 'model' cannot be exchanged, only "
        "single values such as trainer.max_epochs=30; to start anew leave resume out\n"
    )
    result = osprey("train", "resume=latest", "trainer.max_epoch=9")
    assert result.code == 2
    assert "unknown setting 'trainer.max_epoch'; did you mean 'trainer.max_epochs'?" in result.err
    result = osprey("train", "resume=nowhere")
    assert result.err == (
        "osprey train: there is no run 'nowhere'; name a folder below 'runs', or latest\n"
    )
