"""RT-DETRv2 and D-FINE behind the same interface, where the extra is installed."""

from __future__ import annotations

import sys

import pytest
import torch

from osprey.errors import ConfigError
from osprey.models.detection.detector import Detector, Target
from osprey.models.detection.spec import QUERIES
from osprey.models.folding import fold_batchnorm
from osprey.models.registry import ModelSpec, build, check_size, first_stages, head_prefixes


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
