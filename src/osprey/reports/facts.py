"""Read a run folder: everything a report is made of, and nothing else."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from omegaconf import OmegaConf

from osprey.errors import UserError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Keys of summary.json that have a place of their own in the report.
_SHOWN = {"name", "run", "task", "classes", "kin", "epochs", "minutes", "peak_memory_mb"}
_SHOWN |= {"temperature", "val", "test", "other_split"}


@dataclass(frozen=True)
class Predictions:
    """What the network said of one split.

    Attributes:
        split: ``test`` or ``val``.
        paths: The N samples, relative to the data's root.
        labels: int64 [N], the true class.
        predicted: int64 [N], the class with the highest probability.
        scores: float64 [N], that probability.
        p: float64 [N, C], tempered probabilities.
    """

    split: str
    paths: list[str]
    labels: Ints
    predicted: Ints
    scores: Floats
    p: Floats

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which answers are true, bool [N]."""
        result: NDArray[np.bool_] = self.predicted == self.labels
        return result


@dataclass(frozen=True)
class RunFacts:
    """A run folder's files, read.

    Attributes:
        config: Every setting.
        overrides: What was typed.
        environment: Versions and machine.
        summary: Every figure.
        manifest: Every sample with its split, all columns as text.
        metrics: One row an epoch; empty where no epoch was trained.
        shown: Predictions the report is about: of the test split, without one of validation.
        val: Predictions on validation, which thresholds are chosen on; None in an old run.
        unreadable: ``path, reason`` of the files left out.
        extras: What else the summary and autotune.json tell, by name.
    """

    folder: Path
    config: dict[str, Any]
    overrides: list[str]
    environment: dict[str, Any]
    summary: dict[str, Any]
    manifest: pd.DataFrame
    metrics: pd.DataFrame
    shown: Predictions
    val: Predictions | None
    unreadable: pd.DataFrame
    extras: dict[str, Any]

    @property
    def classes(self) -> list[str]:
        """Class names in the order of the network's outputs."""
        return cast("list[str]", self.summary["classes"])

    @property
    def figures(self) -> dict[str, Any]:
        """The summary's figures of the split that is shown."""
        return cast("dict[str, Any]", self.summary[self.shown.split])

    def plot(self, name: str) -> Any:
        """A JSON file of the folder ``plots``, or None."""
        return _json(self.folder / "plots" / name)

    def picture(self, name: str) -> str | None:
        """A JPEG of the run folder as a data URI, or None; names lead nowhere else."""
        file = self.folder / name
        if not file.resolve().is_relative_to(self.folder.resolve()) or not file.is_file():
            return None
        return "data:image/jpeg;base64," + base64.b64encode(file.read_bytes()).decode()


def read_run(folder: Path) -> RunFacts:
    """Read the run folder.

    Raises:
        UserError: The run is not tested yet, or a file it needs is missing or damaged.
    """
    if not (folder / "summary.json").is_file():
        raise UserError(
            f"run '{folder}' is not finished, so there is nothing to report: "
            f"osprey train resume={folder}"
        )
    try:
        return _read(folder)
    except UserError:
        raise
    except Exception as error:  # a damaged file fails in a dozen ways that mean one thing
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"run '{folder}' has a file that cannot be read: {why}") from None


def _read(folder: Path) -> RunFacts:
    summary = _json(folder / "summary.json")
    test = _predictions(folder / "predictions.csv", "test", summary) if "test" in summary else None
    val = _predictions(folder / "predictions_val.csv", "val", summary)
    shown = test or val
    if shown is None:
        name = "predictions.csv" if "test" in summary else "predictions_val.csv"
        raise UserError(
            f"run '{folder}' has no {name}: osprey train resume={folder} tests it again"
        )
    config = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
    return RunFacts(
        folder=folder,
        config=cast("dict[str, Any]", config),
        overrides=_lines(folder / "overrides.txt"),
        environment=_json(folder / "environment.json") or {},
        summary=summary,
        manifest=_table(folder / "manifest.csv"),
        metrics=_table(folder / "metrics.csv").apply(pd.to_numeric, errors="coerce"),
        shown=shown,
        val=val,
        unreadable=_table(folder / "unreadable.csv"),
        extras={
            **{key: value for key, value in summary.items() if key not in _SHOWN},
            **({"autotune": tuned} if (tuned := _json(folder / "autotune.json")) else {}),
        },
    )


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file() or not path.stat().st_size:
        return pd.DataFrame()
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _predictions(path: Path, split: str, summary: dict[str, Any]) -> Predictions | None:
    """A table of predictions; its columns say the class names, as the summary does."""
    if not path.is_file():
        return None
    classes = summary["classes"]
    text = dict.fromkeys(["path", "label", "predicted"], str)
    table = pd.read_csv(path, dtype=text, keep_default_na=False)
    p = table[[f"p:{name}" for name in classes]].to_numpy(np.float64)
    number = {name: i for i, name in enumerate(classes)}
    labels = table["label"].map(number).to_numpy(np.int64)
    best = p.argmax(axis=1)
    return Predictions(split, table["path"].tolist(), labels, best, p[np.arange(len(p)), best], p)
