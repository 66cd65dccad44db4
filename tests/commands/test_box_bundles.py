"""A detector's run as a bundle: ``classify`` gives the boxes that ``predict`` gives."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import TINY_BOXES, Result, environment, make_squares, only_run

from osprey.commands import main
from osprey.inference.card import read_card
from osprey.models.checkpoint import amend_metadata

SQUARES = [
    *("task=detection", "data=coco", "data.file=boxes.json", "data.size=64", "data.num_workers=0"),
    *("data.batch_size=6", "augmentation=none", "model.backbone=test_resnet"),
    *("model.pretrained=false", "model.freeze_batchnorm=false", "optimizer.lr=3e-3"),
    *("trainer.autotune=false", "callbacks.progress=false"),
]


@pytest.fixture(scope="module")
def exported(detector: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a copy of the run, a threshold that boxes reach, and its bundle."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(detector / "runs", folder / "runs", symlinks=True)
    run = only_run(folder)
    amend_metadata(run / "checkpoints" / "best.ckpt", thresholds=[0.02])
    before = Path.cwd()
    os.chdir(detector)  # the photos were named from there
    try:
        assert main(["export", str(run), "--runs", str(folder / "runs")]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def inbox(detector: Path, tmp_path: Path) -> Path:
    """Photos of two shapes, one of noise, and a truncated one."""
    first, second = sorted((detector / "harbour" / "images").rglob("*.jpg"))[:2]
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    shutil.copy(first, inbox / "a.jpg")
    upright = np.ascontiguousarray(np.rot90(cv2.imread(str(second))))  # type: ignore[arg-type]
    cv2.imwrite(str(inbox / "b.png"), upright)
    noise = np.random.default_rng(0).integers(0, 255, (70, 300, 3), dtype=np.uint8)
    cv2.imwrite(str(inbox / "c.png"), noise)
    (inbox / "cut.jpg").write_bytes(first.read_bytes()[:700])
    return inbox


def check_alike(ours: list[dict], theirs: list[dict]) -> None:  # type: ignore[type-arg]
    """The same boxes, surest first; of scores that rounding alone tells apart either may lead."""
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-4)
    left = list(theirs)
    for one in ours:
        other = min(left, key=lambda found: np.abs(np.subtract(found["box"], one["box"])).max())
        left.remove(other)
        assert one["label"] == other["label"]
        assert one["score"] == pytest.approx(other["score"], abs=1e-4)
        assert one["box"] == pytest.approx(other["box"], abs=0.05)


def test_one_photo(bundles: Path, inbox: Path, osprey: Callable[..., Result]) -> None:
    photo = inbox / "a.jpg"
    ours = json.loads(osprey("predict", "--image", photo).out)["detections"]
    result = osprey("classify", "--image", photo)
    assert (result.code, result.out) == (0, f"{['fish'] * len(ours)}\n")
    loud = osprey("classify", "--image", photo, "--verbose")
    ranked = json.loads(loud.out.replace("'", '"'))
    check_alike(ours, [dict(zip(("label", "score", "box"), one, strict=True)) for one in ranked])
    refused = osprey("classify", "--image", photo, "--unknown-below", "0.5")
    assert (refused.code, refused.err.splitlines()[-1]) == (
        2,
        "osprey classify: --unknown-below is not for a bundle of task=detection",
    )
    cut = osprey("classify", "--image", inbox / "cut.jpg")
    assert cut.code == 2 and "cut.jpg: " in cut.err


def test_many_photos(bundles: Path, inbox: Path, osprey: Callable[..., Result]) -> None:
    for name in ("ours.json", "ours.csv"):
        assert osprey("predict", "--folder", inbox, "--output", name).code == 0
    for name in ("theirs.jsonl", "theirs.csv"):
        result = osprey("classify", "--folder", inbox, "--output", name)
        assert result.code == 0, result.err
    images = {i["file"]: i for i in json.loads(Path("ours.json").read_text())["images"]}
    records = [json.loads(line) for line in Path("theirs.jsonl").read_text().splitlines()]
    assert [Path(record["file"]).name for record in records] == sorted(images)
    for record in records:
        image = images[Path(record["file"]).name]
        if "failure" in image:
            assert list(record) == ["file", "failure"] and "cut.jpg: " in record["failure"]
            continue
        size = [image["width"], image["height"]] * 2
        ours = [
            {"label": "fish", "score": found["conf"], "box": list(np.array(found["bbox"]) * size)}
            for found in image["detections"]
        ]
        check_alike(ours, record["detections"])
    with Path("theirs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "label", "score", "x", "y", "w", "h", "failure"]
    assert len(rows) == sum(len(record.get("detections", [0])) for record in records)
    assert [Path(row["file"]).name for row in rows if row["failure"]] == ["cut.jpg"]
    first = records[0]["detections"][0]
    assert [float(rows[0][key]) for key in "xywh"] == first["box"]


def test_no_torch(bundles: Path, inbox: Path) -> None:
    code = (
        "import sys; from osprey.commands import main; code = main(['classify', *sys.argv[1:]]); "
        "heavy = {'torch', 'torchvision', 'hydra', 'omegaconf', 'pandas'} & set(sys.modules); "
        "assert not heavy, heavy; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--image", str(inbox / "a.jpg")],
        cwd=bundles,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout.startswith("['fish'"), done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "its card.json is damaged (its options are not a detector's)"),
        ({"nms_iou": 7}, "its card.json is damaged (its options are out of range)"),
        ({"levels": [3]}, "the bundle's network answers otherwise than its card says"),
    ],
)
def test_a_card_that_was_tampered_with(
    options: dict[str, object],
    message: str,
    bundles: Path,
    inbox: Path,
    osprey: Callable[..., Result],
) -> None:
    file = only_run(bundles) / "bundle" / "card.json"
    card = json.loads(file.read_text())
    card["options"] = {**card["options"], **options} if options else {}
    file.write_text(json.dumps(card))
    result = osprey("classify", "--image", inbox / "a.jpg")
    assert (result.code, result.out) == (2, "") and message in result.err.splitlines()[-1]


@pytest.mark.slow
def test_training_exports_what_validation_saw(
    here: Path, tmp_path: Path, osprey: Callable[..., Result]
) -> None:
    (tmp_path / "photos").mkdir()
    photos = make_squares(tmp_path / "photos")
    options = "model.options={width: 32, levels: 3, convs: 1}"
    words = ["model=fcos", options, f"data.root={photos}", "trainer.max_epochs=14"]
    result = osprey("train", *SQUARES, *words)
    assert result.code == 0, result.err
    run = only_run(here)
    summary = json.loads((run / "summary.json").read_text())
    card = read_card(run / "bundle")
    assert f"bundle  {run.relative_to(here)}/bundle (100.0% of " in result.out
    assert summary["val"]["map"] > 0.1, "it has learnt something to compare by"
    assert card.check["theirs"] == pytest.approx(summary["val"]["map"], abs=1e-3)
    assert card.check["agreement"] == 1 and card.check["error"] < 1e-4
    assert card.metrics["val"]["ap50"] == summary["val"]["ap50"]
    assert card.thresholds == list(summary["thresholds"].values())
    assert card.options["levels"] == [64, 16, 4]

    small = osprey("export", run, "--format", "onnx-int8", "--max-drop", "1")
    assert small.code == 0, small.err
    sizes = [(run / name / "model.onnx").stat().st_size for name in ("bundle-int8", "bundle")]
    assert sizes[0] < 0.6 * sizes[1]
    found = read_card(run / "bundle-int8")
    assert found.precision == "int8"
    assert found.check["theirs"] == pytest.approx(found.check["ours"], abs=0.1)


def test_faster_rcnn_is_left_out_in_one_line(
    here: Path, tmp_path: Path, osprey: Callable[..., Result]
) -> None:
    words = [w for w in TINY_BOXES if not w.startswith(("export", "model.backbone"))]
    words += ["model.backbone=test_resnet", "model.options={width: 32, levels: 3}"]
    result = osprey(
        *("train", "task=detection", "data=harbour_boxes", "model=fasterrcnn"),
        *words,
    )
    assert result.code == 0, result.err
    line = (
        "a detector of two stages (Faster R-CNN) is not exported: predict and eval go on with its "
        "checkpoint; fcos, retinanet, ssdlite, rtdetr and dfine are"
    )
    assert f"bundle  left out: {line}\n" in result.err
    run = only_run(here)
    assert (run / "report.html").is_file() and not (run / "bundle").exists()
    refused = osprey("export", run)
    assert (refused.code, refused.err) == (2, f"osprey export: {line}\n")
    photo = min((here / "harbour" / "images").rglob("*.jpg"))
    asked = osprey("classify", "--image", photo, "--model", run)
    assert asked.code == 2 and f"--model: '{run}' is no bundle" in asked.err


@pytest.mark.slow
def test_no_bundle_where_none_is_wanted(detector: Path) -> None:
    assert not (only_run(detector) / "bundle").exists()
