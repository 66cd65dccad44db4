"""``osprey check`` and ``osprey demo``: the first two commands of a new user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import Result, only_run

from osprey.commands import check

Call = Callable[..., Result]


def lines(out: str) -> dict[str, tuple[str, str]]:
    """What was found, by what was looked at."""
    rows = [line.split(maxsplit=2) for line in out.splitlines()[:-1]]
    return {what: (state, text) for state, what, text in rows}


def test_a_machine_that_is_ready(here: Path, osprey: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("NETRC", str(here / "none"))
    monkeypatch.setenv("HOME", str(here))
    result = osprey("check")
    assert result.code == 0, result.out
    found = lines(result.out)
    assert {"python", "torch", "memory", "disk", "photos", "video", "wandb", "step"} <= set(found)
    assert found["photos"] == ("ok", "jpg, png, webp, tif, bmp are decoded")
    assert found["wandb"] == (
        "note",
        "offline with logger=wandb: no API key: set WANDB_API_KEY or run 'wandb login'",
    )
    assert result.out.endswith("\nready: osprey demo trains a first model\n")
    assert not list(here.iterdir()), "nothing is written"


def test_what_is_missing_is_named(
    here: Path, osprey: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check.os, "access", lambda *_: False)
    result = osprey("check")
    assert result.code == 1
    assert (
        f"missing  disk     cannot write to '{here}' (here): go to another folder\n" in result.out
    )
    assert result.out.endswith("\nsomething is missing: see above\n")

    def broken() -> None:
        raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr("osprey.imaging.read_image", lambda _, **__: broken())
    result = osprey("check")
    assert (
        "missing  photos   ImportError: libGL.so.1: cannot open shared object file\n" in result.out
    )


@pytest.mark.slow
def test_the_demo_names_a_photo_of_its_test(here: Path, osprey: Call) -> None:
    words = ["data.render_count=200", "data.size=32", "trainer.max_epochs=1"]
    more = ["model.options={width: 4}", "trainer.autotune=false", "data.num_workers=0"]
    result = osprey("demo", *words, *more)
    assert result.code == 0, result.err
    (line,) = (line for line in result.out.splitlines() if line.startswith("osprey predict"))
    photo = line.split()[3]
    run = only_run(here)
    tested = pd.read_csv(run / "predictions.csv")["path"].tolist()
    assert photo.startswith("data/harbour/") and photo.removeprefix("data/harbour/") in tested
    assert "with your own photos, a folder for each class:\n" in result.out
    assert osprey("demo", "data.rot=x").code == 2
    assert osprey("demo", "-m").err == (
        "osprey demo: -m goes with osprey train: the demo takes settings (key=value)\n"
    )
