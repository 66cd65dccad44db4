"""One command from a folder of photos to a tested model: what it prints and what it leaves."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import pytest
from conftest import TINY, make_photos, only_run, run_process

from osprey.engine.callbacks.progress import Progress
from osprey.models.checkpoint import load_model


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_run_folder_is_whole(trained: Path) -> None:
    run = only_run(trained)
    names = {p.name for p in run.iterdir()}
    assert {
        *("config.yaml", "overrides.txt", "environment.json", "manifest.csv"),
        *("metrics.csv", "summary.json", "predictions.csv", "checkpoints"),
    } <= names
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert (trained / "runs" / "latest").resolve() == run.resolve()
    assert run.parent.name == "folder-simple_cnn"

    environment = json.loads((run / "environment.json").read_text())
    assert environment["packages"]["torch"] and len(environment["data_sha256"]) == 64
    assert "trainer.max_epochs=2" in (run / "overrides.txt").read_text().splitlines()
    assert [r["epoch"] for r in rows(run / "metrics.csv")] == ["1", "2"]


def test_summary_agrees_with_predictions(trained: Path) -> None:
    run = only_run(trained)
    summary = json.loads((run / "summary.json").read_text())
    predictions = rows(run / "predictions.csv")
    hits = sum(r["label"] == r["predicted"] for r in predictions)
    assert summary["test"]["n"] == len(predictions)
    assert summary["test"]["top1"] == pytest.approx(hits / len(predictions))
    for row in predictions:
        p = {c: float(row[f"p:{c}"]) for c in summary["classes"]}
        assert sum(p.values()) == pytest.approx(1, abs=1e-4)
        assert max(p, key=lambda c: p[c]) == row["predicted"]
    assert [r["label"] for r in summary["test"]["per_class"]] == ["blue", "green", "red"]
    assert summary["test"]["top1"] > 0.5, "three plain colours can be told apart"


def test_temperature_lives_in_the_checkpoint(trained: Path) -> None:
    run = only_run(trained)
    summary = json.loads((run / "summary.json").read_text())
    _, facts = load_model(run / "checkpoints" / "best.ckpt")
    assert facts.temperature == summary["temperature"] != 1.0
    assert facts.classes == ["blue", "green", "red"]


def test_eval_repeats_the_summary(trained: Path, monkeypatch: pytest.MonkeyPatch, osprey) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(trained)
    result = osprey("eval", "run=latest", "data.split=test")
    assert result.code == 0, result.err
    run = only_run(trained)
    summary = json.loads((run / "summary.json").read_text())
    again = json.loads((run / "evaluations" / "best-test.json").read_text())
    assert again == summary["test"]
    assert f"macro-F1 {summary['test']['macro_f1']:.3f}" in result.out


def test_eval_on_another_folder(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.chdir(trained)
    other = make_photos(tmp_path / "other", per_class=3, seed=9)
    result = osprey("eval", f"data.root={other}")
    assert result.code == 0, result.err
    assert "(n=9)" in result.out
    (other / "red").rename(other / "purple")
    result = osprey("eval", f"data.root={other}")
    assert result.code == 2
    assert result.err == (
        f"osprey eval: '{other}' has classes the model does not know: purple "
        "(it knows: blue, green, red)\n"
    )


def test_unreadable_files_are_listed_left_out_and_counted(
    here: Path,
    tmp_path: Path,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    root = make_photos(tmp_path / "photos", per_class=8)
    whole = (root / "red" / "red_00.png").read_bytes()
    (root / "red" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "blue" / "junk.jpg").write_text("no photo")
    (root / "notes.txt").write_text("mine")
    before = sorted(p.name for p in root.rglob("*"))
    result = osprey("train", "data=folder", f"data.root={root}", *TINY, "trainer.max_epochs=1")
    assert result.code == 0, result.err
    assert "left out, cannot be read: 2 files, listed in unreadable.csv" in result.out
    listed = rows(only_run(here) / "unreadable.csv")
    assert sorted(r["path"] for r in listed) == ["blue/junk.jpg", "red/cut.png"]
    used = {r["path"] for r in rows(only_run(here) / "manifest.csv")}
    assert len(used) == 24 and "red/cut.png" not in used
    assert sorted(p.name for p in root.rglob("*")) == before, "nothing is written to the photos"


OPTIONS = {
    "focal, mixes and averaging": [
        *("augmentation=heavy", "task.loss=focal", "callbacks.ema_decay=0.5"),
        *("trainer.accumulate=2", "trainer.gradient_clip=0.5"),
    ],
    "class-balanced, samplers, sgd": [
        *("task.loss=class_balanced", "data.sampler=balanced", "optimizer=sgd"),
        *("task.label_smoothing=0.1", "task.class_weights=sqrt", "scheduler=constant"),
    ],
    "folds, letterbox, bfloat16, layer decay": [
        *("data.folds=3", "data.fold=2", "data.resize=letterbox", "trainer.precision=bf16-mixed"),
        *("optimizer.layer_decay=0.7", "trainer.channels_last=false"),
    ],
    "workers, crop, smaller training size": [
        *("data.num_workers=2", "data.resize=crop", "data.train_size=24", "data.sampler=sqrt"),
    ],
    "debug=fast_dev_run": ["debug=fast_dev_run"],
    "debug=overfit": ["debug=overfit", "data.overfit=6", "trainer.max_epochs=1"],
    "debug=profile": ["debug=profile"],
    "logger=tensorboard": ["logger=tensorboard"],
}


@pytest.mark.parametrize("words", OPTIONS.values(), ids=OPTIONS)
def test_every_option_trains(words: list[str], here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    if "logger=tensorboard" in words:
        pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    result = osprey(
        "train", "data=folder", f"data.root={photos}", *TINY, "trainer.max_epochs=1", *words
    )
    assert result.code == 0, result.err
    (summary,) = here.glob("runs/**/summary.json")
    epochs = json.loads(summary.read_text())["epochs"]
    assert (epochs["trained"], epochs["best"], 0 <= epochs["error"] < 1) == (1, 1, True)
    if "debug=profile" in words:
        assert list(summary.parent.glob("*profile*.txt"))
        assert not (here / "runs" / "latest").exists(), "a debug run is nobody's newest model"
    if "logger=tensorboard" in words:
        assert list(summary.parent.glob("tensorboard/events*"))


def test_early_stopping_says_why(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey(
        *("train", "data=folder", f"data.root={photos}", *TINY, "optimizer.lr=0"),
        *("trainer.max_epochs=9", "callbacks.early_stopping=2"),
    )
    assert result.code == 0, result.err
    (line,) = [x for x in result.out.splitlines() if x.startswith("stopped early")]
    assert line.startswith(
        "stopped early after epoch 3: validation macro-F1 has not risen above 0."
    )
    assert line.endswith("(epoch 1) for 2 epochs (callbacks.early_stopping)")


def test_a_loss_that_left_the_numbers(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey(
        *("train", "data=folder", f"data.root={photos}", *TINY, "optimizer=sgd"),
        *("optimizer.lr=1e30", "trainer.gradient_clip=null", "optimizer.weight_decay=0.5"),
    )
    assert result.code == 2
    assert result.err.startswith("osprey train: ")
    assert " in epoch 1: lower optimizer.lr (it is 1e+30), or use trainer." in result.err
    assert result.err.endswith(
        ": lower optimizer.lr (it is 1e+30), or use trainer.precision=32-true\n"
    )


@pytest.mark.slow
def test_sweep_survives_a_bad_trial(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey(
        *("train", "-m", "data=folder", f"data.root={photos}", *TINY),
        *("trainer.max_epochs=1", "data.classes=[blue,green],[blue,red],[red]"),
    )
    assert result.code == 1
    assert "only one class, 'red', in " in result.err
    assert len(list(here.glob("runs/folder-simple_cnn/*/summary.json"))) == 2
    lines = result.out.splitlines()
    ranking = lines[lines.index("sweep, best first by validation macro-F1:") :]
    assert len(ranking) == 5 and ranking[3].startswith("  failed")
    assert ranking[-1].startswith("again:  osprey train data=folder")


def test_ctrl_c_ends_the_whole_sweep(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    def interrupt(self, trainer, module, outputs, batch, step):  # type: ignore[no-untyped-def]
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "on_train_batch_end", interrupt)
        result = osprey(
            *("train", "-m", "data=folder", f"data.root={photos}", *TINY),
            "optimizer.lr=1e-2,1e-3",
        )
    assert result.code == 130
    assert "to go on: osprey train resume=" in result.err
    assert only_run(here).parent.name == "folder-simple_cnn", "the second trial was not begun"


@pytest.mark.slow
def test_eval_says_its_own_lines_alone(trained: Path) -> None:
    """In a process of its own, where Lightning is imported by the command."""
    result = run_process(["eval", "run=latest", "data.split=val"], trained)
    assert (result.code, result.err) == (0, "")
    assert "GPU available" not in result.out and "Trainer" not in result.out
