"""Photos are known by their bytes: copies share a split, and no run is tested on what it learnt."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import TINY, Result, make_photos, only_run

TRAIN = ("train", "data=folder", "model=simple_cnn", *TINY, "trainer.max_epochs=1")


def manifest(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "manifest.csv", dtype=str, keep_default_na=False)


def refused(result: Result, program: str = "train") -> str:
    """The one line of a command that did nothing."""
    assert result.code == 2
    assert result.err.count("\n") == 1
    return result.err.removeprefix(f"osprey {program}: ").strip()


# ---------------------------------------------------------------- copies in one data set


def test_copies_share_a_split(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    root = make_photos(here / "set")
    for number in range(8):
        shutil.copy(root / "red" / f"red_{number:02d}.png", root / "red" / f"x_{number:02d}.png")
    result = osprey(*TRAIN, f"data.root={root}")
    assert result.code == 0, result.err
    assert (
        "8 photos are exact copies of others, first 'red/red_00.png' = 'red/x_00.png': copies "
        "share a split\n"
    ) in result.out
    table = manifest(only_run(here))
    assert table["sha256"].nunique() == 36 and len(table) == 44
    assert (table.groupby("sha256")["split"].nunique() == 1).all()
    again = osprey(*TRAIN, f"data.root={root}", "data.split_seed=5", "data.folds=4", "data.fold=2")
    assert again.code == 0, again.err
    newest = manifest(sorted(here.glob("runs/*/2*"))[-1])
    assert (newest.groupby("sha256")["split"].nunique() == 1).all()


def test_copies_that_the_users_own_split_separates_are_told(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    for seed, split in enumerate(("train", "val", "test")):
        make_photos(here / "set" / split, per_class=4, seed=seed)
    for number in range(2):
        source = here / "set" / "train" / "red" / f"red_{number:02d}.png"
        shutil.copy(source, here / "set" / "test" / "red" / f"x_{number:02d}.png")
    result = osprey(*TRAIN, "data.root=set")
    assert result.code == 0, result.err
    assert (
        "leaky split: 2 photos of val or test are also in another split, byte for byte, first "
        "'test/red/x_00.png' (test) = 'train/red/red_00.png' (train): figures will flatter; "
        "delete the copies, or cut a clean split with data.given_split=false\n"
    ) in result.out
    clean = osprey(*TRAIN, "data.root=set", "data.given_split=false", "name=clean")
    assert clean.code == 0, clean.err
    assert "2 photos are exact copies of others" in clean.out


@pytest.fixture
def torn(here: Path) -> Path:
    """36 photos, one of which is also in the folders of the two other classes."""
    root = make_photos(here / "set")
    for label in ("blue", "green"):
        shutil.copy(root / "red" / "red_03.png", root / label / "copy.png")
    return root


def test_one_photo_under_two_labels_is_refused(here: Path, torn: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert refused(osprey(*TRAIN, f"data.root={torn}")) == (
        "1 photo is under more than one label, byte for byte: 'blue/copy.png' (blue) = "
        "'green/copy.png' (green); correct the labels, leave all of them out with "
        "data.conflicts=drop, or train on them as they are with data.conflicts=keep"
    )
    assert not (here / "runs").exists()
    swept = osprey(*TRAIN, "-m", f"data.root={torn}", "seed=0,1")
    assert swept.code == 1, "as after any trial that failed"
    assert "1 photo is under more than one label" in swept.err
    assert refused(osprey(*TRAIN, f"data.root={torn}", "data.conflicts=dorp")) == (
        "data.conflicts: unknown 'dorp'; did you mean 'drop'? (one of refuse, drop, keep)"
    )


@pytest.mark.parametrize(("how", "left"), [("drop", 35), ("keep", 38)])
def test_or_left_out_or_kept(how: str, left: int, here: Path, torn: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey(*TRAIN, f"data.root={torn}", f"data.conflicts={how}")
    assert result.code == 0, result.err
    what = "1 photo is under more than one label, byte for byte"
    start = f"left out, {what}" if how == "drop" else f"{what}, kept"
    assert f"{start} (3 files): 'blue/copy.png' (blue) = 'green/copy.png' (green)\n" in result.out
    table = manifest(only_run(here))
    assert len(table) == left
    assert (table.groupby("sha256")["split"].nunique() == 1).all()


def test_a_second_run_reads_no_file_again(here: Path, osprey, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    root = make_photos(here / "set")
    assert osprey(*TRAIN, f"data.root={root}").code == 0
    monkeypatch.setattr("osprey.data.check._look_at", lambda path: pytest.fail(f"read {path}"))
    result = osprey(*TRAIN, f"data.root={root}", "name=again")
    assert result.code == 0, result.err
    first, second = (manifest(next(here.glob(f"runs/{n}/2*"))) for n in ("folder*", "again"))
    assert first.equals(second) and (first["sha256"].str.len() == 64).all()
