"""``task=light`` of examples/plugin, from its wheel; its own tests resume it and sweep over it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import Result, only_run, run_process

Call = Callable[..., Result]
LEARN = [
    *("data.size=32", "data.batch_size=8", "data.num_workers=0", "augmentation=none"),
    *("trainer.max_epochs=2", "trainer.autotune=false", "callbacks.progress=false"),
]
TRAIN = ["train", "task=light", "data=survey", "model=reefnet", "model.width=4", *LEARN]
NOT_HERE = (
    "there is no task 'light' here: install the package that brings it, or add --plugin PACKAGE "
    "(plugins=[PACKAGE])\n"
)


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six transects of nine grey photos, each of its own light."""
    root = tmp_path_factory.mktemp("survey")
    draw = np.random.default_rng(0)
    for transect in range(6):
        folder = root / f"transect_{transect}"
        folder.mkdir()
        rows = []
        for number in range(9):
            light = draw.uniform(0.3, 1.0)
            pixels = 220 * light + draw.normal(0, 8, (40, 40, 3))
            cv2.imwrite(str(folder / f"{number}.png"), pixels.clip(0, 255).astype(np.uint8))
            species = ("clownfish", "parrotfish", "tang")[number % 3]
            rows.append({"file": f"{number}.png", "species": species, "light": round(light, 4)})
        pd.DataFrame(rows).to_csv(folder / "survey.csv", index=False)
    return root


