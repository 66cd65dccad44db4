"""A survey drawn for the tests, and a way to call Osprey's commands."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
COLOURS = {"clownfish": (230, 120, 40), "parrotfish": (40, 160, 150), "tang": (50, 70, 210)}
INSTALLED = any(point.name == "reefkit" for point in entry_points(group="osprey.plugins"))
TINY = [
    *("data.size=32", "data.batch_size=8", "data.num_workers=0", "trainer.max_epochs=2"),
    *("model.width=4", "trainer.autotune=false", "callbacks.progress=false"),
]


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six transects of nine photos, each species in its colour, each photo of its own light."""
    root = tmp_path_factory.mktemp("survey")
    draw = np.random.default_rng(0)
    for transect in range(6):
        folder = root / f"transect_{transect}"
        folder.mkdir()
        rows = []
        for number in range(9):
            species = list(COLOURS)[number % 3]
            light = draw.uniform(0.3, 1.0)
            pixels = light * np.array(COLOURS[species]) + draw.normal(0, 8, (40, 40, 3))
            name = f"{number}.png"
            cv2.imwrite(str(folder / name), pixels.clip(0, 255).astype(np.uint8)[..., ::-1])
            rows.append({"file": name, "species": species, "light": round(light, 4)})
        pd.DataFrame(rows).to_csv(folder / "survey.csv", index=False)
    return root


@pytest.fixture
def osprey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Call ``osprey WORDS...`` in an empty folder; what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OSPREY_CACHE", str(tmp_path / "cache"))

    from osprey.commands import main

    def call(*words: str) -> str:
        capfd.readouterr()
        if not INSTALLED:  # an installed plugin is found by itself
            options = words[0] in ("predict", "crop", "report")
            words += ("--plugin", "reefkit") if options else ("plugins=[reefkit]",)
        code = main(list(words))
        captured = capfd.readouterr()
        assert code == 0, captured.err
        return captured.out

    return call
