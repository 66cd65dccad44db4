"""Ensembles: several finished runs that answer as one, in a run folder that needs none of them."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, make_photos
from helpers import train_config

from osprey.config.groups.model import FACTORIES
from osprey.ensembling.members import find_members
from osprey.errors import ConfigError
from osprey.inference.card import read_card
from osprey.runs.folder import RunFolder
from osprey.tasks.classification.predictor import Predictor

RUNS = {
    "first": ["seed=1"],
    "second": [
        *("seed=2", "model.options={width: 6}", "trainer.max_epochs=1"),
        *("data.mean=[0.3,0.4,0.5]", "data.std=[0.2,0.25,0.3]", "callbacks.ema_decay=0.5"),
    ],
    "larger": ["seed=3", "data.size=48", "trainer.max_epochs=1"],
    "cropped": ["seed=3", "data.resize=crop", "trainer.max_epochs=1"],
}


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished runs of different seeds, sizes and normalisation on the same split. Read only."""
    from osprey.commands import main

    folder = tmp_path_factory.mktemp("several")
    root = make_photos(folder / "photos", per_class=20)
    where = [f"paths.runs={folder / 'runs'}", f"paths.cache={folder / 'cache'}"]
    for name, words in RUNS.items():
        words = [*TINY, *words, *where, f"name={name}"]
        assert main(["train", "data=folder", f"data.root={root}", *words]) == 0
    return folder


