"""A detector of the user's own: trained, tested, asked; and what is no detector is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import TINY_BOXES, only_run

WORDS = [
    *("train", "task=detection", "data=harbour_boxes"),
    *(word for word in TINY_BOXES if not word.startswith(("model.", "trainer.limit"))),
    "trainer.limit_train_batches=6",
]


@pytest.mark.slow
def test_it_learns_and_answers(my_pkg: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    own = ["model._target_=my_pkg.detectors.ReefDetector", "+model.size=64", "optimizer.lr=1e-3"]
    result = osprey(*WORDS, *own)
    assert result.code == 0, result.err
    run = only_run(my_pkg)
    found = pd.read_csv(run / "predictions.csv")
    assert set(found["label"]) <= {"fish"} and len(found) > 0
    tested = json.loads((run / "summary.json").read_text())["test"]
    assert tested["boxes"] > 0 and tested["map"] >= 0

    root = Path(yaml.safe_load((run / "config.yaml").read_text())["data"]["root"])
    photo = root / pd.read_csv(run / "manifest.csv")["path"].iloc[0]
    words = ["predict", "--image", photo, "--run", run, "--min-score", "0", "--plugin", "my_pkg"]
    result = osprey(*words)
    assert result.code == 0, result.err
    assert json.loads(result.out)["detections"], "boxes of any score"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "my_pkg.nets.ReefNet",
            "model._target_: 'my_pkg.nets.ReefNet' has no losses(images, targets), which "
            "task=detection trains by (docs/extend.md)",
        ),
        (
            "my_pkg.wrong.NoBoxes",
            "model._target_: 'my_pkg.wrong.NoBoxes' answers a Tensor, not a list with boxes, "
            "scores and labels of each photo (docs/extend.md)",
        ),
    ],
)
def test_what_is_no_detector(my_pkg: Path, target: str, message: str, osprey) -> None:  # type: ignore[no-untyped-def]
    (my_pkg / "my_pkg" / "wrong.py").write_text(
        "from my_pkg.nets import ReefNet\n\n\nclass NoBoxes(ReefNet):\n"
        "    def losses(self, images, targets):\n        return {}\n"
    )
    result = osprey(*WORDS, f"model._target_={target}", "+model.width=4")
    assert (result.code, result.err) == (2, f"osprey train: {message}\n")
