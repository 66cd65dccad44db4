"""The registry: every model file builds, and nothing that a stranger names is ever run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import yaml
from omegaconf import OmegaConf

from osprey.config.compose import CONFIG_DIR
from osprey.config.groups.model import FACTORIES
from osprey.errors import CheckpointError, ConfigError
from osprey.models.detection.detector import Detector
from osprey.models.detection.spec import QUERIES, with_backbone
from osprey.models.registry import (
    ModelSpec,
    build,
    check_spec,
    first_stages,
    head_prefixes,
    input_settings,
)
from osprey.models.simple_cnn import SimpleCNN

MODEL_FILES = sorted(
    p for p in (CONFIG_DIR / "model").glob("*.yaml") if p.stem not in ("_base", "ensemble")
)


def spec_of(name: str, **options: Any) -> ModelSpec:
    return ModelSpec("simple_cnn" if name == "simple_cnn" else "timm", name, options)


def meta(name: str, num_classes: int = 3) -> torch.nn.Module:
    """The model's shapes alone: no memory, no arithmetic."""
    with torch.device("meta"):
        return build(spec_of(name), num_classes).eval()


# ---------------------------------------------------------------- what builds


@pytest.mark.parametrize("file", MODEL_FILES, ids=lambda path: path.stem)
def test_every_model_file_builds(file: Path) -> None:
    content = yaml.safe_load(file.read_text())
    if content["name"].startswith("${"):  # it depends on what is installed
        content["name"] = OmegaConf.create({"model": {"pretrained": True, **content}}).model.name
    if content["name"] in QUERIES:
        pytest.importorskip("transformers")
    name = "test_resnet" if content["name"] == "???" else content["name"]
    short = {target: factory for factory, target in FACTORIES.items()}
    factory = short[content.get("_target_", FACTORIES["timm"])]
    spec = ModelSpec(factory, name, content.get("options") or {})
    spec = with_backbone(spec, content.get("backbone"))
    settings = input_settings(spec)
    with torch.device("meta"):
        model = build(spec, 7).eval()
        images = torch.empty(2, 3, settings.size, settings.size)
        answer = model.raw(images) if isinstance(model, Detector) else model(images)
    assert answer.shape[0] == 2
    assert answer.shape == (2, 7) or isinstance(model, Detector)
    heads = head_prefixes(model)
    assert heads
    assert any(key.startswith(heads) for key, _ in model.named_parameters())
    assert len(first_stages(model, 1)) > 0


def test_there_are_model_files() -> None:
    assert {"simple_cnn", "timm", "resnet18"} <= {path.stem for path in MODEL_FILES}


def test_options_reach_the_network() -> None:
    narrow = build(ModelSpec("simple_cnn", "simple_cnn", {"width": 4, "drop_rate": 0.5}), 2)
    assert isinstance(narrow, SimpleCNN)
    assert narrow.head.in_features == 32
    assert narrow.drop.p == 0.5
    assert build(spec_of("test_resnet", drop_rate=0.25), 2).drop_rate == 0.25


def test_networks_answer_as_the_tasks_ask() -> None:
    for name in ("simple_cnn", "test_resnet"):
        model = build(spec_of(name), 5).eval()
        images = torch.randn(2, 3, 64, 64)
        features = model.forward_features(images)
        assert model.forward_head(features, pre_logits=True).ndim == 2
        assert torch.allclose(model.forward_head(features), model(images), atol=1e-5)


# ---------------------------------------------------------------- what is refused


def refusal(spec: ModelSpec) -> str:
    with pytest.raises(ConfigError) as caught:
        build(spec, 3)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("tim", "'tim' is not a model factory of Osprey's; did you mean 'timm'? "),
        ("", "'' is not a model factory of Osprey's "),
    ],
)
def test_unknown_factories(factory: str, message: str) -> None:
    assert (
        refusal(ModelSpec(factory, "x", {}))
        == message + "(there are: simple_cnn, timm, ensemble, detector)"
    )


