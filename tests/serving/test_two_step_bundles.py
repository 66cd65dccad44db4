"""A detector within a classifier's bundle: boxes with species, as PyTorch's two steps give them."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from conftest import Result, environment, only_run
from PIL import Image
from serving_help import in_this_process, write_bundle
from two_step_help import join, write_detector

from osprey.commands import main
from osprey.errors import BundleError
from osprey.inference import two_step
from osprey.inference.card import read_card
from osprey.inference.recognised import Recognised
from osprey.inference.two_step import open_bundle
from osprey.models.checkpoint import amend_metadata

PATCH = "its detector is not the one that its card.json was written for: copy the bundle again"


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hand-made bundle of two steps, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return join(write_bundle(tmp_path / "both"), write_detector(tmp_path / "finder"))


def picture(path: Path, right: tuple[int, int, int] = (20, 20, 220)) -> Path:
    """64 x 48 pixels: red on the left, another colour on the right."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, :32], pixels[:, 32:] = (220, 20, 20), right
    Image.fromarray(pixels).save(path)
    return path


def test_boxes_with_species(steps: Path, osprey: Callable[..., Result]) -> None:
    photo = picture(steps.parent / "a.png")
    said = osprey("classify", "--image", photo, "--model", steps)
    assert (said.code, said.out) == (0, "['red', 'blue']\n"), said.err
    loud = osprey("classify", "--image", photo, "--model", steps, "--verbose")
    boxes = [[0.0, 0.0, 32.0, 48.0], [40.0, 6.0, 20.0, 15.0]]
    found = json.loads(loud.out.replace("'", '"'))
    assert [(name, box) for name, _, box in found] == [("red", boxes[0]), ("blue", boxes[1])]
    words = ("classify", "--image", photo, "a.png", "--model", steps)
    assert osprey(*words, "--output", "a.csv").code == 0
    with Path("a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(Recognised.columns)
    assert [(r["label"], r["detected"], r["detected_score"]) for r in rows[:2]] == [
        ("red", "fish", "0.9"), ("blue", "fish", "0.6"),
    ]  # fmt: skip
    record = open_bundle(steps).one(photo).record(read_card(steps).classes)
    assert list(record) == ["file", "label", "score", "detections"]
    assert record["label"] == "red", "its box weighs more"
    assert [list(box) for box in record["detections"]] == [
        ["label", "score", "box", "classifications"]
    ] * 2
    assert record["detections"][0]["label"] == "fish"


def test_where_nothing_is_found(steps: Path, osprey: Callable[..., Result]) -> None:
    Image.new("RGB", (40, 30), (0, 0, 25)).save("dark.png")
    Path("cut.png").write_bytes(Path("dark.png").read_bytes()[:40])
    answer = open_bundle(steps).one(Path("dark.png"))
    classes = read_card(steps).classes
    assert answer.record(classes) == {
        "file": "dark.png", "label": "nothing", "score": 0.0, "detections": [],
    }  # fmt: skip
    assert answer.labels(classes) == []
    assert answer.rows(classes)[0][:3] == ["dark.png", "nothing", 0.0]
    card = json.loads((steps / "card.json").read_text())
    card["detector"]["full_image_fallback"] = True
    (steps / "card.json").write_text(json.dumps(card))
    whole = osprey("classify", "--image", "dark.png", "cut.png", "--model", steps)
    assert whole.out == "dark.png: ['blue']\n" and "cut.png: " in whole.err


def test_low_scores_are_unknown(steps: Path, osprey: Callable[..., Result]) -> None:
    photo = picture(Path("a.png"), right=(120, 121, 122))
    words = ("classify", "--image", photo, "--model", steps, "--unknown-below", "0.8")
    assert osprey(*words).out == "['red', 'unknown']\n"
    assert osprey(*words, "--output", "-").code == 0
    predictor = open_bundle(steps)
    predictor.set_unknown_below(0.9)
    record = predictor.one(photo).record(predictor.classes)
    assert record["label"] == "unknown"
    assert ["unknown" in box for box in record["detections"]] == [False, True]


def test_a_large_photo_is_cut_at_full_size(steps: Path) -> None:
    pixels = np.zeros((1200, 1600, 3), np.uint8)
    pixels[:, :800], pixels[:, 800:] = (220, 20, 20), (20, 20, 220)
    Image.fromarray(pixels).save("large.jpg", quality=95)
    predictor = open_bundle(steps)
    _, opened = predictor.prepare(Path("large.jpg"))
    assert opened.pixels is None and opened.content, "its pixels do not wait in memory"
    answer = predictor.one(Path("large.jpg"))
    assert answer.labels(predictor.classes) == ["red", "blue"]
    assert answer.record(predictor.classes)["detections"][0]["box"] == [0, 0, 800, 1200]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, PATCH),
        ({"margin": -1}, "its card.json is damaged (its detector is not one)"),
        ({"full_image_fallback": 1}, "its card.json is damaged (its detector is not one)"),
        ({"surprise": 1}, "its card.json is damaged (its detector is not one)"),
    ],
)
def test_a_bundle_that_was_tampered_with(
    change: dict[str, Any], message: str, steps: Path, osprey: Callable[..., Result]
) -> None:
    card = json.loads((steps / "card.json").read_text())
    card["detector"] |= change
    (steps / "card.json").write_text(json.dumps(card))
    result = osprey("classify", "--image", picture(Path("a.png")), "--model", steps)
    assert (result.code, result.out) == (2, "") and message in result.err.splitlines()[-1]


