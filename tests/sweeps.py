"""What the tests of sweeps share: a tiny sweep's command line, and what it left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conftest import TINY

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

    from osprey.sweeping.study import JOURNAL

    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    return optuna.load_study(study_name=folder.name, storage=storage)
