"""The committed recipe on the real photos and weights, in a small form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import only_run, real_data


@pytest.mark.real_data
@pytest.mark.slow
def test_clothing_recipe_runs(here: Path, monkeypatch: pytest.MonkeyPatch, osprey) -> None:  # type: ignore[no-untyped-def]
    clothing = real_data("clothing")
    real_data("..", "weights", "mobilenetv2_100.in1k.pth")
    monkeypatch.setenv("OSPREY_REAL_DATA", str(clothing.parent))
    result = osprey(
        *("train", "experiment=clothing", "data.overfit=32", "trainer.max_epochs=2"),
        *("data.size=96", "data.train_size=96", "data.num_workers=0"),
    )
    assert result.code == 0, result.err
    assert "left out, neither train, val nor test: kids" in result.out
    summary = json.loads((only_run(here) / "summary.json").read_text())
    assert len(summary["classes"]) == 10
    assert summary["test"]["top1"] > 0.8, "a pretrained network learns 32 photos by heart"


@pytest.mark.real_data
def test_the_given_split_leaks_by_sender(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    root = real_data("clothing")
    result = osprey(
        *("train", "data=table", f"data.root={root}", "data.file=attributes.csv"),
        *("data.columns.path=filepath", "data.columns.label=category"),
        *("data.filter={kids: 'False'}", "data.group=sender_id"),
    )
    assert result.code == 2
    assert result.err.startswith("osprey train: 113 of 312 groups straddle splits: ")
