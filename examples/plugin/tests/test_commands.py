"""The package in Osprey: what the README says, as it stands there."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import torch
import yaml
from conftest import TINY

README = Path(__file__).parents[1] / "README.md"
Call = Callable[..., str]


def only_run(folder: Path) -> Path:
    """The one run under ``folder``."""
    (config,) = folder.glob("runs/*/*/config.yaml")
    return config.parent


def test_the_recipe_uses_every_part(osprey: Call, survey: Path, tmp_path: Path) -> None:
    osprey("train", "experiment=survey", f"data.root={survey}", *TINY)
    run = only_run(tmp_path)
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["model"]["_target_"] == "reefkit.nets.ReefNet"
    state = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert any(key.endswith("stem.0.weight") for key in state)
    header = (run / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"val/gmean", "train/gradient_norm"} <= set(header)
    summary = json.loads((run / "summary.json").read_text())
    assert 0 <= summary["test"]["gmean"] <= 1


def test_the_commands_of_the_readme(osprey: Call, survey: Path, tmp_path: Path) -> None:
    lines = [line.strip() for line in README.read_text().splitlines() if line.startswith("    ")]
    typed = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("osprey ")]
    assert len(typed) == 5, typed
    photo = str(survey / "transect_0" / "0.png")
    for words in typed:
        places = {"data.root=SURVEY": f"data.root={survey}", "PHOTO": photo}
        words = [places.get(word, word) for word in words]
        out = osprey(*words, *(TINY if words[0] == "train" else ()))
        assert out.strip()
