"""Fine-tuning on clothing from the probe: minutes and accuracy. Not part of ``make bench``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from common import Row, finish, real_data, row
from probe import top1, train


def main() -> list[Row]:
    real_data("clothing")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        probing, probe = train(folder, "experiment=clothing_probe")
        tuning, tuned = train(folder, "experiment=clothing_finetune", "from=latest")
    minutes = (probing + tuning) / 60
    note = f"probe {top1(probe):.3f}"
    return [
        row("clothing fine-tuned, probe included", [minutes], "min", 10, at_most=True),
        row("clothing fine-tuned, test accuracy", [top1(tuned)], "top-1", 0.93, note=note),
    ]


if __name__ == "__main__":
    finish(main())