@pytest.fixture
def work(several: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A copy of these runs, to be in."""
    shutil.copytree(several / "runs", tmp_path / "runs", symlinks=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OSPREY_CACHE", str(several / "cache"))
    return tmp_path


def run_of(name: str) -> Path:
    (run,) = Path("runs", name).iterdir()
    return run


def words_for(*names: str) -> list[str]:
    return ["model=ensemble", f"model.runs=[{','.join(str(run_of(name)) for name in names)}]"]


def check_bundle(osprey: Any, run: Path, photos: Path, tmp_path: Path) -> None:
    """The bundle that training left answers as the ensemble's checkpoint does."""
    card = read_card(run / "bundle")
    assert card.check["agreement"] == 1 and card.check["error"] < 1e-3
    asked = ("--folder", photos / "red", "--output")
    for words in (("predict", "--run", run), ("classify", "--model", run)):
        result = osprey(*words, *asked, tmp_path / f"{words[0]}.json")
        assert result.code == 0, result.err
    ours, theirs = (
        json.loads((tmp_path / f"{command}.json").read_text())
        for command in ("predict", "classify")
    )
    assert len(ours) == len(theirs) == 20
    for one, other in zip(ours, theirs, strict=True):
        assert (one["file"], one["label"]) == (other["file"], other["label"])
        assert one["score"] == pytest.approx(other["score"], abs=1e-4)


def combine(osprey: Any, names: list[str], *words: str) -> tuple[Path, dict[str, Any], str]:
    """Make an ensemble: its run folder, summary, and what was printed."""
    result = osprey("train", *words_for(*names), *words)
    assert result.code == 0, result.err
    run = run_of("folder-ensemble")
    return run, json.loads((run / "summary.json").read_text()), result.out


def table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


@pytest.mark.slow
def test_the_average_is_the_mean_of_the_predictions(work: Path, several: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    run, summary, out = combine(osprey, ["first", "second"])
    assert [row["weight"] for row in summary["ensemble"]["members"]] == [0.5, 0.5]
    files = [several / "photos" / path for path in table(run / "predictions.csv")]
    assert len(files) == summary["test"]["n"] > 0
    members = [table(run_of(name) / "predictions.csv") for name in ("first", "second")]
    predictor = Predictor(run / "checkpoints" / "best.ckpt")
    for file, found in zip(files, predictor.predict(files), strict=True):
        raw = torch.tensor(found.probabilities).double().log() * predictor.metadata.temperature
        path = file.relative_to(several / "photos").as_posix()
        own = torch.tensor(
            [[float(m[path][f"p:{c}"]) for c in summary["classes"]] for m in members]
        )
        torch.testing.assert_close(raw.softmax(0), own.double().mean(0), rtol=0, atol=1e-5)
    assert "model   ensemble of 2 runs, average, 0.02 M parameters, 32 x 32 px squash" in out
    assert "resume=" not in out and "finetune" not in out
    check_bundle(osprey, run, several / "photos", work)


@pytest.mark.slow
def test_it_needs_none_of_its_members(work: Path, several: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    run, summary, out = combine(osprey, ["larger", "first"])
    assert "48 x 48 px" in out, "the largest of all"
    check_bundle(osprey, run, several / "photos", work)
    photo = several / "photos" / "red" / "red_03.png"
    words = ("predict", "--verbose", "--run", run, "--image", photo)
    before = osprey(*words).out
    for name in RUNS:
        shutil.rmtree(f"runs/{name}")
    assert osprey(*words).out == before != ""
    result = osprey("eval", f"run={run}", "tta=dihedral")
    assert result.code == 0, result.err
    again = json.loads((run / "evaluations" / "best-test-dihedral.json").read_text())
    assert again["without_tta"]["macro_f1"] == pytest.approx(summary["test"]["macro_f1"])
    assert again["without_tta"]["log_loss"] == pytest.approx(summary["test"]["log_loss"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["weighted", "stacked"])
def test_members_and_ensemble_side_by_side(kind: str, work: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    run, summary, out = combine(osprey, ["first", "second", "larger"], f"model.combine={kind}")
    facts, val = summary["ensemble"], summary["val"]
    assert facts["combine"] == kind
    rows = facts["members"]
    card = read_card(run / "bundle")
    assert card.check["agreement"] == 1 and card.check["error"] < 1e-3
    assert [row["run"] for row in rows] == [str(run_of(n)) for n in ("first", "second", "larger")]
    for row in rows:
        weight = "     -" if kind == "stacked" else f"{row['weight']:6.3f}"
        line = f"{row['macro_f1']:>12.3f}  {row['log_loss']:>8.3f}  {weight}  {row['run']}"
        assert line in out.splitlines()
    notes = {"weighted": ", weights chosen on these photos", "stacked": ", cross-validated"}
    assert f"ensemble{notes.get(kind, '')}\n" in out
    if kind == "weighted":
        assert sum(row["weight"] for row in rows) == pytest.approx(1, abs=1e-5)
        best = min(row["log_loss"] for row in rows)
        assert val["uncalibrated"]["log_loss"] <= best + 1e-6
    elsewhere = val["macro_f1"] > max(row["macro_f1"] for row in rows)
    assert ("no better than its best member" in out) != elsewhere


def refusal(osprey: Any, *words: str) -> str:
    """The one line a command ends with that makes no run."""
    result = osprey("train", *words)
    assert result.code == 2
    assert not list(Path("runs").glob("*-ensemble/*"))
    assert result.err.count("\n") == 1
    text: str = result.err.removeprefix("osprey train: ")
    return text.strip()


def test_mistakes(work: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    few = "an ensemble needs 2 finished runs or more: model.runs=[RUN,RUN]"
    assert refusal(osprey, *words_for("first")) == few
    assert refusal(osprey, "model.runs=[a,b]") == "model.runs goes with model=ensemble"
    assert refusal(osprey, *words_for("first", "second"), "callbacks.averaging=swa") == (
        "callbacks.averaging=swa cannot be used with model=ensemble: nothing is trained"
    )
    first, cropped = run_of("first"), run_of("cropped")
    assert refusal(osprey, *words_for("first", "cropped")) == (
        f"model.runs: run '{cropped}' was trained with data.resize=crop, '{first}' with squash; "
        "the members of an ensemble see the same part of a photo"
    )


def members(*words: str) -> list[RunFolder]:
    config = train_config(*words)
    return find_members(config.model.runs, Path(config.paths.runs), config.task.name)


def unfit(*names: str) -> str:
    """What is wrong with these members."""
    with pytest.raises(ConfigError) as caught:
        members(*words_for(*names))
    return str(caught.value)


def test_runs_that_do_not_go_together(work: Path) -> None:
    first, second = run_of("first"), run_of("second")
    with pytest.raises(ConfigError) as caught:
        members("model=ensemble", f"model.runs=[first/{first.name[:-1]}x,a]")
    assert str(caught.value) == (
        f"model.runs: there is no run 'first/{first.name[:-1]}x'; "
        f"did you mean 'first/{first.name}'?"
    )
    assert unfit("first", "first") == f"model.runs: run '{first}' is named twice"

    run = RunFolder(second)
    run.write_json("summary.json", {"classes": ["blue", "green", "red", "violet"]})
    wrong = (
        f"model.runs: run '{first}' does not know the class 'violet' of '{second}'; the members "
        "of an ensemble have the same classes"
    )
    assert unfit("first", "second") == unfit("second", "first") == wrong

    config = run.load_config()
    config.model.target, config.model.runs = FACTORIES["ensemble"], ["a", "b"]
    run.save_config(config)
    assert unfit("first", "second") == (
        f"model.runs: run '{second}' is an ensemble itself: name its members (a, b)"
    )
    (second / "summary.json").unlink()
    assert unfit("first", "second") == (
        f"model.runs: run '{second}' is not finished: go on with osprey train resume={second}"
    )


def test_photos_a_member_learnt_from_are_no_test(work: Path, several: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    run = RunFolder(run_of("second"))
    manifest = run.load_manifest(str(several / "photos"))
    manifest.table["split"] = manifest.table["split"].replace({"test": "train", "train": "test"})
    run.save_manifest(manifest)
    text = refusal(osprey, *words_for("first", "second"))
    assert text.startswith(f"model.runs: '{run.path}' was trained on ")
    assert "of the photos now in val or test, first '" in text
