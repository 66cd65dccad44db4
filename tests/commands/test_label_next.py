"""``osprey label-next``: what it chooses, writes, leaves out and refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from conftest import TINY, Result, make_photos
from fake_box_run import make_box_run
from hypothesis import given, settings
from hypothesis import strategies as some

from osprey.tasks.next_photos import AUDIT, UNCERTAIN, choose

Osprey = Callable[..., Result]


@settings(deadline=None, max_examples=40)
@given(some.integers(1, 80), some.integers(1, 60), some.integers(0, 3))
def test_each_photo_once(photos: int, count: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    given_ = draw.dirichlet(np.ones(3), photos).astype(np.float32)
    chosen = choose(draw.normal(size=(photos, 4)).astype(np.float32), given_, count, seed)
    rows = [row for row, _ in chosen]
    assert len(rows) == len(set(rows)) == min(photos, count)
    assert sum(why == AUDIT for _, why in chosen) == round(min(photos, count) * 0.1)
    assert chosen == choose_again(draw, photos, given_, count, seed)


def choose_again(
    draw: np.random.Generator, photos: int, given_: np.ndarray, count: int, seed: int
) -> list[tuple[int, str]]:
    draw = np.random.default_rng(seed)
    draw.dirichlet(np.ones(3), photos)
    return choose(draw.normal(size=(photos, 4)).astype(np.float32), given_, count, seed)


def test_uncertain_and_unlike_each_other() -> None:
    """Of ten heaps of the same photo, all as uncertain, one each; those it is sure of are left."""
    heaps = np.repeat(np.eye(10, dtype=np.float32), 5, axis=0)
    sure = np.tile(np.float32([[0.98, 0.01, 0.01]]), (50, 1))
    unsure = np.tile(np.float32([[0.4, 0.39, 0.21]]), (50, 1))
    features = np.concatenate([heaps, -heaps])
    chosen = choose(features, np.concatenate([unsure, sure]), 11)
    rows = [row for row, why in chosen if why == UNCERTAIN]
    assert len(rows) == 10 and max(rows) < 50
    assert len({row // 5 for row in rows}) >= 9  # the audit may have taken one of a heap's five


@pytest.fixture
def trained(here: Path, photos: Path, osprey: Osprey) -> Path:
    done = osprey("train", "data=folder", f"data.root={photos}", "model=simple_cnn", *TINY,
                  "trainer.max_epochs=1")  # fmt: skip
    assert done.code == 0, done.err
    return here


def test_the_command(trained: Path, photos: Path, osprey: Osprey) -> None:
    folder = make_photos(trained / "new photos", per_class=8, size=40, seed=7)
    shutil.copy(next(iter(sorted((photos / "red").iterdir()))), folder / "known.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    done = osprey("label-next", "--folder", folder, "--n", "10")
    assert done.code == 0, done.err
    assert "chosen  10 of 24 photos, 1 of them by chance" in done.out
    assert "left out, the run knows them: 1 photo\n" in done.out
    assert "left out, cannot be read: 1 photo, first" in done.out
    table = pd.read_csv(trained / "next" / "photos.csv", keep_default_na=False)
    assert len(table) == 10 and all((folder / path).is_file() for path in table["path"])
    assert table["why"].tolist() == ["uncertain"] * 9 + ["audit"]
    tasks = json.loads((trained / "next" / "label_studio.json").read_text())
    first = tasks[0]["predictions"][0]
    assert first["result"][0]["value"]["choices"] == [table["predicted"][0]]
    assert tasks[0]["data"]["path"] == table["path"][0], "the export's way back"
    assert tasks[0]["data"]["image"] == f"/data/local-files/?d={table['path'][0]}"
    setup = ElementTree.parse(trained / "next" / "label_studio.xml")
    assert [c.get("value") for c in setup.iter("Choice")] == ["blue", "green", "red"]

    # Labelled in the table, it is data to train with.
    table["label"] = table["path"].str.split("/").str[0]
    table.to_csv(trained / "labelled.csv", index=False)
    words = ["data=table", f"data.root={folder}", "data.file=labelled.csv", "data.classes=[blu]"]
    assert "no photo is labelled 'blu'" in osprey("train", *words).err

    table.to_csv(trained / "next" / "photos.csv", index=False)  # labels written in there are kept
    refused = osprey("label-next", "--folder", folder)
    assert refused.code == 2 and "Osprey does not know it as its own" in refused.err


def test_what_is_refused(trained: Path, photos: Path, osprey: Osprey) -> None:
    none = osprey("label-next", "--folder", photos)
    assert (none.code, none.err) == (
        2,
        f"osprey label-next: --folder: none of the 36 photos in '{photos}' is left to label: the "
        "run knows them, or they cannot be read\n",
    )
    (trained / "empty").mkdir()
    empty = osprey("label-next", "--folder", "empty")
    assert empty.err == "osprey label-next: --folder: there are no photos in 'empty'\n"
    gone = osprey("label-next", "--folder", "emty")
    assert gone.code == 2 and "did you mean 'empty'?" in gone.err
    inside = osprey("label-next", "--folder", photos, "--output", photos)
    assert inside.code == 2 and "is the folder of the photos, which is only read" in inside.err
    zero = osprey("label-next", "--folder", photos, "--n", "0")
    assert zero.err == "osprey label-next: --n: 0 is not a number of photos\n"
    run = make_box_run(trained / "runs" / "boxes" / "1", ["a", "b"], 6)
    assert osprey("label-next", run, "--folder", photos).code == 2
