"""``data=join`` by the commands: options by name, every refusal in one line, one training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import TINY, Result, make_photos, make_squares, only_run

Osprey = Callable[..., Result]


@pytest.fixture
def sets(here: Path) -> Path:
    """Two folders of photos, and a folder of config files that names one of them."""
    make_photos(here / "boats", per_class=10)
    make_photos(here / "reef", per_class=6, seed=1)
    (here / "marked").mkdir()
    make_squares(here / "marked")
    (here / "mine" / "data").mkdir(parents=True)
    (here / "mine" / "data" / "reef.yaml").write_text(
        "defaults: [folder]\nname: reef\nroot: reef\nsize: 64\n"
    )
    return here


BOATS = "{name: boats, reader: folder, root: boats}"


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ("[]", "data.sources is empty: name the sets to join, such as data.sources=[boats,reef]"),
        (
            "[{data: reef, clases: {red: RED}}]",
            "data.sources: 'reef' has an unknown setting 'clases'; did you mean 'classes'?",
        ),
        (
            "[{data: reef, batch_size: 3}]",
            "data.sources: 'reef' has batch_size, which a training has one of: set data.batch_size",
        ),
        (
            "[3]",
            "data.sources: 3 is no option of data: name one, or give a mapping such as "
            "{reader: folder, root: FOLDER}",
        ),
        ("[reff]", "data.sources: no data called 'reff'; did you mean 'reef'?"),
        (
            "[reef,{name: marked, reader: coco, root: marked, file: boxes.json}]",
            "data.sources: 'reef' has labels and 'marked' boxes: a training learns one of them, "
            "leave the others out",
        ),
        (
            "[{data: reef, classes: {red: null, blue: null, green: null}}]",
            "source 'reef': its classes map to nothing: all are null, leave the source out",
        ),
    ],
)
def test_what_cannot_be_joined_is_refused_in_one_line(
    osprey: Osprey, sets: Path, sources: str, said: str
) -> None:
    words = ["--config-dir", "mine", "data=join", f"data.sources={sources}"]
    done = osprey("train", *words)
    assert (done.code, done.err.splitlines()[-1]) == (2, f"osprey train: {said}")
    assert not (sets / "runs").exists()


def test_a_class_that_weighs_more_must_be_there(osprey: Osprey, sets: Path) -> None:
    words = ["data=folder", "data.root=boats", "task.class_weights={reed: 5}"]
    done = osprey("train", *words)
    said = "osprey train: task.class_weights: there is no class 'reed'; did you mean 'red'?"
    assert (done.code, done.err.splitlines()[-1]) == (2, said)
    assert not (sets / "runs").exists()


def test_class_weights_are_none_of_a_detectors(osprey: Osprey) -> None:
    words = ["task=detection", "model=fcos", "data=coco", "task.class_weights=sqrt"]
    done = osprey("train", *words)
    said = "task.class_weights is a setting of task=classification; for boxes data.sampler=balanced"
    assert (done.code, done.err.count(said)) == (2, 1)


@pytest.mark.slow  # a training of 8 s
def test_a_training_says_its_figures_a_source(osprey: Osprey, sets: Path) -> None:
    done = osprey(
        *("train", "--config-dir", "mine", "data=join", "model=simple_cnn", *TINY),
        f"data.sources=[{BOATS},{{data: reef, split: test, classes: {{green: null}}}}]",
        *("data.sampler=balanced", "data.balance_by=[source,label]", "data.test_fraction=0.2"),
        *("task.class_weights={red: 5}", "trainer.max_epochs=1"),
    )
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert any(line.startswith("source reef: its size=64 is not taken over") for line in lines)
    assert any(line.startswith("  boats  top-1") and line.endswith("(n=6)") for line in lines)
    assert any(line.startswith("  reef   top-1") and line.endswith("(n=12)") for line in lines)
    run = only_run(sets)
    test = json.loads((run / "summary.json").read_text())["test"]
    answers = pd.read_csv(run / "predictions.csv")
    answers["source"] = answers["path"].str.partition("/")[0]
    for name, part in answers.groupby("source"):
        own = test["by_source"][name]
        assert own["n"] == len(part)
        right = part["label"] == part["predicted"]
        assert own["top1"] == pytest.approx(right.mean())
        assert sum(map(sum, own["confusion"])) == len(part)
    page = (run / "report.html").read_text()
    assert "source: boats" in page and "source: reef" in page
    config = (run / "config.yaml").read_text()
    assert "name: reef\n" in config and "root: reef\n" in config
    again = osprey("eval")
    assert again.code == 0, again.err
    assert "  reef   top-1" in again.out
