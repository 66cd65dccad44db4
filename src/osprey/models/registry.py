"""The registry of factories: what a configuration or a checkpoint may name to be built.

An untrusted checkpoint names a factory, a model and plain options. What is not listed here is
a dotted name of the user's own code: it is followed only where the command line or an installed
plugin trusts it (`osprey.system.plugins`), so no checkpoint makes Osprey import other code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from osprey.errors import ConfigError, UserError, nearest
from osprey.models.detection.spec import check_detector, detector_input
from osprey.models.ensemble import Ensemble, member_specs
from osprey.models.foreign import build_foreign, check_foreign, foreign_input, is_foreign
from osprey.models.simple_cnn import SimpleCNN
from osprey.models.spec import IMAGENET
from osprey.models.spec import InputSettings as InputSettings
from osprey.models.spec import ModelSpec as ModelSpec
from osprey.models.timm_models import OPTIONS as TIMM_OPTIONS
from osprey.models.timm_models import build_timm, timm_input
from osprey.models.traits import head_prefixes as head_prefixes
from osprey.models.traits import traits_of

_CNN_OPTIONS = ("width", "drop_rate")


class Classifier(Protocol):
    """The methods that Osprey calls on a classifier, as timm's image models have them."""

    def forward_features(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] to feature maps or tokens."""
        ...

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Feature maps to vectors [B, C] (``pre_logits``) or logits [B, classes]."""
        ...

    def get_classifier(self) -> nn.Module:
        """The classification layers."""
        ...


def _cnn(spec: ModelSpec, num_classes: int) -> nn.Module:
    if spec.name != "simple_cnn":
        raise ConfigError(f"factory 'simple_cnn' has no model '{spec.name}'")
    return SimpleCNN(num_classes, **spec.options)


def _detector(spec: ModelSpec, num_classes: int) -> nn.Module:
    from osprey.models.detection.build import build_detector

    return build_detector(spec, num_classes)


def _ensemble(spec: ModelSpec, num_classes: int) -> nn.Module:
    networks = [(build(member, num_classes), size) for member, size in member_specs(spec)]
    return Ensemble(networks, spec.options["combine"], num_classes)


def _cnn_input(spec: ModelSpec) -> InputSettings:
    return InputSettings(96, *IMAGENET, 0.875)


def _ensemble_input(spec: ModelSpec) -> InputSettings:
    members = member_specs(spec)
    first = input_settings(members[0][0])
    return replace(first, size=max(size for _, size in members))


def _check_options(spec: ModelSpec, allowed: tuple[str, ...]) -> None:
    for key, value in spec.options.items():
        if key not in allowed:
            raise ConfigError(f"model.options: '{key}' cannot be set{nearest(key, allowed)}")
        if not isinstance(value, bool | int | float | str):
            raise ConfigError(f"model.options: '{key}' must be a number, a word, true or false")


def _check_ensemble(spec: ModelSpec) -> None:
    for member, _ in member_specs(spec):
        check_spec(member)


@dataclass(frozen=True)
class Factory:
    """Functions that build a factory's networks, give their input settings and check options."""

    build: Callable[[ModelSpec, int], nn.Module]
    input_settings: Callable[[ModelSpec], InputSettings]
    check: Callable[[ModelSpec], None]


_FACTORIES = {
    "simple_cnn": Factory(_cnn, _cnn_input, lambda spec: _check_options(spec, _CNN_OPTIONS)),
    "timm": Factory(build_timm, timm_input, lambda spec: _check_options(spec, TIMM_OPTIONS)),
    "ensemble": Factory(_ensemble, _ensemble_input, _check_ensemble),
    "detector": Factory(_detector, detector_input, check_detector),
}


def check_spec(spec: ModelSpec) -> None:
    """Check a description before anything is built.

    Raises:
        ConfigError: Unknown factory or option, or an option that is not a plain value.
    """
    if is_foreign(spec):
        return  # checked against its signature when it is made
    if spec.factory not in _FACTORIES:
        hint = nearest(spec.factory, _FACTORIES)
        raise ConfigError(
            f"'{spec.factory}' is not a model factory of Osprey's{hint} "
            f"(there are: {', '.join(_FACTORIES)})"
        )
    _FACTORIES[spec.factory].check(spec)


def build(spec: ModelSpec, num_classes: int) -> nn.Module:
    """Build an untrained network with a head of ``num_classes`` outputs.

    Raises:
        CheckpointError: It is the user's own and its import path is not trusted.
        ConfigError: The registry does not know what ``spec`` names, or its options do not fit.
    """
    if is_foreign(spec):
        return build_foreign(spec, num_classes)
    check_spec(spec)
    try:
        return _FACTORIES[spec.factory].build(spec, num_classes)
    except UserError:
        raise
    except Exception as error:  # whatever a network's own code raises for a value it cannot take
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"model '{spec.name}' does not take {dict(spec.options)}: {first}"
        ) from None


def input_settings(spec: ModelSpec) -> InputSettings:
    """The input a network was made for, used unless the configuration says otherwise."""
    if is_foreign(spec):
        return foreign_input(spec)
    check_spec(spec)
    return _FACTORIES[spec.factory].input_settings(spec)


def check_size(spec: ModelSpec, num_classes: int, size: int) -> None:
    """Try a photo of ``size`` pixels a side on the meta device: shapes only, no arithmetic.

    Raises:
        ConfigError: The network cannot take it.
    """
    if is_foreign(spec):
        check_foreign(spec, num_classes, size)
        return
    with torch.device("meta"):
        model = build(spec, num_classes).eval()
        photo = torch.empty(1, 3, size, size)
    traits = traits_of(model)
    traits.check_side(size)
    try:
        with torch.no_grad():
            traits.try_photo(photo)
    except (RuntimeError, AssertionError, ValueError):
        own = input_settings(spec).size
        raise ConfigError(
            f"data.size: '{spec.name}' cannot take photos of {size} px; its own size is {own} px"
        ) from None


def first_stages(model: nn.Module, count: int) -> set[str]:
    """Names of the parameters of the first ``count`` stages, the stem being the first.

    Raises:
        ConfigError: The model has no more than ``count`` stages.
    """
    if count == 0:
        return set()
    if not hasattr(model, "group_matcher"):
        raise ConfigError(
            f"model.freeze_stages: {type(model).__name__} has no group_matcher(), which says what "
            "its stages are (as timm's models have)"
        )
    from timm.models import group_parameters

    matcher = cast(Any, model).group_matcher(coarse=True)
    stages: dict[int, list[str]] = group_parameters(model, matcher)
    if count >= len(stages):
        raise ConfigError(
            f"model.freeze_stages: this model has {len(stages)} stages, head included"
        )
    return {name for stage in sorted(stages)[:count] for name in stages[stage]}
