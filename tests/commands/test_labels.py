"""``osprey labels``: planted mistakes are found, and a person's decisions are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import Result, make_photos

from osprey.models.registry import ModelSpec, build

pytest.importorskip("cleanlab", reason="the extra 'data-tools' is not installed")
Osprey = Callable[..., Result]
SMALL = ["data.size=32", "data.num_workers=0", "augmentation=none", "trainer.autotune=false",
         "callbacks.progress=false", "export=null", "paths.cache=cache"]  # fmt: skip


def _train(here: Path) -> None:
    """A probe of the photos in a folder."""
    from osprey.commands import main

    torch.manual_seed(0)
    spec = ModelSpec("simple_cnn", "simple_cnn", {"width": 8})
    torch.save(build(spec, 5).state_dict(), here / "backbone.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        words = ["train", "experiment=probe", "data=folder", "data.root=photos", "model=simple_cnn"]
        more = ["model.options={width: 8}", "model.pretrained=backbone.pth"]
        assert main([*words, *more, *SMALL]) == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A probe of photos of which five red ones are labelled blue and three green ones red."""
    here = tmp_path_factory.mktemp("labels")
    photos = make_photos(here / "photos", per_class=24, size=32)
    for label, wrong, count in (("red", "blue", 5), ("green", "red", 3)):
        for file in sorted((photos / label).iterdir())[:count]:
            file.rename(photos / wrong / f"planted_{file.name}")
    _train(here)
    return here


@pytest.fixture
def inside(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


def test_planted_mistakes_are_found_and_decided(inside: Path, osprey: Osprey) -> None:
    done = osprey("labels")
    assert (done.code, done.err) == (0, "")
    run = (inside / "runs" / "latest").resolve()
    file = run / "labels" / "suspects.csv"
    table = pd.read_csv(file, keep_default_na=False)
    planted = table["path"].str.contains("planted_")
    assert planted.sum() == 8 and planted[:8].all(), table
    red = table[table["path"] == "blue/planted_red_00.png"].iloc[0]
    assert (red["label"], red["suggested"], red["decision"]) == ("blue", "red", "")
    assert f"labels  {len(table)} of 72 photos to look at, by heads on frozen features" in done.out
    page = (run / "labels" / "suspects.html").read_text()
    assert page.count("data:image/jpeg") == len(table) and "looks like <b>red</b>" in page

    # Decisions: one each way, the others open.
    table.loc[table["path"] == "blue/planted_red_00.png", "decision"] = "red"
    table.loc[table["path"] == "blue/planted_red_01.png", "decision"] = "Drop"
    table.loc[table["path"] == "blue/planted_red_02.png", "decision"] = "keep"
    table.loc[table["path"] == "blue/planted_red_03.png", "decision"] = "pink"
    table.to_csv(file, index=False)
    before = file.read_bytes()
    refused = osprey("labels")
    assert refused.code == 2 and file.read_bytes() == before
    assert "is there already, and Osprey does not know it as its own" in refused.err
    done = osprey("labels", "--decisions", file, "--output", "manifest.csv")
    assert done.code == 0, done.err
    assert f"labels  2 changed, 1 dropped, 1 kept, {len(table) - 4} still open" in done.out
    assert "note    new classes: pink" in done.out and "wrote   manifest.csv: 71 photos" in done.out
    after = pd.read_csv(inside / "manifest.csv").set_index("path")
    assert after.loc["blue/planted_red_00.png", "label"] == "red"
    assert after.loc["blue/planted_red_02.png", "label"] == "blue"
    assert after.loc["blue/planted_red_03.png", "label"] == "pink"
    assert "blue/planted_red_01.png" not in after.index
    said = after["decision"].fillna("")
    assert said["blue/planted_red_02.png"] == "keep" and said["red/red_10.png"] == ""
    from osprey.commands.labels import _open
    from osprey.data.manifest import Manifest
    from osprey.tasks.suspects import LabelSuspect

    both = ("blue/planted_red_02.png", "red/red_10.png")
    suspects = [LabelSuspect(path, "train", "blue", "red", 0.1, 0.9) for path in both]
    left = _open(suspects, Manifest(inside, after.reset_index()))
    assert [each.path for each in left] == ["red/red_10.png"]  # what is decided is not asked again
    listed = osprey("train", "data=table", "data.root=photos", "data.file=manifest.csv",
                    "data.classes=[red,blu]")  # fmt: skip
    assert listed.err.startswith("osprey train: data.classes: no photo is labelled 'blu'")


def test_nothing_is_suspected(here: Path, osprey: Osprey) -> None:
    """Of clean labels: a table without rows, and nothing to do next."""
    make_photos(here / "photos", per_class=24, size=32)
    _train(here)
    done = osprey("labels")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("labels  0 of 72 photos to look at, by heads on frozen features")
    assert "next:" not in done.out
    folder = here / "runs" / "latest" / "labels"
    assert len(pd.read_csv(folder / "suspects.csv")) == 0
    assert "What to do" not in (folder / "suspects.html").read_text()


def test_tables_that_are_not_of_the_run(inside: Path, osprey: Osprey, tmp_path: Path) -> None:
    run = Path("runs") / "latest"
    for rows, line in (
        ("path,label\na.png,red\n", "has no column 'decision'"),
        ("path,label,decision\na.png,b,keep\na.png,b,drop\n", "has several rows for 'a.png'"),
        ("path,label,decision\na.png,red,keep\n", "is of another run: 'a.png' is not a photo of"),
        (
            "path,label,decision\nred/red_10.png,blue,keep\n",
            "is of another run: 'red/red_10.png' is red in",
        ),
    ):
        file = tmp_path / "decisions.csv"
        file.write_text(rows)
        done = osprey("labels", run, "--decisions", file, "--output", tmp_path / "out.csv")
        assert done.code == 2 and line in done.err and done.err.count("\n") == 1
        assert not (tmp_path / "out.csv").exists()
    done = osprey("labels", "--decisions", "x.csv")
    assert done.err == "osprey labels: --decisions and --output go together: name both files\n"
    done = osprey("labels", "--decisions", "x.csv", "--output", "y.csv")
    assert done.err == "osprey labels: --decisions: there is no file 'x.csv'\n"