@pytest.mark.parametrize(
    "factory", ["os.system", "torch.hub.load", "osprey.system.plugins.sys.exit"]
)
def test_dotted_names_that_nobody_vouches_for(factory: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        build(ModelSpec(factory, "x", {}), 2)
    package = factory.partition(".")[0]
    assert str(caught.value) == (
        f"the model names {factory}, which is not Osprey's: add --plugin {package} "
        f"(or plugins=[{package}]) if you trust it"
    )


@pytest.mark.parametrize("factory", ["torch.nn.os.system", "osprey.models.hub.os.system"])
def test_detours_through_known_packages(factory: str) -> None:
    with pytest.raises(ConfigError):
        build(ModelSpec(factory, "x", {}), 2)


@pytest.mark.parametrize(
    "name", ["hf-hub:x/y", "hf_hub:x/y", "local-dir:/etc", "x/y", "/etc/passwd"]
)
def test_names_that_reach_outside(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("timm was asked for it")

    monkeypatch.setattr(timm, "create_model", never)
    message = f"unknown model '{name}'; 'osprey models PATTERN' lists them"
    assert refusal(ModelSpec("timm", name, {})) == message
    with pytest.raises(ConfigError):
        input_settings(ModelSpec("timm", name, {}))


def test_the_nearest_name_is_told() -> None:
    assert refusal(spec_of("resnet81")) == "unknown model 'resnet81'; did you mean 'resnet18'?"
    assert refusal(ModelSpec("simple_cnn", "resnet18", {})) == (
        "factory 'simple_cnn' has no model 'resnet18'"
    )


@pytest.mark.parametrize(
    "key",
    ["pretrained", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"],
)
def test_options_that_read_files_or_the_network(key: str) -> None:
    message = refusal(spec_of("test_resnet", **{key: "x"}))
    assert message.startswith(f"model.options: '{key}' cannot be set")


def test_unknown_and_odd_options() -> None:
    assert refusal(spec_of("test_resnet", drop_rat=0.1)) == (
        "model.options: 'drop_rat' cannot be set; did you mean 'drop_rate'?"
    )
    for value in (None, [1], {"a": 1}, print):
        with pytest.raises(ConfigError) as caught:
            check_spec(spec_of("test_resnet", drop_rate=value))
        assert str(caught.value) == (
            "model.options: 'drop_rate' must be a number, a word, true or false"
        )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("simple_cnn", {"width": -3}),
        ("simple_cnn", {"width": "wide"}),
        ("simple_cnn", {"drop_rate": 2.0}),
        ("test_resnet", {"img_size": 64}),
        ("test_resnet", {"global_pool": "nonsense"}),
        ("test_vit", {"patch_size": 0}),
        ("resnet18.no_such_tag", {}),
    ],
)
def test_values_a_network_does_not_take(name: str, options: dict[str, Any]) -> None:
    message = refusal(spec_of(name, **options))
    assert message.startswith(f"model '{name}' does not take {options}: ")


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize(
    ("name", "prefixes"),
    [
        ("simple_cnn", ("head.",)),
        ("resnet18", ("fc.",)),
        ("mobilenetv2_100", ("classifier.",)),
        ("convnext_tiny", ("head.fc.",)),
        ("vit_small_patch16_224", ("head.",)),
        ("deit_tiny_distilled_patch16_224", ("head.", "head_dist.")),
    ],
)
def test_the_head_has_this_name(name: str, prefixes: tuple[str, ...]) -> None:
    model = meta(name)
    assert head_prefixes(model) == prefixes
    heads = [p for key, p in model.named_parameters() if key.startswith(prefixes)]
    assert {p.shape[0] for p in heads} == {3}


@pytest.mark.parametrize(
    "name", ["simple_cnn", "resnet18", "mobilenetv2_100", "vit_small_patch16_224"]
)
def test_stages_grow_from_the_stem_and_never_hold_the_head(name: str) -> None:
    model = meta(name)
    assert first_stages(model, 0) == set()
    own = {key for key, _ in model.named_parameters()}
    before: set[str] = set()
    for count in range(1, 4):
        stages = first_stages(model, count)
        assert before < stages < own
        assert not any(key.startswith(head_prefixes(model)) for key in stages)
        before = stages
    first = next(key for key, _ in model.named_parameters())
    assert first in first_stages(model, 1)


def test_more_stages_than_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        first_stages(meta("simple_cnn"), 5)
    assert str(caught.value) == "model.freeze_stages: this model has 5 stages, head included"


@pytest.mark.parametrize(
    ("spec", "size", "mean"),
    [
        (spec_of("simple_cnn"), 96, 0.485),
        (spec_of("resnet18"), 224, 0.485),
        (spec_of("inception_v3"), 299, 0.5),
        (spec_of("vit_small_patch16_224"), 224, 0.5),
        (spec_of("vit_small_patch16_224", img_size=64), 64, 0.5),
    ],
)
def test_input_settings_are_the_network_s_own(spec: ModelSpec, size: int, mean: float) -> None:
    settings = input_settings(spec)
    assert (settings.size, settings.mean[0]) == (size, pytest.approx(mean, abs=0.02))
    assert 0.5 < settings.crop_pct <= 1