def test_a_detector_that_is_missing_or_none(
    steps: Path, tmp_path: Path, osprey: Callable[..., Result]
) -> None:
    words = ("classify", "--image", picture(Path("a.png")), "--model")
    wrong = join(write_bundle(tmp_path / "wrong"), write_bundle(tmp_path / "colours"))
    refused = osprey(*words, wrong)
    assert refused.code == 2
    assert refused.err == (
        f"osprey classify: bundle '{wrong}' does not hold a detector and a classifier\n"
    )
    nested = join(write_bundle(tmp_path / "nested"), steps)
    assert "has a detector itself" in osprey(*words, nested).err
    (steps / "detector" / "model.onnx").write_bytes(b"x")
    assert "its model.onnx is not the one" in osprey(*words, steps).err
    shutil.rmtree(steps / "detector")
    assert "detector' is no bundle: it has no card.json" in osprey(*words, steps).err


def test_registry_and_service_take_it(steps: Path, osprey: Callable[..., Result]) -> None:
    photo = picture(Path("a.png"))
    assert osprey("registry", "add", steps, "--name", "fish").code == 0
    said = osprey("classify", "--image", photo, "--model", "fish@1")
    assert said.out == "['red', 'blue']\n", said.err

    async def ask() -> tuple[dict[str, Any], dict[str, Any]]:
        async with in_this_process(Path("registry/fish/1")) as client:
            while (await client.get("/readyz")).status_code != 200:
                await anyio.sleep(0.01)
            one = await client.post("/classify", content=photo.read_bytes())
            files = [("images", ("b.png", photo.read_bytes(), "image/png"))] * 2
            several = await client.post("/classify/batch", files=files)
            return one.json(), several.json()

    one, several = anyio.run(ask)
    assert one["label"] == "red" and one["model"] == "colours"
    assert [box["classifications"][0][0] for box in one["detections"]] == ["red", "blue"]
    assert [answer["label"] for answer in several["answers"]] == ["red", "red"]


