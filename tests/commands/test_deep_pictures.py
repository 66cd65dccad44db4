"""Photos of more than 8 bits on pages, and settings that are dropped, both told as they are."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from osprey.commands import main
from osprey.commands.comparing.pictures import pictures_of
from osprey.errors import UnreadableImage
from osprey.imaging import decode
from osprey.tasks.specs import Panel


def brightness(uri: str) -> float:
    """The mean of a picture in a data URI."""
    return float(decode(base64.b64decode(uri.partition(",")[2])).mean())


def test_deep_photos_are_shown_in_the_range_of_their_run(tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    cv2.imwrite(str(file), np.full((20, 30), 2048, np.uint16))
    panel = Panel("photo")
    (dark,), (bright,) = pictures_of([file], [panel]), pictures_of([file], [panel], [[0, 4095]])
    assert brightness(dark) < 20
    assert 120 < brightness(bright) < 135
    cv2.imwrite(str(file), np.full((20, 30), 0.5, np.float32))
    with pytest.raises(UnreadableImage):
        pictures_of([file], [panel])
    assert 120 < brightness(pictures_of([file], [panel], [[0.0, 1.0]])[0]) < 135
    other = tmp_path / "b.png"  # the second run's place, of 8 bits
    cv2.imwrite(str(other), np.full((20, 30), 200, np.uint8))
    pictures = pictures_of([tmp_path / "gone.tif", other], [panel], [[0, 4095], None])
    assert 195 < brightness(pictures[0]) < 205


def test_a_group_chosen_anew_says_what_it_drops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "runs" / "fish" / "20260101-120000-abcd"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("task: {name: classification}\n")
    (run / "overrides.txt").write_text("data=folder\ndata.root=/p\ndata.size=64\nseed=1\n")
    changes = ["data=table", "data.root=/p", "data.file=t.csv"]
    assert main(["retrain", str(run), *changes, "--cfg", "job"]) == 0
    expected = "dropped data.size=64, as data is chosen anew: add what is to stay"
    assert capsys.readouterr().out.splitlines()[0] == expected
    assert main(["retrain", str(run), "seed=2", "--cfg", "job"]) == 0
    assert "dropped" not in capsys.readouterr().out
