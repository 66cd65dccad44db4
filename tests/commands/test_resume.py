"""Interrupted by Ctrl-C, SIGTERM or kill -9, a run goes on as if nothing had happened."""

from __future__ import annotations

import csv
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from conftest import TIMES, TINY, make_photos, only_run, osprey_process, run_process

from osprey.engine.callbacks.progress import Progress
from osprey.runs.folder import RunFolder

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
            {k: float(v) for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)
        ]


def assert_same(run: Path, reference: list[dict[str, float]]) -> None:
    """Every figure, the mean training loss of an epoch cut in two included."""
    found = metrics(run)
    assert [r["epoch"] for r in found] == [1, 2, 3, 4]
    for row, expected in zip(found, reference, strict=True):
        for key in expected:
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
    assert_same(run, reference)


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
    assert_same(run, reference)


def test_more_epochs_on_a_finished_run(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey("train", "data=folder", f"data.root={photos}", *TINY).code == 0
    result = osprey("train", "resume=latest", "trainer.max_epochs=3")
    assert result.code == 0, result.err
    assert [row["epoch"] for row in metrics(only_run(here))] == [1, 2, 3]
    assert "goes on from last.ckpt" in result.out


def epoch_of(checkpoint: Path) -> int:
    return int(torch.load(checkpoint, weights_only=True)["epoch"]) + 1


def test_last_is_saved_without_a_new_best_and_best_survives_a_move(
    here: Path,
    photos: Path,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    """Epochs that tie: `best` stays the first, `last` moves on, in another folder too."""
    words = ["train", "data=folder", f"data.root={photos}", *TINY, "optimizer.lr=0"]
    assert osprey(*words, "callbacks.checkpoint_rule=highest").code == 0
    run = only_run(here) / "checkpoints"
    assert (epoch_of(run / "best.ckpt"), epoch_of(run / "last.ckpt")) == (1, 2)
    (here / "runs" / "folder-simple_cnn").rename(here / "runs" / "moved")
    assert osprey("train", "resume=latest", "trainer.max_epochs=3").code == 0
    run = only_run(here) / "checkpoints"
    assert run.parts[-3] == "moved"
    assert (epoch_of(run / "best.ckpt"), epoch_of(run / "last.ckpt")) == (1, 3)


def test_one_process_a_run(here: Path, trained: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    runs = here / "runs"
    shutil.copytree(trained / "runs", runs, symlinks=True)
    run = only_run(here).relative_to(here)
    with RunFolder(run).held():
        result = osprey("train", "resume=latest", "trainer.max_epochs=3")
    assert (result.code, result.err) == (
        2,
        f"osprey train: run '{run}' is being trained by another process\n",
    )


def test_early_stopping_on_resume(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    words = ["train", "data=folder", f"data.root={photos}", *TINY, "optimizer.lr=0"]
    result = osprey(*words, "trainer.max_epochs=9", "callbacks.early_stopping=1")
    assert "stopped early after epoch 2" in result.out
    result = osprey("train", "resume=latest", "trainer.max_epochs=3", "callbacks.early_stopping=5")
    assert result.code == 0, result.err
    assert "stopped early" not in result.out
    assert [row["epoch"] for row in metrics(only_run(here))] == [1, 2, 3]


CHANGEABLE = (
    "(these can: trainer.max_epochs, trainer.accelerator, trainer.devices, trainer.strategy, "
    "data.num_workers, data.eval_batch_size, data.cache, data.root, plugins, "
    "callbacks.early_stopping, callbacks.progress, export, logger., paths., cost.); to start anew "
    "leave resume out"
)
REFUSED = {
    "model=resnet18": f"'model' cannot be changed {CHANGEABLE}",
    "optimizer.lr=0.5": f"'optimizer.lr' cannot be changed {CHANGEABLE}",
    "trainer.max_epoch=9": (
        "'trainer.max_epoch' cannot be changed; did you mean 'trainer.max_epochs'? " + CHANGEABLE
    ),
}


def test_what_cannot_change(trained: Path, monkeypatch: pytest.MonkeyPatch, osprey) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(trained)
    run = only_run(trained)
    before = (run / "config.yaml").read_bytes()
    for word, message in REFUSED.items():
        result = osprey("train", "resume=latest", word)
        expected = f"osprey train: resume goes on with a run as it was: {message}\n"
        assert (result.code, result.err) == (2, expected)
    for word, message in {
        "resume=nowhere": "there is no run 'nowhere'; name a folder below 'runs', or latest",
        "trainer.max_epochs=3,4": (
            "resume goes on with one run: give 'trainer.max_epochs' one value"
        ),
        "trainer.max_epochs=x": "trainer.max_epochs: 'x' is not a whole number",
    }.items():
        words = [word] if word.startswith("resume") else ["resume=latest", word]
        result = osprey("train", *words)
        assert (result.code, result.err) == (2, f"osprey train: {message}\n")
    assert (run / "config.yaml").read_bytes() == before, "a refused change changes nothing"
    assert (run / "summary.json").exists()


def test_no_fewer_epochs_than_there_were(here: Path, trained: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    """Refused before the run's own files are touched, also where its checkpoint is damaged."""
    shutil.copytree(trained / "runs", here / "runs", symlinks=True)
    run = only_run(here)
    begun = epoch_of(run / "checkpoints" / "last.ckpt")
    files = {path: path.read_bytes() for path in (run / "config.yaml", run / "summary.json")}
    result = osprey("train", "resume=latest", "trainer.max_epochs=1")
    where = run.relative_to(here)
    assert begun == 2 and (result.code, result.err) == (
        2,
        f"osprey train: trainer.max_epochs=1: run '{where}' has begun 2 epochs: give 2 or more, or "
        "leave it out\n",
    )
    (run / "checkpoints" / "last.ckpt").write_bytes(b"cut off")
    result = osprey("train", "resume=latest", "trainer.max_epochs=3")
    assert result.code == 2 and f"checkpoint '{where}/checkpoints/last.ckpt' is damaged" in (
        result.err
    )
    assert {path: path.read_bytes() for path in files} == files