def test_crops_of_a_batch_are_cut_a_few_at_a_time(
    steps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = open_bundle(steps)
    Image.new("RGB", (40, 30), (0, 0, 25)).save("dark.png")
    files = [picture(Path("a.png")), Path("dark.png"), Path("a.png"), Path("none.png")] * 3
    prepared = [predictor.prepare(file) for file in files]
    records = [answer.record(predictor.classes) for answer in predictor.answers(prepared)]
    counts: list[int] = []
    named = two_step.TwoStepPredictor._named

    def counted(self: Any, pieces: Any) -> Any:
        counts.append(len(pieces))
        return named(self, pieces)

    monkeypatch.setattr(two_step, "_MOST_CROPS", 5)
    monkeypatch.setattr(two_step.TwoStepPredictor, "_named", counted)
    again = [answer.record(predictor.classes) for answer in predictor.answers(prepared)]
    assert again == records and sum(counts) == 12 and max(counts) <= 5
    assert predictor.answers([]) == []


def test_figures_of_both_steps_are_compared(steps: Path, osprey: Callable[..., Result]) -> None:
    """A version with a detector takes the place of none without, nor of a better one."""

    def add(bundle: Path, theirs: float | None) -> None:
        card = json.loads((bundle / "card.json").read_text())
        card["metrics"] = {"test": {"per_class": {"red": 0.9}}}
        if theirs is not None:
            card["detector"]["check"] = {"theirs": theirs}
        (bundle / "card.json").write_text(json.dumps(card))
        assert osprey("registry", "add", bundle, "--name", "fish").code == 0

    add(steps, 0.9)
    add(steps, 0.8)
    add(write_bundle(Path("alone")), None)
    for version, message in (
        (2, "its two steps name 80.0% of validation rightly, the present 90.0%: allow it with "
            "--max-drop, or all with --force"),
        (3, "one of the two finds boxes first and the other does not, so nothing says which is "
            "better: add --force to promote it all the same"),
    ):  # fmt: skip
        result = osprey("registry", "promote", f"fish@{version}")
        assert (result.code, result.err) == (2, f"osprey registry: {message}\n")
    assert osprey("registry", "promote", "fish@2", "--max-drop", "0.2").code == 0
    assert osprey("registry", "promote", "fish@3", "--force").code == 0


# ---------------------------------------------------------------- beside PyTorch


@pytest.fixture(scope="module")
def exported(detector: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with both runs and the bundle of both. Read only."""
    folder = tmp_path_factory.mktemp("both")
    where, what = folder / "runs/boxes/where", folder / "runs/names/what"
    shutil.copytree(only_run(detector), where)
    shutil.copytree(only_run(trained), what)
    amend_metadata(where / "checkpoints" / "best.ckpt", thresholds=[0.02])
    before = Path.cwd()
    os.chdir(detector)  # the photos were named from there
    try:
        assert main(["export", str(where)]) == 0
    finally:
        os.chdir(before)
    code = main(["export", str(what), "--detector", str(where), "--full-image-fallback"])
    assert code == 0
    return folder


@pytest.mark.slow
def test_it_answers_as_two_checkpoints_do(
    exported: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, osprey: Callable[..., Result]
) -> None:
    monkeypatch.chdir(exported)
    bundle = Path("runs/names/what/bundle-two-step")
    card = read_card(bundle)
    assert card.detector is not None and card.detector["check"]["agreement"] == 1
    assert card.detector["check"]["detector"] == "checkpoint"
    assert card.detector["check"]["boxes"] > 0 and card.detector["check"]["error"] < 0.02
    predictor = open_bundle(bundle)
    steps = ("--detector", "boxes/where", "--classifier", "names/what", "--full-image-fallback")
    for photo in (photos / "red" / "red_00.png", photos / "blue" / "blue_01.png"):
        ours = json.loads(osprey("predict", "--image", photo, *steps).out)
        theirs = predictor.one(photo).record(predictor.classes)
        assert list(ours) == list(theirs)
        assert (ours["file"], ours["label"]) == (theirs["file"], theirs["label"])
        assert ours["score"] == pytest.approx(theirs["score"], abs=2e-2)
        assert len(ours["detections"]) == len(theirs["detections"])
        for one, other in zip(ours["detections"], theirs["detections"], strict=True):
            assert list(one) == list(other)
            assert one["box"] == pytest.approx(other["box"], abs=0.05)
            assert one["score"] == pytest.approx(other["score"], abs=1e-4)
            assert dict(one["classifications"]) == pytest.approx(
                dict(other["classifications"]), abs=2e-2
            )


@pytest.mark.slow
def test_a_detector_without_its_checkpoint(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, osprey: Callable[..., Result]
) -> None:
    monkeypatch.chdir(exported)
    finder = tmp_path / "finder"
    shutil.copytree("runs/boxes/where/bundle", finder)
    words = ("export", "names/what", "--detector", finder, "--output", tmp_path / "out")
    result = osprey(*words)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[1].startswith("check   two steps: 100.0% of ")
    assert "answered as by PyTorch on the boxes of the detector's bundle, largest" in lines[1]
    (tmp_path / "out" / "detector" / "mine.txt").write_text("mine")
    refused = osprey(*words)
    assert refused.code == 2 and "is there and is no bundle" in refused.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["names/what", "--full-image-fallback"], "--full-image-fallback goes with --detector"),
        (
            ["names/what", "--detector", "finder", "--compare"],
            "--compare is of one run: leave --detector out",
        ),
        (
            ["names/what", "--compare", "--max-drop", "0", "--format", "onnx", "--features"],
            "--compare writes no bundle: leave --features and --format and --max-drop out",
        ),
        (
            ["names/what", "--compare", "--full-image-fallback"],
            "--compare writes no bundle: leave --full-image-fallback out",
        ),
        (
            ["names/what", "--max-drop", "0.1"],
            "--max-drop goes with --format onnx-int8 or --detector",
        ),
        (
            ["names/what", "--detector", "phone"],
            "bundle 'phone' is ExecuTorch's, for phones: write one to answer from here with "
            "'osprey export RUN'",
        ),
        (
            ["names/what", "--detector", "names/what"],
            "--detector: bundle 'runs/names/what/bundle' finds no boxes (task=classification)",
        ),
        (
            ["boxes/where", "--detector", "boxes/where"],
            "RUN beside --detector: run 'runs/boxes/where' is a detector, not a classifier",
        ),
    ],
)
def test_mistakes(
    words: list[str],
    message: str,
    exported: Path,
    monkeypatch: pytest.MonkeyPatch,
    osprey: Callable[..., Result],
) -> None:
    monkeypatch.chdir(exported)
    if words[-1] == "names/what" and not Path("runs/names/what/bundle").exists():
        write_bundle(Path("runs/names/what/bundle"))
    if words[-1] == "phone":
        shutil.copytree("runs/boxes/where/bundle", "phone")
        Path("phone/model.onnx").rename("phone/model.pte")
    result = osprey("export", *words)
    assert (result.code, result.err) == (2, f"osprey export: {message}\n")


def test_one_photo_more_or_less_is_no_difference() -> None:
    from osprey.pipelines.two_step_bundle import TwoStepParity, _refuse

    def refuse(theirs: int) -> None:
        parity = TwoStepParity(128, 128, 128, 127 / 128, 0.0, 64 / 128, theirs / 128, "checkpoint")
        _refuse(parity, Path("bundle"), exact=True, most=0.0)

    refuse(63)
    with pytest.raises(BundleError, match="'bundle' is not written: two steps: "):
        refuse(62)


def test_no_torch(steps: Path) -> None:
    code = (
        "import sys; from osprey.commands import main; code = main(['classify', *sys.argv[1:]]); "
        "heavy = {'torch', 'hydra', 'omegaconf', 'pandas'} & set(sys.modules); "
        "assert not heavy, heavy; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--image", str(picture(Path("a.png"))), "--model", steps],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "['red', 'blue']\n"), done.stderr
