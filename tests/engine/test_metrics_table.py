"""``metrics.csv``: what it says of an epoch."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from osprey.engine.callbacks.progress import MetricsTable


def test_the_rate_is_the_head_s_where_rates_are_by_layer(tmp_path: Path) -> None:
    layers = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (1e-4, 3e-4)]
    trainer: Any = SimpleNamespace(
        is_global_zero=True,
        current_epoch=0,
        global_step=5,
        optimizers=[torch.optim.SGD(layers)],
        callback_metrics={},
    )
    table = MetricsTable(tmp_path / "metrics.csv")
    table.on_train_epoch_end(trainer, None)  # type: ignore[arg-type]
    assert [row["lr"] for row in table.rows()] == ["0.0003"]
