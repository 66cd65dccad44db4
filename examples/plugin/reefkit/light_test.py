"""The test of task=light: Lightning's loop asks about each photo once, in one process or many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from osprey.config.schema import TrainConfig
from osprey.data.manifest import Manifest
from osprey.system.launcher import is_first
from osprey.tasks.evaluation import AnswerWriter, evaluate, load_for_testing
from reefkit.light_module import LitLight


class LightWriter(AnswerWriter[LitLight]):
    """Puts the answers beside the truth, and both into a table.

    Args:
        part: The photos of the split.
        column: Their column with the truth.
        predictions: The table to write.
    """

    figures: dict[str, float]

    def __init__(self, part: Manifest, column: str, predictions: Path) -> None:
        super().__init__()
        self.part = part
        self.column = column
        self.predictions = predictions

    def finish(self, module: LitLight, answers: Tensor) -> None:
        """Mean absolute error, and that of always answering the photos' own mean."""
        asked = self.part.table[: len(answers)]
        truth = asked[self.column].astype(float)
        table = pd.DataFrame({"path": asked["path"], "truth": truth, "answer": answers.numpy()})
        if is_first():
            table.to_csv(self.predictions, index=False)
        self.figures = {
            "n": len(table),
            "mae": float((table["truth"] - table["answer"]).abs().mean()),
            "mae_of_the_mean": float((truth - truth.mean()).abs().mean()),
        }


def test_checkpoint(
    checkpoint: Path, config: TrainConfig, manifest: Manifest, split: str, predictions: Path
) -> dict[str, Any]:
    """Figures of a checkpoint on a split."""
    module, settings = load_for_testing(checkpoint, config)
    column = str(config.task.args["column"])
    writer = LightWriter(manifest.split(split), column, predictions)
    evaluate(module, settings, manifest, split, writer)
    return writer.figures
