"""Read the files of a run folder that a report needs."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
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

TABLES = {"test": "predictions.csv", "val": "predictions_val.csv"}
# Keys of summary.json that have a place of their own in the report.
_SHOWN = {"name", "run", "task", "classes", "kin", "epochs", "minutes", "peak_memory_mb"}
_SHOWN |= {"temperature", "thresholds", "val", "test", "other_split", "trained_on"}


@dataclass(frozen=True)
class RunRecord:
    """The content of a run folder, for any task.

    Attributes:
        config: Every setting.
        overrides: Overrides of the command line.
        environment: Versions and machine.
        summary: Content of summary.json.
        split: The split of the report: ``test``, or ``val`` without one.
        manifest: Every sample with its split, all columns as text.
        metrics: One row per epoch; empty if no epoch was trained.
        unreadable: ``path, reason`` of the files left out.
        guesses: How the data were read where they could have been read otherwise, a line each.
        extras: Other entries of the summary and autotune.json, by name.
    """

    folder: Path
    config: dict[str, Any]
    overrides: list[str]
    environment: dict[str, Any]
    summary: dict[str, Any]
    split: str
    manifest: pd.DataFrame
    metrics: pd.DataFrame
    unreadable: pd.DataFrame
    guesses: list[str]
    extras: dict[str, Any]

    @property
    def classes(self) -> list[str]:
        """Class names in the order of the network's outputs."""
        return cast("list[str]", self.summary["classes"])

    @property
    def figures(self) -> dict[str, Any]:
        """The summary's metrics of the split shown."""
        return cast("dict[str, Any]", self.summary[self.split])

    def plot(self, name: str) -> Any:
        """Read a JSON file of the folder ``plots``.

        Args:
            name: Its name.

        Returns:
            Its content; None if it is missing.
        """
        return _json(self.folder / "plots" / name)

    def picture(self, name: str) -> str | None:
        """Read a JPEG of the run folder.

        Args:
            name: Its path in the folder.

        Returns:
            A data URI; None if it is missing or outside of the folder.
        """
        file = self.folder / name
        if not file.resolve().is_relative_to(self.folder.resolve()) or not file.is_file():
            return None
        return "data:image/jpeg;base64," + base64.b64encode(file.read_bytes()).decode()


def task_of(folder: Path) -> str:
    """The task of a finished run.

    Args:
        folder: The run folder.

    Returns:
        Name of the task; empty for runs of the first release.

    Raises:
        UserError: The run is not finished.
    """
    return str(_summary(folder).get("task", ""))


def read_run(folder: Path, *, predictions: bool = True) -> RunRecord:
    """Read the content of a run folder.

    Args:
        folder: ``runs/<name>/<stamp>``.
        predictions: Whether the split shown must have a table of predictions.

    Returns:
        The record.

    Raises:
        UserError: The run is not finished, or a table of predictions is missing.
    """
    summary = _summary(folder)
    config = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"), resolve=True)
    return RunRecord(
        folder=folder,
        config=cast("dict[str, Any]", config),
        overrides=_lines(folder / "overrides.txt"),
        environment=_json(folder / "environment.json") or {},
        summary=summary,
        split=_split(folder, summary, predictions),
        manifest=table(folder / "manifest.csv"),
        metrics=table(folder / "metrics.csv").apply(pd.to_numeric, errors="coerce"),
        unreadable=table(folder / "unreadable.csv"),
        guesses=list((_json(folder / "data.json") or {}).get("guesses", [])),
        extras={
            **{key: value for key, value in summary.items() if key not in _SHOWN},
            **({"autotune": tuned} if (tuned := _json(folder / "autotune.json")) else {}),
        },
    )


@contextmanager
def damage_in_one_line(folder: Path) -> Iterator[None]:
    """Turn any error while reading a run folder into one line.

    Args:
        folder: The run folder, for the message.

    Raises:
        UserError: A file of the folder cannot be read.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"run '{folder}' has a file that cannot be read: {why}") from None


def _summary(folder: Path) -> dict[str, Any]:
    if not (folder / "summary.json").is_file():
        saved = (folder / "checkpoints" / "last.ckpt").is_file()
        words = ["osprey", "train", f"resume={folder}"]
        remedy = shlex.join(words) if saved else "it has not finished an epoch: train anew"
        raise UserError(f"run '{folder}' is not finished, so there is nothing to report: {remedy}")
    return cast("dict[str, Any]", _json(folder / "summary.json"))


def _split(folder: Path, summary: dict[str, Any], predictions: bool) -> str:
    """The test split, or validation, as far as there is a table of it where there must be one."""
    for split in ("test", "val"):
        if split in summary and (not predictions or (folder / TABLES[split]).is_file()):
            return split
    predictions_of(folder, split := "test" if "test" in summary else "val")
    return split


def predictions_of(folder: Path, split: str) -> Path:
    """The table of a split's predictions.

    Raises:
        UserError: There is none.
    """
    file = folder / TABLES[split]
    if not file.is_file():
        remedy = f"osprey train resume={folder} tests it again"
        raise UserError(f"run '{folder}' has no {file.name}: {remedy}")
    return file


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def table(path: Path) -> pd.DataFrame:
    """Read a CSV file, all columns as text.

    Args:
        path: The file.

    Returns:
        The table; empty if there is no file.
    """
    if not path.is_file() or not path.stat().st_size:
        return pd.DataFrame()
    return pd.read_csv(path, dtype=str, keep_default_na=False)
