"""A run goes on, or is tested, elsewhere: other devices, photos that were moved."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY, Result, make_photos, only_run, run_process

Call = Callable[..., Result]


@pytest.fixture
def moved(here: Path, osprey: Call) -> Path:
    """A working folder with a run whose photos have another folder now."""
    make_photos(here / "photos", per_class=12)
    words = ("data=folder", "data.root=photos", *TINY, "trainer.max_epochs=1")
    assert osprey("train", *words).code == 0
    (here / "photos").rename(here / "moved")
    return here


def test_photos_that_were_moved(moved: Path, osprey: Call) -> None:
    for words in (("eval", "run=latest"), ("train", "resume=latest", "trainer.max_epochs=2")):
        result = osprey(*words)
        assert result.code == 2
        assert result.err.startswith(
            f"osprey {words[0]}: the run's photos are not in '{moved}/photos' any more (no '"
        )
        assert result.err.endswith("name the folder they are in with data.root=FOLDER\n")
    assert (only_run(moved) / "summary.json").is_file(), "it is as finished as it was"
    result = osprey("train", "resume=latest", "trainer.max_epochs=2", "data.root=moved")
    assert result.code == 0, result.err
    assert json.loads((only_run(moved) / "summary.json").read_text())["epochs"]["trained"] == 2


@pytest.mark.slow
def test_on_other_devices(here: Path, photos: Path) -> None:
    words: list[str | Path] = ["train", "data=folder", f"data.root={photos}", *TINY]
    assert run_process([*words, "trainer.max_epochs=1"], here).code == 0
    result = run_process(
        ["train", "resume=latest", "trainer=ddp_sim", "trainer.max_epochs=2"], here
    )
    assert result.code == 0, result.err
    assert "CPU x 2" in result.out
    result = run_process(["train", "resume=latest", "trainer=ddp_sym"], here)
    assert result.code == 2 and "ddp_sim" in result.err and result.err.count("\n") == 1


def test_what_is_refused_is_explained(here: Path, osprey: Call) -> None:
    photos = make_photos(here / "photos", per_class=6)
    shutil.rmtree(photos / "red")
    shutil.rmtree(photos / "green")
    (photos / "notes.txt").write_text("mine")
    result = osprey("train", "data=folder", "data.root=photos", *TINY)
    assert result.code == 2
    assert result.out == "left out, not photos: 1 file such as 'photos/notes.txt'\n"
    assert result.err.startswith("osprey train: only one class, 'blue', in ")


@pytest.mark.slow
def test_where_a_recipe_s_data_can_be_had(here: Path, osprey: Call) -> None:
    (here / "none").mkdir()
    words = ("train", "experiment=clothing", "data.root=none/clothing", "model.pretrained=true")
    result = osprey(*words)
    assert (result.code, result.err) == (
        2,
        "osprey train: data.root: there is no folder 'none/clothing'; it can be had from "
        "github.com/alexeygrigorev/clothing-dataset (CC0): name its folder with data.root=FOLDER\n",
    )
    make_photos(here / "photos", per_class=4)
    for recipe, source in (
        ("clothing", "github.com/alexeygrigorev/clothing-dataset (CC0)"),
        ("blood_cells", "github.com/Shenggan/BCCD_Dataset (MIT)"),
    ):
        result = osprey("train", f"experiment={recipe}", "model.pretrained=none/w.pth")
        assert result.code == 2 and result.err.endswith(
            f"it can be had from {source}: name its folder with data.root=FOLDER\n"
        ), "before the weights' file is looked for"
        words = ("train", f"experiment={recipe}", "data.root=photos")
        result = osprey(*words, "model.pretrained=none/w.pth")
        assert (result.code, result.err) == (
            2,
            "osprey train: model.pretrained: there is no file 'none/w.pth'; model.pretrained=true "
            "downloads timm's own weights\n",
        )
    words = ("train", "experiment=clothing", "data.root=photos")
    result = osprey(*words, "model.pretrained=false")
    assert result.code == 2 and result.err.startswith(
        "osprey train: model.pretrained=false leaves random weights, which are neither held "
        "nor probed: add model.freeze_stages="
    )
    added = result.err.partition(": add ")[2].partition(",")[0].split()
    later = osprey(*words, "model.pretrained=false", *added, "name=a/b")
    line = "osprey train: name: 'a/b' cannot be a folder's name\n"
    assert later.err == line, "the one line named all that is to be changed"


def test_a_run_without_an_epoch_has_no_report(trained: Path, here: Path, osprey: Call) -> None:
    shutil.copytree(trained / "runs", here / "runs")
    run = only_run(here)
    (run / "summary.json").unlink()
    words = ("report", run)
    saved = f"run '{run}' is not finished, so there is nothing to report: "
    assert osprey(*words).err == f"osprey report: {saved}osprey train resume={run}\n"
    (run / "checkpoints" / "last.ckpt").unlink()
    result = osprey(*words)
    assert (result.code, result.err) == (
        2,
        f"osprey report: {saved}it has not finished an epoch: train anew\n",
    )


def test_names_that_a_submission_would_make_one(trained: Path, here: Path, osprey: Call) -> None:
    shutil.copytree(trained / "runs", here / "runs")
    photos = make_photos(here / "photos", per_class=2)
    for label in ("red", "blue"):
        shutil.copy(photos / label / f"{label}_00.png", photos / label / "a.png")
    words = ("predict", "--folder", "photos", "--output", "s.csv", "--format", "submission")
    result = osprey(*words)
    assert result.code == 2
    assert result.err.endswith(
        "osprey predict: --format submission names photos without their folders, and "
        "'photos/blue/a.png' and 'photos/red/a.png' would be one: use --format csv, or one folder "
        "at a time\n"
    )
    assert not (here / "s.csv").exists()
    (photos / "red" / "a.png").unlink()
    assert osprey(*words).code == 0
    with (here / "s.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 8
