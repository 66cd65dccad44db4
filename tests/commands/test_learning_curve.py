"""``osprey learning-curve``: sets, law and table, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import Result, make_photos
from hypothesis import given, settings
from hypothesis import strategies as some

from osprey.models.registry import ModelSpec, build
from osprey.tasks.learning_curve import line_of
from osprey.tasks.power_law import extrapolated

Osprey = Callable[..., Result]


@settings(deadline=None, max_examples=30)
@given(some.floats(0.05, 0.5), some.floats(0.2, 1.0))
def test_a_law_is_found_again(scale: float, exponent: float) -> None:
    """Figures that follow a power law lead to where it leads."""
    counts = np.array([100.0, 250, 500, 1000])

    def law(n: float) -> float:
        return 1 - scale * (n / 1000) ** -exponent

    figures = np.array([[max(law(n), 0.0) for n in counts]])
    if figures.min() > 0:
        (now,), (later,) = extrapolated(counts, figures, 2000.0)
        assert (now, later) == pytest.approx((law(1000), law(2000)), abs=0.02)


def test_a_line_says_what_it_does_not_know() -> None:
    """A class of few tested photos, one whose interval is wide, one that is known."""
    draws = np.tile(np.array([0.6, 0.7, 0.75, 0.8]), (40, 1))
    counts = np.array([10, 25, 50, 100])
    sure = line_of("hat", counts, 50, draws)
    assert sure.doubt == "" and sure.doubled is not None and 0.8 < sure.doubled.value < 0.9
    assert sure.gain is not None and 0.01 < sure.gain.value < sure.doubled.value - 0.78
    assert line_of("hat", counts, 4, draws).doubt == "tested on 4"
    spread = draws + np.linspace(-0.2, 0.2, 40)[:, None]
    assert line_of("hat", counts, 50, spread).doubt == "known to 0.19 alone"
    # What has only begun to rise follows no power law, and more photos do not make it worse.
    rising = np.tile(np.array([0.5, 0.55, 0.65, 0.9]), (40, 1)) + np.linspace(0, 0.01, 40)[:, None]
    assert line_of("hat", counts, 50, rising).doubled is None
    untested = line_of("hat", counts, 0, np.full((40, 4), np.nan))
    assert untested.points == [None] * 4 and untested.doubt == "tested on 0"
    two = line_of("hat", counts[:2], 50, draws[:, :2])
    assert two.doubled is None and two.gain is None


@pytest.fixture
def words(here: Path) -> list[str]:
    """Photos of three colours, an eighth of them labelled wrongly, and some backbone's weights."""
    photos = make_photos(here / "photos", per_class=40, size=32)
    red = sorted((photos / "red").iterdir())[:8]
    for number, file in enumerate(red):
        cv2.imwrite(str(photos / "blue" / f"wrong_{number}.png"), cv2.imread(str(file)))
        file.unlink()
    torch.manual_seed(0)
    spec = ModelSpec("simple_cnn", "simple_cnn", {"width": 8})
    torch.save(build(spec, 5).state_dict(), here / "backbone.pth")
    model = ["model=simple_cnn", "model.options={width: 8}", "model.pretrained=backbone.pth"]
    return ["learning-curve", "data=folder", "data.root=photos", *model, "data.size=32",
            "augmentation=none", "data.num_workers=0"]  # fmt: skip


def test_the_command(here: Path, osprey: Osprey, words: list[str]) -> None:
    done = osprey(*words, "fractions=[0.25,0.5,1]", "repeats=2")
    assert done.code == 0, done.err
    (folder,) = (here / "runs" / "learning-curve").iterdir()
    lines = json.loads((folder / "curve.json").read_text())
    assert [line["name"] for line in lines] == ["macro-F1", "blue", "green", "red"]
    whole = lines[0]
    assert whole["counts"][-1] == sum(line["counts"][-1] for line in lines[1:])
    assert whole["counts"] == sorted(whole["counts"]) and len(whole["points"]) == 3
    picture = cv2.imread(str(folder / "curve.png"))
    assert picture is not None and picture.std() > 5
    assert f"photos  macro-F1 (95% interval), tested on {whole['tested']} photos" in done.out
    assert f"{whole['counts'][-1]:>6}  {whole['points'][-1]['value']:.3f} (" in done.out
    assert f"{2 * whole['counts'][-1]:>6}  " in done.out and " expected" in done.out
    assert "too small to trust: tested on " in done.out  # of six photos a class
    assert not list((here / "runs").glob("probe*"))


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("fractions=[0.1,2]", "fractions: '[0.1,2]': each is above 0 and at most 1"),
        ("fractions=few", "fractions: 'few' is no list of numbers such as [0.1,0.5,1]"),
        ("repeats=0", "repeats: '0' is not a whole number from 1 to 100"),
        ("resume=latest", "learning-curve takes one configuration: no -m and no resume"),
    ],
)
def test_what_is_refused(here: Path, osprey: Osprey, word: str, line: str) -> None:
    done = osprey("learning-curve", "data=folder", "data.root=photos", word)
    assert (done.code, done.err) == (2, f"osprey learning-curve: {line}\n")


def test_a_detector_has_none(here: Path, osprey: Osprey) -> None:
    words = ["experiment=harbour_fish", "data.root=harbour", "data.render_count=200"]
    done = osprey("learning-curve", *words, "trainer.autotune=false", "data.num_workers=0")
    assert (done.code, done.err) == (
        2,
        "osprey learning-curve: a detector has no learning curve yet: it is for "
        "task=classification\n",
    )