@pytest.fixture(scope="session")
def measured(site: Path, survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with one finished run of the task in it, and what it printed. Read only."""
    folder = tmp_path_factory.mktemp("measured")
    result = run_process([*TRAIN, f"data.root={survey}"], folder, EXTRA_PATH=str(site))
    assert result.code == 0, result.err
    (folder / "out.txt").write_text(result.out)
    return folder


@pytest.fixture
def work(measured: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to change."""
    return Path(shutil.copytree(measured, tmp_path / "work", symlinks=True))


@pytest.fixture
def call(site: Path, work: Path) -> Call:
    """Call ``osprey WORDS...`` in the copy, with the package installed."""

    def run(*words: str | Path) -> Result:
        return run_process(list(words), work, EXTRA_PATH=str(site))

    return run


def summary_of(run: Path) -> dict:  # type: ignore[type-arg]
    return json.loads((run / "summary.json").read_text())  # type: ignore[no-any-return]


def test_it_trains_and_tests(measured: Path) -> None:
    run, out = only_run(measured), (measured / "out.txt").read_text()
    summary = summary_of(run)
    assert summary["task"] == "light" and summary["epochs"]["trained"] == 2
    for split, table in (("val", "predictions_val.csv"), ("test", "predictions.csv")):
        answers = pd.read_csv(run / table)
        manifest = pd.read_csv(run / "manifest.csv")
        expected = manifest[manifest["split"] == split]
        assert answers["path"].tolist() == expected["path"].tolist()
        np.testing.assert_allclose(answers["truth"], expected["light"], atol=1e-6)
        error = (answers["answer"] - answers["truth"]).abs().mean()
        assert summary[split]["mae"] == pytest.approx(error, abs=1e-6)
        assert summary[split]["n"] == len(expected)
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    assert min(float(row["val/mae"]) for row in rows) == pytest.approx(
        summary["val"]["mae"], abs=1e-4
    )
    assert f"test    mean error {summary['test']['mae']:.3f}, of the mean " in out
    assert "by validation mean error; " in out
    assert " predict --run " in out and "note" not in out


def test_its_network_has_one_output_and_loads_again(measured: Path) -> None:
    from osprey.models.checkpoint import metadata_of, read_checkpoint

    best = only_run(measured) / "checkpoints" / "best.ckpt"
    content = read_checkpoint(best)
    assert content["state_dict"]["model.head.bias"].shape == (1,)
    metadata = metadata_of(content, best)
    assert (metadata.num_outputs, metadata.classes) == (1, ["clownfish", "parrotfish", "tang"])


def test_it_tests_under_ddp_sim(call: Call, work: Path, survey: Path) -> None:
    """And with a network of Osprey's own."""
    words = ["train", "task=light", "data=survey", "model=simple_cnn", "model.options={width: 4}"]
    result = call(*words, *LEARN, f"data.root={survey}", "trainer=ddp_sim", "paths.runs=other")
    assert result.code == 0, result.err
    (run,) = (path.parent for path in work.glob("other/*/*/summary.json"))
    answers, summary = pd.read_csv(run / "predictions.csv"), summary_of(run)
    assert summary["test"]["n"] == len(answers) == answers["path"].nunique()
    error = (answers["answer"] - answers["truth"]).abs().mean()
    assert summary["test"]["mae"] == pytest.approx(error, abs=1e-6)


def test_eval_gives_the_same_figures(call: Call, work: Path) -> None:
    run = only_run(work)
    result = call("eval", "run=latest", "data.split=val")
    assert result.code == 0, result.err
    figures = json.loads((run / "evaluations" / "best-val.json").read_text())
    assert figures == summary_of(run)["val"]
    assert f"val     mean error {figures['mae']:.3f}, " in result.out


def test_it_predicts_one_photo_and_a_folder(call: Call, work: Path, survey: Path) -> None:
    run = only_run(work)
    tested = pd.read_csv(run / "predictions.csv").set_index("path")["answer"]
    photo = survey / tested.index[0]
    result = call("predict", "--run", run, "--image", photo)
    assert result.code == 0, result.err
    record = json.loads(result.out)
    assert record["file"] == str(photo)
    assert record["light"] == pytest.approx(tested.iloc[0], abs=2e-4)

    photos = work / "photos"
    photos.mkdir()
    shutil.copy(photo, photos / "a.png")
    (photos / "b.png").write_bytes(b"no photo")
    for name in ("o.csv", "o.json"):
        result = call("predict", "--folder", photos, "--output", name, "--strict")
        assert result.code == 1
        assert "1 photo could not be read, so without answer, first: " in result.err
    good, bad = json.loads((work / "o.json").read_text())
    assert good["light"] == record["light"]
    assert set(bad) == {"file", "failure"}
    rows = list(csv.DictReader((work / "o.csv").open()))
    assert [float(rows[0]["light"]), rows[1]["light"]] == [record["light"], ""]
    assert rows[1]["failure"] == bad["failure"]

    result = call("predict", "--image", photos / "b.png")
    assert (result.code, result.out) == (2, "")
    result = call("predict", "--folder", photos, "--output", "o.csv", "--format", "submission")
    assert result.err == (
        "osprey predict: --format submission is not for light (one of csv, json)\n"
    )


def test_it_reports_from_the_folder_alone(call: Call, work: Path) -> None:
    run = only_run(work)
    page = (run / "report.html").read_bytes()
    assert call("report", "latest", "--output", "again.html").code == 0
    assert (work / "again.html").read_bytes() == page
    assert "Largest errors" in page.decode()
    worst = pd.read_csv(run / "predictions.csv")
    worst = worst.loc[(worst["answer"] - worst["truth"]).abs().idxmax(), "path"]
    assert page.decode().index(worst) < page.decode().index("Made with")


def test_without_the_package_it_is_refused(work: Path, survey: Path) -> None:
    run, photo = only_run(work), survey / "transect_0" / "0.png"
    result = run_process(["predict", "--run", run, "--image", photo], work)
    assert (result.code, result.out, result.err) == (2, "", f"osprey predict: {NOT_HERE}")
    result = run_process(["report", str(run)], work)
    assert (result.code, result.err) == (2, f"osprey report: {NOT_HERE}")
    untrusted = (
        f"run '{run}' names reefkit.light_module.LitLight, which is not Osprey's: "
        "add --plugin reefkit (or plugins=[reefkit]) if you trust it\n"
    )
    result = run_process(["eval", f"run={run}"], work)
    assert (result.code, result.err) == (2, f"osprey eval: {untrusted}")


def test_an_ensemble_is_of_classifiers(call: Call, work: Path, survey: Path) -> None:
    run = only_run(work)
    words = ["train", "data=survey", f"data.root={survey}", "model=ensemble"]
    runs = f"model.runs=[{run},{run}]"
    result = call(*words, "task=light", runs)
    assert (result.code, result.err) == (
        2,
        "osprey train: model=ensemble is for task=classification: add task=classification\n",
    )
    result = call(*words, runs)
    assert (result.code, result.err) == (
        2,
        f"osprey train: model.runs: run '{run}' is a light meter, not a classifier\n",
    )


def test_a_column_that_is_not_there(call: Call, survey: Path) -> None:
    result = call(*TRAIN, f"data.root={survey}", "task.column=lihgt")
    assert result.code == 2
    assert result.err == (
        "osprey train: task.column: the table has no column 'lihgt'; did you mean 'light'?\n"
    )
