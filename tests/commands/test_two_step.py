"""Where, then what: boxes with species, a label a photo, and figures beside those of one step."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import only_run

from osprey.errors import UnreadableImage
from osprey.imaging import read_image
from osprey.imaging.boxes import Detections
from osprey.imaging.cropping import cut
from osprey.pipelines.two_step import Recognised
from osprey.tasks.classification.predictor import Predictor
from osprey.tasks.detection.prediction import BoxPrediction


@pytest.fixture
def folder(detector: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with copies of both runs, under the names where and what."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(only_run(detector), tmp_path / "runs" / "boxes" / "where")
    shutil.copytree(only_run(trained), tmp_path / "runs" / "names" / "what")
    return tmp_path


STEPS = ("--detector", "boxes/where", "--classifier", "names/what")


def test_one_image(folder: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    photo = photos / "red" / "red_00.png"
    words = ("predict", "--image", photo, *STEPS, "--save-dir", "out", "--min-score")
    result = osprey(*words, "0")
    assert result.code == 0, result.err
    assert result.err.count("model: ") == 2
    record = json.loads(result.out)
    assert list(record) == ["file", "label", "score", "detections"]
    assert record["label"] == "red" and 0.4 < record["score"] <= 1
    classifier = Predictor(folder / "runs" / "names" / "what" / "checkpoints" / "best.ckpt")
    for box in record["detections"][:3]:
        x, y, w, h = box["box"]
        piece = cut(read_image(photo), np.array([x, y, x + w, y + h], np.float32), 0.1)
        p = classifier.probabilities(classifier.preprocess(piece)[None])[0]
        assert box["label"] == "fish"
        assert box["classifications"][0][0] == classifier.classes[int(p.argmax())]
        told = [score for _, score in box["classifications"]]
        assert told == sorted(told, reverse=True)
        assert told[0] == pytest.approx(float(p.max()), abs=0.05)
    assert (folder / "out" / "red_00.jpg").is_file()

    none = json.loads(osprey(*words, "1").out)
    assert (none["label"], none["score"], none["detections"]) == ("nothing", 0.0, [])
    whole = json.loads(osprey(*words, "1", "--full_image_fallback").out)
    p = classifier.probabilities(classifier.preprocess(read_image(photo))[None])[0]
    assert (whole["label"], whole["detections"]) == ("red", [])
    assert whole["score"] == pytest.approx(float(p.max()), abs=1e-5)


def test_folder(folder: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    inbox = folder / "inbox"
    shutil.copytree(photos / "blue", inbox / "blue")
    whole = (photos / "red" / "red_00.png").read_bytes()
    (inbox / "cut.png").write_bytes(whole[:500])
    words = ("predict", "--folder", inbox, *STEPS, "--min-score", "0", "--output")
    result = osprey(*words, "r.json")
    assert result.code == 0, result.err
    content = json.loads(Path("r.json").read_text())
    names = content["classification_categories"]
    assert set(names.values()) == {"blue", "green", "red"}
    made = {"detector": "boxes/where", "classifier": "names/what"}
    assert content["info"] == {"format_version": "1.6", **made}
    assert osprey(*words, "none.json", "--min-score", "1").code == 0
    none = json.loads(Path("none.json").read_text())
    assert none["classification_categories"] == names, "also where no box has any"
    images = {image["file"]: image for image in content["images"]}
    failed = images.pop("cut.png")
    assert failed["detections"] is None and "prediction" not in failed
    assert len(images) == 12
    for image in images.values():
        assert image["prediction"] == "blue" and 0 < image["prediction_score"] <= 1
        for box in image["detections"]:
            assert names[box["classifications"][0][0]] in names.values()
            scores = [score for _, score in box["classifications"]]
            assert scores == sorted(scores, reverse=True)
    assert osprey(*words, "r.csv", "--strict").code == 1
    with Path("r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["prediction"] for row in rows if not row["failure"]} == {"blue"}


def test_a_photo_taken_away_between_the_steps_fails_alone(
    folder: Path,
    photos: Path,
    osprey,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(path: Path, **_: object) -> np.ndarray:
        if path.name == "blue_03.png":
            raise UnreadableImage(f"{path}: no such file")
        return read_image(path)

    monkeypatch.setattr("osprey.tasks.detection.predictor._KEPT", 0)
    monkeypatch.setattr("osprey.pipelines.two_step.read_image", gone)
    words = ("predict", "--folder", photos / "blue", *STEPS, "--min-score", "0")
    assert osprey(*words, "--output", "r.json", "--strict").code == 1
    images = json.loads(Path("r.json").read_text())["images"]
    failed = [image for image in images if image["detections"] is None]
    assert [image["file"] for image in failed] == ["blue_03.png"] and len(images) == 12


def test_the_photos_label_weighs_boxes_by_their_score() -> None:
    boxes = np.array([[0, 0, 5, 5], [5, 5, 9, 9]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.1], np.float32), np.zeros(2, np.int64))
    p = np.array([[0.6, 0.4], [0.0, 1.0]], np.float32)
    answer = Recognised(BoxPrediction("a.jpg", 10, 10, found), p)
    assert answer.summary(["cod", "eel"]) == ("cod", pytest.approx(0.54))
    assert answer.species(["cod", "eel"])[1] == [("eel", 1.0), ("cod", 0.0)]


@pytest.mark.slow
def test_eval_beside_one_step(folder: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    words = ("eval", "run=names/what", "detector=boxes/where", "accelerator=cpu")
    result = osprey(*words, "nothing=blue", "full_image_fallback=true")
    assert result.code == 0, result.err
    evaluations = folder / "runs" / "names" / "what" / "evaluations"
    (written,) = evaluations.glob("two-step-where-test-*.json")
    stem = written.with_suffix("")
    figures = json.loads(stem.with_suffix(".json").read_text())
    one = json.loads((folder / "runs/names/what/summary.json").read_text())["test"]
    assert figures["n"] == one["n"] == 5
    assert figures["one_step"]["top1"] == pytest.approx(one["top1"])
    assert figures["one_step"]["macro_f1"] == pytest.approx(one["macro_f1"])
    with stem.with_suffix(".csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    right = sum(row["two_step"] == row["label"] for row in rows)
    assert figures["two_step"]["top1"] == pytest.approx(right / 5)
    lines = result.out.splitlines()
    assert lines[1].split() == ["class", "n", *(["precision", "recall", "F1"] * 2)]
    assert [line.split()[0] for line in lines[2:5]] == ["blue", "green", "red"]
    assert f"test    one step:   top-1 {one['top1']:.3f}" in result.out

    assert "nothing found on" not in result.out or "named as a whole" in result.out

    result = osprey(*words, "nothing=blu")
    assert (result.code, result.err) == (
        2,
        "osprey eval: nothing: no photo is labelled 'blu'; did you mean 'blue'?\n",
    )
    result = osprey("eval", "run=boxes/where", "detector=boxes/where")
    assert result.code == 2
    assert result.err == (
        "osprey eval: run: run 'runs/boxes/where' is a detector, not a classifier\n"
    )
    result = osprey("eval", "run=names/what", "full_image_fallback=true")
    assert result.code == 2
    assert result.err == (
        "osprey eval: full_image_fallback goes with two steps: name a detector's run with "
        "detector=RUN\n"
    )
    result = osprey(*words, "min_score=1")
    assert result.code == 0, result.err
    assert "test    nothing found on 5 photos: all wrong; if a class means that " in result.out
