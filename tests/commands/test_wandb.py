"""Weights & Biases without key or network: offline by itself, one line, the same run on resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import TINY, only_run, run_process


@pytest.mark.slow
def test_offline_by_itself(here: Path, photos: Path) -> None:
    words = ["train", "data=folder", f"data.root={photos}", *TINY, "trainer.max_epochs=1"]
    quiet = {"WANDB_API_KEY": "", "HOME": str(here), "NETRC": str(here / "none")}
    result = run_process([*words, "logger=wandb"], here, **quiet)
    assert result.code == 0, result.err
    run = only_run(here).relative_to(here)
    assert (
        "wandb   offline (no API key: set WANDB_API_KEY or run 'wandb login'); to upload later: "
        f"wandb sync {run}/wandb/offline-run-*"
    ) in result.out.splitlines()
    (folder,) = (here / run / "wandb").glob("offline-run-*")
    assert folder.name.endswith(run.name), "the run's stamp is its id, also on resume"
    _holds_the_test(here / run, folder)
    result = run_process(["train", "resume=latest", "trainer.max_epochs=2"], here, **quiet)
    assert result.code == 0, result.err
    ids = {p.name[-len(run.name) :] for p in (here / run / "wandb").glob("offline-run-*")}
    assert ids == {run.name}


def _holds_the_test(run: Path, folder: Path) -> None:
    """Pictures, table, figures and checkpoint went into the run that training had opened."""
    media = folder / "files" / "media"
    assert list(media.glob("images/batch_*.jpg"))
    gallery = json.loads((run / "plots" / "gallery.json").read_text())["photos"]
    doubtful = [photo for photo in gallery if photo["kind"] == "doubtful"]
    pictures = list(media.glob("images/gallery/most_doubtful_*.jpg"))
    assert len([p for p in pictures if "_cam_" not in p.name]) == len(doubtful) > 0
    assert len(pictures) == 2 * len(doubtful)
    (page,) = media.glob("html/confusion_*.html")
    assert "Confusion matrix of 3 classes" in page.read_text(encoding="utf-8")
    summary = json.loads((run / "summary.json").read_text())
    (table,) = media.glob("table/test/predictions_*.table.json")
    content = json.loads(table.read_text())
    assert content["columns"] == ["path", "label", "predicted", "score"]
    assert len(content["data"]) == summary["test"]["n"]
    (log,) = folder.glob("*.wandb")
    record = log.read_bytes()
    assert f"model-{run.name}".encode() in record, "the best checkpoint is an artifact"
    assert b"test/macro_f1" in record
