"""Test-time augmentation: exact views, averaged probabilities, the same in eval and predict."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import only_run
from helpers import quick
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.models.checkpoint import load_model
from osprey.models.registry import ModelSpec, build
from osprey.tasks.classification.tta import ask, merge_views, views

MODEL = build(ModelSpec("simple_cnn", "simple_cnn", {"width": 4}), 3).eval()


def photos_of(seed: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def answer(images: torch.Tensor, tta: str, temperature: float) -> torch.Tensor:
    with torch.no_grad():
        logits = merge_views(ask(MODEL, images, tta), temperature)
    return (logits / temperature).softmax(dim=1)


@settings(quick, max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.3, 5))
def test_a_mirrored_photo_has_the_same_answer(seed: int, temperature: float) -> None:
    images = photos_of(seed)
    for tta, other in [
        ("flip", images.flip(3)),
        ("dihedral", images.flip(2)),
        ("dihedral", images.transpose(2, 3)),
        ("dihedral", images.rot90(1, (2, 3))),
    ]:
        torch.testing.assert_close(
            answer(images, tta, temperature), answer(other, tta, temperature), rtol=1e-5, atol=1e-6
        )
    plain = answer(images, "none", 1.0), answer(images.flip(3), "none", 1.0)
    assert not torch.equal(*plain), "without it the mirror image is another photo"


@quick
@given(st.integers(0, 10**6), st.floats(0.3, 5))
def test_probabilities_are_averaged_after_the_temperature(seed: int, temperature: float) -> None:
    images = photos_of(seed)
    with torch.no_grad():
        each = [(MODEL(view) / temperature).softmax(1) for view in (images, images.flip(3))]
    mean = (each[0] + each[1]) / 2
    torch.testing.assert_close(answer(images, "flip", temperature), mean, rtol=1e-5, atol=1e-6)


def test_the_eight_views_differ_and_the_first_is_the_photo() -> None:
    images = photos_of(0, count=1)
    shown = views(images, "dihedral")
    assert len(shown) == 8 and torch.equal(shown[0], images)
    assert len({view.contiguous().numpy().tobytes() for view in shown}) == 8
    assert len(views(images, "flip")) == 2 and len(views(images, "none")) == 1


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_eval_shows_both_and_predict_agrees(  # type: ignore[no-untyped-def]
    trained: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, osprey
) -> None:
    monkeypatch.chdir(trained)
    run = only_run(trained)
    result = osprey("eval", "tta=flip")
    assert result.code == 0, result.err
    summary = json.loads((run / "summary.json").read_text())["test"]
    figures = json.loads((run / "evaluations" / "best-test-flip.json").read_text())
    assert figures["tta"] == "flip"
    assert {**figures["without_tta"], "blind": figures["blind"]} == summary
    assert f"test    without tta:  top-1 {summary['top1']:.3f}" in result.out
    assert f"test    tta=flip:     top-1 {figures['top1']:.3f}" in result.out
    assert result.out.count(f"(n={summary['n']})") == 2

    table = rows(run / "evaluations" / "best-test-flip.csv")
    result = osprey(
        *("predict", "--folder", photos, "--tta", "flip"),
        *("--format", "submission", "--output", tmp_path / "p.csv"),
    )
    assert result.code == 0, result.err
    found = {row["image"]: row for row in rows(tmp_path / "p.csv")}
    for row in table:
        for label in summary_classes(run):
            mine = float(found[Path(row["path"]).name][label])
            assert mine == pytest.approx(float(row[f"p:{label}"]), abs=1e-5)
    plain = {row["path"]: row["score"] for row in rows(run / "predictions.csv")}
    assert any(plain[row["path"]] != row["score"] for row in table)


def summary_classes(run: Path) -> list[str]:
    return load_model(run / "checkpoints" / "best.ckpt")[1].classes


def test_predict_names_a_mirrored_photo_the_same(  # type: ignore[no-untyped-def]
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, osprey
) -> None:
    monkeypatch.chdir(trained)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (32, 32, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    cv2.imwrite(str(tmp_path / "b.png"), pixels[:, ::-1])
    words = ("predict", "--verbose", "--tta", "flip", "--image")
    first, second = (osprey(*words, tmp_path / name).out for name in ("a.png", "b.png"))
    assert first == second != ""


def test_unknown_words(trained: Path, monkeypatch: pytest.MonkeyPatch, osprey) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(trained)
    result = osprey("eval", "tta=flop")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "osprey eval: tta: unknown 'flop'; did you mean 'flip'? (one of none, flip, dihedral)\n"
    )
    result = osprey("predict", "--image", "x.png", "--tta", "flop")
    assert result.code == 2
    assert "argument --tta: invalid choice: 'flop'" in result.err.splitlines()[-1]
