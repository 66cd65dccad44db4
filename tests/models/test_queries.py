"""RT-DETRv2 and D-FINE behind the same interface, where the extra is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import pytest
import torch

from osprey.errors import CheckpointError, ConfigError
from osprey.models.detection.detector import Detector, Target
from osprey.models.detection.queries import load_queries
from osprey.models.detection.spec import QUERIES
from osprey.models.folding import fold_batchnorm
from osprey.models.registry import ModelSpec, build, check_size, first_stages, head_prefixes
from osprey.models.weights import build_pretrained


@pytest.mark.slow
@pytest.mark.parametrize("name", QUERIES)
def test_it_learns_from_photos_with_and_without_boxes(name: str) -> None:
    pytest.importorskip("transformers", reason="the extra 'transformers' is not installed")
    spec = ModelSpec("detector", name, {"max_detections": 5, "score_threshold": 0.0})
    check_size(spec, 2, 128)
    with pytest.raises(ConfigError, match="cannot take photos of 96 px; its own size is 640 px"):
        check_size(spec, 2, 96)
    torch.manual_seed(0)
    detector = build(spec, 2)
    assert isinstance(detector, Detector)
    photos = torch.rand(2, 3, 128, 128)
    empty = Target(boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64))
    one = Target(boxes=torch.tensor([[8.0, 8, 40, 40]]), labels=torch.tensor([1]))
    for targets in ([one, empty], [empty, empty]):
        losses = detector.losses(photos, targets)
        assert all(torch.isfinite(value) and value.ndim == 0 for value in losses.values())
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert 0 < len(first_stages(detector, 2)) < len(first_stages(detector, 3))
    assert not any(key.startswith(head_prefixes(detector)) for key in first_stages(detector, 5))
    detector.eval()
    with torch.no_grad():
        before = detector(photos)
        assert fold_batchnorm(detector) > 40
        after = detector(photos)
    assert [len(found["scores"]) for found in before] == [5, 5]
    torch.testing.assert_close(before[0]["scores"], after[0]["scores"], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", QUERIES)
def test_without_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError) as caught:
        build(ModelSpec("detector", name, {}), 2)
    assert str(caught.value) == (
        f"model={name} needs transformers: pip install 'osprey-vision[transformers]'"
    )


@pytest.mark.slow
def test_weights_from_a_folder_of_transformers(tmp_path: Path) -> None:
    library = pytest.importorskip(
        "transformers", reason="the extra 'transformers' is not installed"
    )
    torch.manual_seed(0)
    published = library.RTDetrV2ForObjectDetection(library.RTDetrV2Config(num_labels=3))
    published.save_pretrained(tmp_path / "coco")
    spec = ModelSpec("detector", "rtdetr", {})
    detector, line = build_pretrained(spec, 2, str(tmp_path / "coco"))
    assert line == f"weights: {tmp_path / 'coco'} (layers that name classes left out)"
    assert isinstance(detector, Detector)
    ours, theirs = detector.state_dict(), published.state_dict()
    for key, value in theirs.items():
        name = f"network.inner.{key}"
        assert name.startswith(detector.class_layers) or torch.equal(ours[name], value), key

    named = library.RTDetrV2Config(id2label={0: "cat", 1: "Eel", 2: "fox"}, num_labels=3)
    library.RTDetrV2ForObjectDetection(named).save_pretrained(tmp_path / "named")
    detector, line = build_pretrained(spec, 2, str(tmp_path / "named"), ["eel", "yak"])
    assert line.endswith("named (head kept for eel; begun anew for yak)")
    published = library.RTDetrV2ForObjectDetection.from_pretrained(tmp_path / "named")
    for key in ("class_embed.0.weight", "model.enc_score_head.weight"):
        theirs = published.state_dict()[key]
        assert torch.equal(detector.state_dict()[f"network.inner.{key}"][0], theirs[1])

    (tmp_path / "empty").mkdir()
    for place in ("empty", "someone/model"):  # a name is never looked for on the hub
        with pytest.raises(CheckpointError, match=r"could not be had from '.*' \(.*\): give a "):
            build_pretrained(spec, 2, str(tmp_path / place))


@pytest.mark.parametrize("name", QUERIES)
def test_a_hub_that_does_not_answer_is_told_at_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers", reason="the extra 'transformers' is not installed")
    from huggingface_hub import constants

    def never(seconds: float) -> None:
        raise AssertionError(f"the hub's client waits {seconds} s to try again")

    monkeypatch.setattr("time.sleep", never)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"\(http://127\.0\.0\.1:9 does not answer: "):
        load_queries(cast(Detector, None), name, True)
