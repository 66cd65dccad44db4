"""``osprey train task=detection``: what is said and kept, going on, several processes, mistakes."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import timm
import torch
from conftest import (
    TIMES,
    TINY_BOXES,
    Result,
    make_photos,
    make_squares,
    only_run,
    run_process,
)

from osprey.models.checkpoint import metadata_of, read_checkpoint

FCOS = [
    *("train", "task=detection", "data=harbour_boxes", "model=fcos", *TINY_BOXES),
    "model.options={width: 32, levels: 3, convs: 1}",
]


def metrics(folder: Path) -> list[dict[str, float]]:
    with (only_run(folder) / "metrics.csv").open(newline="") as file:
        return [
            {k: float(v) for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)
        ]


def test_a_run_keeps_what_it_found(
    detector: Path, osprey: Callable[..., Result], here: Path
) -> None:
    run = only_run(detector)
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["task"], summary["classes"]) == ("detection", ["fish"])
    assert {"n", "boxes", "map", "ap50", "ap75", "per_class", "count_error", "empty"} <= set(
        summary["test"]
    )
    facts = metadata_of(read_checkpoint(run / "checkpoints" / "best.ckpt"), run)
    assert facts.thresholds == list(summary["thresholds"].values())
    found = pd.read_csv(run / "predictions.csv")
    assert list(found.columns) == ["path", "label", "score", "x", "y", "w", "h"]
    assert found["score"].between(0.01, 1).all() and set(found["label"]) <= {"fish"}
    assert (found[["x", "y"]] >= 0).all().all() and (found[["w", "h"]] > 0).all().all()
    assert (run / "report.html").is_file()

    copy = here / "runs" / "copy" / run.name
    shutil.copytree(run, copy)
    result = osprey("eval", f"run={copy}", "data.split=test")
    assert result.code == 0, result.err
    test = summary["test"]
    line = f"test    AP50 {test['ap50']:.3f}, AP75 {test['ap75']:.3f}, mAP {test['map']:.3f} ("
    assert line in result.out
    assert f"(n={test['n']} photos, {test['boxes']} boxes)" in result.out
    again = pd.read_csv(copy / "evaluations" / "best-test.csv")
    pd.testing.assert_frame_equal(again, found)


def test_eval_of_a_detector_of_one_class_on_classes_called_otherwise(
    detector: Path, osprey: Callable[..., Result], tmp_path: Path, here: Path
) -> None:
    run = here / "runs" / "copy" / only_run(detector).name
    shutil.copytree(only_run(detector), run)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("single_class: fish", "single_class: null"))
    photos = make_squares(tmp_path)
    words = (
        "eval",
        f"run={run}",
        f"data.root={photos}",
        "data.reader=coco",
        "data.file=boxes.json",
    )
    result = osprey(*words)
    assert (result.code, result.err) == (
        2,
        f"osprey eval: '{photos}' has classes the model does not know: square (it knows: "
        "fish); data.single_class=fish counts all of them as that\n",
    )
    content = json.loads((photos / "boxes.json").read_text())
    content["annotations"][0]["difficult"] = 1
    (photos / "boxes.json").write_text(json.dumps(content))
    boxes = len(content["annotations"])
    for more, count in (((), boxes - 1), (("data.difficult=count",), boxes)):
        result = osprey(*words, "data.single_class=fish", *more)
        assert result.code == 0, result.err
        assert f" photos, {count} boxes)" in result.out
    assert len(list((run / "evaluations").glob("best-test-*.json"))) == 2


def test_eval_on_other_photos_with_boxes(
    detector: Path, osprey: Callable[..., Result], tmp_path: Path, here: Path
) -> None:
    run = here / "runs" / "copy" / only_run(detector).name
    shutil.copytree(only_run(detector), run)
    (tmp_path / "squares").mkdir()
    photos = make_squares(tmp_path / "squares")
    words = ("eval", f"run={run}", f"data.root={photos}")
    result = osprey(*words, "data.reader=coco", "data.file=boxes.json")
    assert result.code == 0, result.err
    content = json.loads((photos / "boxes.json").read_text())
    images, boxes = len(content["images"]), len(content["annotations"])
    assert f"(n={images} photos, {boxes} boxes)" in result.out
    (written,) = (run / "evaluations").glob("best-test-squares-*.json")
    figures = json.loads(written.read_text())
    # The detector was trained on one class, and theirs are merged into it.
    assert [row["label"] for row in figures["per_class"]] == ["fish"]

    content["annotations"] = []
    content["images"] = content["images"][:4]
    (photos / "none.json").write_text(json.dumps(content))
    result = osprey(*words, "data.reader=coco", "data.file=none.json")
    assert result.code == 0, result.err
    assert "test    no boxes, so no AP; false alarms on " in result.out
    assert " of 4 photos (n=4 photos, 0 boxes)" in result.out
    assert len(list((run / "evaluations").glob("best-test-squares-*.json"))) == 2

    result = osprey("eval", f"run={run}", "data.file=boxes.json")
    assert (result.code, result.err) == (
        2,
        "osprey eval: data.file is of another data set: name its folder with data.root\n",
    )
    labelled = make_photos(tmp_path / "labelled", 3)
    result = osprey("eval", f"run={run}", f"data.root={labelled}", "data.reader=folder")
    assert (result.code, result.err) == (
        2,
        f"osprey eval: '{labelled}' holds photos of one label each, and the run needs photos with "
        "boxes: set data.reader\n",
    )
    result = osprey("eval", f"run={run}", f"data.root={make_photos(tmp_path / 'p', 3)}")
    assert result.code == 2
    result = osprey("eval", f"run={run}", "tta=flip")
    assert (result.code, result.err) == (
        2,
        "osprey eval: tta=flip goes with task=classification: set it to none\n",
    )


@pytest.mark.slow
def test_a_run_that_goes_on_equals_one_left_alone(
    detector: Path, osprey: Callable[..., Result], here: Path
) -> None:
    root = f"data.root={detector / 'harbour'}"
    more = [root, "augmentation=detection_strong", "callbacks.ema_decay=0.9", "scheduler=constant"]
    more.append("scheduler.warmup=0")  # which the number of epochs would stretch
    found = []
    for name, epochs in (("whole", 2), ("parts", 1)):
        folder = here / name
        folder.mkdir()
        words = [*FCOS, *more, f"trainer.max_epochs={epochs}", f"paths.runs={folder / 'runs'}"]
        result = osprey(*words)
        assert result.code == 0, result.err
        if epochs == 1:
            result = osprey("train", f"resume={only_run(folder)}", "trainer.max_epochs=2")
            assert result.code == 0, result.err
        found.append(metrics(folder))
    assert len(found[0]) == 2
    for row, expected in zip(found[1], found[0], strict=True):
        for key in expected.keys() - {"lr"}:
            assert row[key] == pytest.approx(expected[key], abs=1e-5, nan_ok=True), key


@pytest.mark.parametrize("model", ["fcos", "retinanet"])  # SSDlite has BatchNorm in its head
@pytest.mark.slow
def test_two_processes_learn_what_one_does(detector: Path, tmp_path: Path, model: str) -> None:
    # BatchNorm of two halves of a batch is not that of the whole: it is held, as weights have it.
    weights = tmp_path / "weights.pth"
    torch.save(timm.create_model("mobilenetv3_small_050").state_dict(), weights)
    found = []
    for more in ([], ["trainer=ddp_sim"]):
        folder = tmp_path / f"work{len(more)}"
        folder.mkdir()
        words = [*FCOS, f"data.root={detector / 'harbour'}", f"model={model}", *more]
        words += [f"model.pretrained={weights}", "model.freeze_batchnorm=true"]
        result = run_process(words, folder, OSPREY_CACHE=str(tmp_path / "cache"))
        assert result.code == 0, result.err
        found.append(metrics(folder))
    assert set(found[0][0]) == set(found[1][0])
    for row, expected in zip(found[1], found[0], strict=True):
        assert row["train/loss"] == pytest.approx(expected["train/loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["task=detection", "model=fcos", "data=harbour"],
            "task=detection needs boxes, and data=harbour has labels alone: use data=voc, coco, "
            "yolo, megadetector, boxes or harbour_boxes\n",
        ),
        (
            ["data=harbour_boxes", "model=simple_cnn"],
            "data=harbour_boxes has boxes: add task=detection and a detector\n",
        ),
        (
            ["task=detection", "data=harbour_boxes"],
            "task=detection needs a detector, and 'simple_cnn' is none: model=fcos, retinanet, "
            "fasterrcnn_mobilenet, fasterrcnn_resnet50 or ssdlite\n",
        ),
    ],
)
def test_what_does_not_go_together(
    words: list[str],
    message: str,
    detector: Path,
    osprey: Callable[..., Result],
    here: Path,
) -> None:
    root = [f"data.root={detector / 'harbour'}", "data.render_count=200"]
    root += ["model.pretrained=false", "model.freeze_batchnorm=false"]
    result = osprey("train", *words, *root)
    assert (result.code, result.err) == (2, f"osprey train: {message}")
    assert not (here / "runs").exists()


@pytest.mark.slow
def test_the_recipe_finds_fish_on_boats_it_never_saw(
    osprey: Callable[..., Result], here: Path
) -> None:
    """RESULTS.md holds the whole recipe: eight epochs of 1,600 photos at 96 px."""
    small = ["data.render_count=400", "data.size=64", "data.num_workers=0", "trainer.max_epochs=4"]
    result = osprey("train", "experiment=harbour_fish", *small, "trainer.autotune=false")
    assert result.code == 0, result.err
    summary = json.loads((only_run(here) / "summary.json").read_text())
    assert summary["test"]["n"] == 93 and summary["test"]["ap50"] > 0.35


def test_a_part_of_a_split_with_groups(
    detector: Path, here: Path, osprey: Callable[..., Result]
) -> None:
    """The interval is of the photos that were looked at."""
    words = [word for word in FCOS if not word.startswith("trainer.limit_eval")]
    few = ["trainer.limit_eval_batches=2", "data.eval_batch_size=8"]
    result = osprey(*words, f"data.root={detector / 'harbour'}", *few)
    assert result.code == 0, result.err
    summary = json.loads((only_run(here) / "summary.json").read_text())
    assert summary["test"]["n"] == 16
