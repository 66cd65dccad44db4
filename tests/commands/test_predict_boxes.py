"""Predict with a detector: boxes in pixels, drawn pictures, failures that are no empty lists."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import only_run

from osprey.data.formats import read_annotations
from osprey.errors import UnreadableImage
from osprey.tasks.detection.prediction import BoxPrediction
from osprey.tasks.detection.predictor import BoxPredictor


@pytest.fixture
def inbox(detector: Path, tmp_path: Path) -> Path:
    """Twins in name, a photo lying on its side, a truncated one, and one deeper down."""
    first, second, third = sorted((detector / "harbour" / "images").rglob("*.jpg"))[:3]
    inbox = tmp_path / "in box"
    (inbox / "sub").mkdir(parents=True)
    shutil.copy(first, inbox / "a.jpg")
    cv2.imwrite(str(inbox / "a.png"), cv2.imread(str(second)))
    shutil.copy(third, inbox / "sub" / "Größe.jpg")
    (inbox / "cut.jpg").write_bytes(first.read_bytes()[:700])
    return inbox


def found_at(folder: Path, photos: list[Path], min_score: float = 0.0) -> list[BoxPrediction]:
    best = only_run(folder) / "checkpoints" / "best.ckpt"
    return list(BoxPredictor(best, min_score=min_score).predict(photos, batch_size=3))


def test_one_image(folder: Path, inbox: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    photo = inbox / "sub" / "Größe.jpg"
    result = osprey("predict", "--image", photo, "--min-score", "0", "--save-dir", "out")
    assert result.code == 0, result.err
    assert result.err.endswith("best.ckpt (ssdlite: fish)\n")
    record = json.loads(result.out)
    assert list(record) == ["file", "detections"] and record["file"] == str(photo)
    scores = [box["score"] for box in record["detections"]]
    assert scores and scores == sorted(scores, reverse=True)
    for box in record["detections"]:
        x, y, w, h = box["box"]
        assert box["label"] == "fish" and w > 0 and h > 0
        assert x >= 0 and y >= 0 and x + w <= 160.02 and y + h <= 120.02
    drawn = cv2.imread(str(folder / "out" / "Größe.jpg"))
    plain = cv2.imread(str(photo))
    assert drawn.shape == plain.shape
    assert np.abs(drawn.astype(int) - plain).max() > 100, "boxes are drawn"

    least = scores[1]
    few = json.loads(osprey("predict", "--image", photo, "--min_score", least - 1e-6).out)
    assert 2 <= len(few["detections"]) < len(scores)
    none = json.loads(osprey("predict", "--image", photo, "--min-score", "1").out)
    assert none["detections"] == []


def test_boxes_are_those_of_the_test_table(detector: Path) -> None:
    import pandas as pd

    table = pd.read_csv(only_run(detector) / "predictions.csv")
    name = table["path"].iloc[0]
    rows = table[table["path"] == name].sort_values("score", ascending=False)
    (found,) = found_at(detector, [detector / "harbour" / name])
    assert found.detections is not None
    boxes = np.array([b["box"] for b in found.boxes(["fish"])])
    assert len(boxes) >= len(rows)
    for row in rows.itertuples():  # scores are nearly equal, so their order is open
        distance = np.abs(boxes - [row.x, row.y, row.w, row.h]).max(axis=1)
        assert distance.min() < 0.1


def test_default_thresholds_are_the_runs_own(detector: Path, tmp_path: Path) -> None:
    import torch

    best = only_run(detector) / "checkpoints" / "best.ckpt"
    content = torch.load(best, weights_only=True)
    photo = min((detector / "harbour" / "images").rglob("*.jpg"))
    (all_of_them,) = found_at(detector, [photo])
    assert all_of_them.detections is not None
    middle = float(np.median(all_of_them.detections.scores))
    changed = tmp_path / "changed.ckpt"
    content["osprey"]["thresholds"] = [middle]
    torch.save(content, changed)
    (some,) = BoxPredictor(changed).predict([photo])
    assert some.detections is not None
    expected = int((all_of_them.detections.scores >= np.float32(middle)).sum())
    assert len(some.detections) == expected < len(all_of_them.detections)


def test_a_photo_on_its_side_has_boxes_as_shown(detector: Path, tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(min((detector / "harbour" / "images").rglob("*.jpg"))) as image:
        image.save(tmp_path / "turned.jpg", exif=exif)
        image.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "upright.png")
    turned, upright = found_at(detector, [tmp_path / "turned.jpg", tmp_path / "upright.png"])
    assert (turned.width, turned.height) == (upright.width, upright.height) == (120, 160)
    assert turned.detections is not None
    assert turned.detections.boxes[:, 2].max() <= 120


def test_folder(folder: Path, inbox: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    words = ("predict", "--folder", inbox, "--min-score", "0", "--output")
    result = osprey(*words, "r.json", "--save-dir", "out")
    assert result.code == 0, result.err
    assert "1 photo could not be read, so without boxes, first: " in result.err
    content = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert content["info"]["format_version"] == "1.6"
    run = (folder / "runs" / "latest").resolve()
    assert content["info"]["detector"] == f"{run.parent.name}/{run.name}"
    assert content["detection_categories"] == {"1": "fish"}
    images = {image["file"]: image for image in content["images"]}
    assert sorted(images) == ["a.jpg", "a.png", "cut.jpg", "sub/Größe.jpg"]
    assert images["cut.jpg"]["detections"] is None and "cut.jpg" in images["cut.jpg"]["failure"]
    (x, y, w, h) = images["a.jpg"]["detections"][0]["bbox"]
    assert 0 <= x < 1 and 0 <= y < 1 and x + w <= 1.001 and y + h <= 1.001
    drawn = sorted(p.relative_to("out").as_posix() for p in Path("out").rglob("*.jpg"))
    assert drawn == ["a.jpg.jpg", "a.png.jpg", "sub/Größe.jpg"], "twins keep apart"

    for form, name in (("csv", "r.csv"), ("coco", "c.json")):
        assert osprey(*words, name, "--format", form).code == 0
        again = read_annotations(Path(name), form, inbox)
        boxes = sum(len(image["detections"] or ()) for image in content["images"])
        assert len(again.boxes) == boxes > 0
        assert list(again.failed()) == [file == "cut.jpg" for file in again.images["file"]]
    assert osprey(*words, "r.json", "--strict").code == 1
    sound = osprey("predict", "--folder", inbox / "sub", "--output", "s.json", "--strict")
    assert sound.code == 0


def test_pictures_beside_the_photos_take_none_of_their_names(
    folder: Path,
    inbox: Path,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    before = {path: path.read_bytes() for path in inbox.rglob("*") if path.is_file()}
    assert osprey("predict", "--image", inbox / "a.jpg", "--save-dir", inbox).code == 0
    assert (inbox / "a_boxes.jpg").is_file()
    assert {path: path.read_bytes() for path in before} == before


def test_a_linked_photo_is_not_written_over(folder: Path, inbox: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    before = (inbox / "a.jpg").read_bytes()
    Path("links").mkdir()
    Path("links/a.jpg").symlink_to(inbox / "a.jpg")
    assert osprey("predict", "--image", "links/a.jpg", "--save-dir", inbox).code == 0
    assert (inbox / "a.jpg").read_bytes() == before and (inbox / "a_boxes.jpg").is_file()


def test_pictures_never_come_among_the_photos_of_a_folder(
    folder: Path,
    inbox: Path,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    Path("link").symlink_to(inbox / "sub")
    Path("half").mkdir()
    Path("half/sub").symlink_to(inbox / "sub")
    Path("other").mkdir()
    Path("other/a.jpg").symlink_to(inbox / "a.jpg")
    before = sorted(inbox.rglob("*"))
    for given, target, told in (
        (inbox, inbox / "new" / "deep", inbox / "new" / "deep"),
        (inbox, "link", "link"),
        (inbox, "half", "half/sub"),
        ("other", inbox, inbox),
    ):
        result = osprey("predict", "--folder", given, "--output", "o.json", "--save-dir", target)
        assert (result.code, result.err) == (
            2,
            f"osprey predict: --save-dir: '{told}' lies in '{given}', which is only read; name "
            "another folder\n",
        )
    same = f"'{inbox}' is the folder of the photos, which is only read; name another folder\n"
    words = ("predict", "--folder", inbox, "--output")
    result = osprey(*words, "o.json", "--save-dir", inbox)
    assert (result.code, result.err) == (2, f"osprey predict: --save-dir: {same}")
    result = osprey(*words, inbox / "o.json")
    assert (result.code, result.err) == (2, f"osprey predict: --output: {same}")
    assert sorted(inbox.rglob("*")) == before and not Path("o.json").exists()


def test_a_photo_taken_away_before_it_is_drawn_fails_alone(
    folder: Path,
    inbox: Path,
    osprey,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(path: Path, **_: object) -> np.ndarray:
        raise UnreadableImage(f"{path}: no such file")

    monkeypatch.setattr("osprey.tasks.detection.predictor._KEPT", 0)
    monkeypatch.setattr("osprey.tasks.detection.predict.pictures.read_image", gone)
    result = osprey("predict", "--folder", inbox / "sub", "--output", "o.json", "--save-dir", "out")
    assert result.code == 0, result.err
    (image,) = json.loads(Path("o.json").read_text(encoding="utf-8"))["images"]
    assert image["detections"] is None and image["failure"].endswith("Größe.jpg: no such file")


def test_large_photos_do_not_wait_decoded(detector: Path, tmp_path: Path) -> None:
    best = only_run(detector) / "checkpoints" / "best.ckpt"
    files = [tmp_path / "small.png", tmp_path / "large.png"]
    for file, side in zip(files, (90, 1001), strict=True):
        cv2.imwrite(str(file), np.zeros((side, side, 3), np.uint8))
    kept = [pixels for _, pixels in BoxPredictor(best).predict_opened(files)]
    assert kept[0] is not None and kept[0].shape == (90, 90, 3)
    assert kept[1] is None


def test_classification_folders_can_be_strict(
    trained: Path,
    inbox: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.chdir(trained)
    words = ("predict", "--folder", inbox, "--output", tmp_path / "o.csv")
    assert osprey(*words).code == 0
    assert osprey(*words, "--strict").code == 1


def test_mistakes(
    folder: Path,
    inbox: Path,
    trained: Path,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    photo, (classifier,) = str(inbox / "a.jpg"), trained.glob("runs/*/2*")
    (Path("file")).touch()
    cases = {
        ("--image", photo, "--tta", "flip"): "--tta goes with a classifier's run",
        ("--image", photo, "--save-dir", "file"): ("--save-dir: 'file' is a file; name a folder"),
        ("--image", photo, "--strict"): (
            "--strict goes with --folder: alone, what cannot be read is an error"
        ),
        ("--folder", str(inbox), "--output", "o.csv", "--format", "submission"): (
            "--format submission is not for detection (one of json, megadetector, coco, csv)"
        ),
        ("--folder", str(inbox), "--output", "o.csv", "--format", "coco"): (
            "--format coco is a file ending in .json"
        ),
        ("--folder", str(inbox), "--format", "coco"): (
            "--folder needs --output FILE to write its table to"
        ),
        ("--folder", str(inbox), "--output", "o.xlsx"): (
            "--output: 'o.xlsx' ends in none of .csv, .json: name another, or add --format "
            "(json, megadetector, coco, csv)"
        ),
        ("--folder", str(inbox), "--output", photo, "--format", "csv"): (
            f"--output: '{photo}' is a picture's name; name a table such as o.csv"
        ),
        ("--image", photo, "--save-dir", "file/out"): "--save-dir: cannot write to 'file/out'",
        ("--image", photo, "--min-score", "half"): (
            "argument --min-score/--min_score: 'half' is not a number from 0 to 1; 'osprey predict "
            "--help' tells what there is"
        ),
        ("--image", photo, "--min-score", "0.5", "--run", str(classifier)): (
            "--min-score goes with a detector's run"
        ),
        ("--folder", str(inbox), "--detector", "latest", "--output", "o.json"): (
            "two steps need a detector and a classifier: add --classifier RUN"
        ),
        ("--image", photo, "--detector", str(classifier), "--classifier", str(classifier)): (
            f"--detector: run '{classifier}' is a classifier, not a detector"
        ),
        ("--image", photo, "--detector", "latest", "--classifier", str(only_run(folder))): (
            f"--classifier: run '{only_run(folder)}' is a detector, not a classifier"
        ),
        ("--image", photo, "--full_image_fallback"): (
            "--full_image_fallback goes with --detector and --classifier"
        ),
        ("--video", photo, "--run", str(classifier)): (
            "--video is for one detector's run: name it with --run, or any bundle with --model"
        ),
        ("--camera", "0", "--realtime"): "--realtime goes with --video",
    }
    for words, message in cases.items():
        result = osprey("predict", *words)
        assert (result.code, result.out, result.err) == (2, "", f"osprey predict: {message}\n")
    result = osprey("predict", "--image", inbox / "cut.jpg")
    assert (result.code, result.out) == (2, "")
    assert "cut.jpg" in result.err.splitlines()[-1]


def test_a_checkpoint_of_the_other_task_is_told_whatever_the_config_says(
    detector: Path,
    trained: Path,
    inbox: Path,
    tmp_path: Path,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    for run, other, message in (
        (detector, trained, "is a classifier's, not a detector's"),
        (trained, detector, "is a detector's, not a classifier's"),
    ):
        mixed = tmp_path / f"mixed {run.name}"
        shutil.copytree(only_run(run), mixed)
        shutil.copy(only_run(other) / "checkpoints" / "best.ckpt", mixed / "checkpoints")
        result = osprey("predict", "--image", inbox / "a.jpg", "--run", mixed)
        assert result.code == 2
        assert (
            result.err == f"osprey predict: checkpoint '{mixed}/checkpoints/best.ckpt' {message}\n"
        )
