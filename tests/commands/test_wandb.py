"""Weights & Biases without key or network: offline by itself, one line, the same run on resume."""

from __future__ import annotations

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
    result = run_process(["train", "resume=latest", "trainer.max_epochs=2"], here, **quiet)
    assert result.code == 0, result.err
    ids = {p.name[-len(run.name) :] for p in (here / run / "wandb").glob("offline-run-*")}
    assert ids == {run.name}
