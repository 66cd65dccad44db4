"""Augmentation steps from plain data: checked by name and parameter, built with albumentations."""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from osprey.augmentation.crops import RESIZING_CROPS, antialiased
from osprey.errors import ConfigError, nearest

GROUPS = frozenset({"OneOf", "SomeOf", "Sequential", "RandomOrder"})

# Written out, so that a misspelt name is refused at once and nothing that reads files, needs other
# inputs or leaves uint8 RGB can be named. All were checked to be repeatable from a seed.
_NAMES = """
    AdditiveNoise AdvancedBlur Affine AutoContrast Blur CLAHE CenterCrop ChannelDropout
    ChannelShuffle ChromaticAberration CoarseDropout ColorJitter Crop CropAndPad D4 Defocus
    Downscale ElasticTransform Emboss Equalize Erasing FancyPCA GaussNoise GaussianBlur GlassBlur
    GridDistortion GridDropout GridElasticDeform HorizontalFlip HueSaturationValue ISONoise
    Illumination ImageCompression InvertImg LongestMaxSize MedianBlur Morphological MotionBlur
    MultiplicativeNoise NoOp OpticalDistortion Pad PadIfNeeded Perspective PiecewiseAffine
    PixelDropout PlanckianJitter PlasmaBrightnessContrast PlasmaShadow Posterize RGBShift
    RandomBrightnessContrast RandomCrop RandomCropFromBorders RandomFog RandomGamma RandomGravel
    RandomGridShuffle RandomRain RandomResizedCrop RandomRotate90 RandomScale RandomShadow
    RandomSizedCrop RandomSnow RandomSunFlare RandomToneCurve Resize RingingOvershoot Rotate
    SafeRotate SaltAndPepper Sharpen ShiftScaleRotate ShotNoise SmallestMaxSize Solarize Spatter
    SquareSymmetry Superpixels ThinPlateSpline ToGray ToSepia Transpose UnsharpMask VerticalFlip
    XYMasking ZoomBlur
"""
STEPS = frozenset(_NAMES.split())
_REFUSED = {
    name: why
    for why, names in {
        "normalisation runs on the device": ("Normalize", "ToFloat", "FromFloat"),
        "batches leave the loader as uint8 arrays": ("ToTensorV2", "ToTensor3D"),
        "a policy is plain data": ("Lambda", "Compose", "ReplayCompose"),
        "use mixup and cutmix": ("Mosaic", "OverlayElements"),
        "it needs more than the one photo": ("FDA", "HistogramMatching", "MaskDropout"),
    }.items()
    for name in names
}


def _sizes(size: int) -> dict[str, dict[str, Any]]:
    """Return what each step that determines the output size is given unless the user says so."""
    side = {"height": size, "width": size}
    # Averaging where a photo shrinks, as Preprocess does: training then sees the same sharpness.
    smooth = {"area_for_downscale": "image"}
    return {
        "RandomResizedCrop": {"size": (size, size)},
        "RandomSizedCrop": {"size": (size, size)},
        "Resize": {**side, **smooth},
        "CenterCrop": {**side, "pad_if_needed": True},
        "RandomCrop": {**side, "pad_if_needed": True},
        "SmallestMaxSize": {"max_size": size, **smooth},
        "LongestMaxSize": {"max_size": size, **smooth},
        "PadIfNeeded": {"min_height": size, "min_width": size},
    }


SIZING = frozenset(_sizes(0))


def parse(steps: object) -> list[tuple[str, dict[str, Any]]]:
    """Check the form and the names of a list of steps, without importing albumentations.

    Args:
        steps: a list of ``"Name"`` or ``{"Name": {parameter: value}}``; a group such as ``OneOf``
            holds its own steps under ``transforms``.

    Returns:
        Names and parameters as plain dicts, tuples and scalars; ``transforms`` parsed likewise.

    Raises:
        ConfigError: one line, when a step is not of this form or its name is unknown.
    """
    if isinstance(steps, str | Mapping) or not isinstance(steps, Sequence):
        raise ConfigError(f"augmentation steps must be a list, not {steps!r:.60}")
    return [_parse_step(step) for step in steps]


def _parse_step(step: object) -> tuple[str, dict[str, Any]]:
    if isinstance(step, str):
        step = {step: None}
    if not isinstance(step, Mapping) or len(step) != 1:
        raise ConfigError(
            f"an augmentation step is 'Name' or {{Name: {{parameter: value}}}}, not {step!r:.60}"
        )
    name, given = next(iter(step.items()))
    if name in _REFUSED:
        raise ConfigError(f"augmentation step '{name}' is not available: {_REFUSED[name]}")
    if name not in STEPS | GROUPS:
        hint = nearest(str(name), STEPS | GROUPS)
        raise ConfigError(f"unknown augmentation step '{name}'{hint}")
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f"augmentation step '{name}': expected parameters, not {given!r:.60}")
    parameters = {str(key): value for key, value in (given or {}).items()}
    if name not in GROUPS:
        return name, {key: plain(value) for key, value in parameters.items()}
    inner = parse(parameters.pop("transforms", []))
    if not inner:
        raise ConfigError(f"augmentation step '{name}': 'transforms' needs at least one step")
    return name, {**{key: plain(value) for key, value in parameters.items()}, "transforms": inner}


def plain(value: object) -> Any:
    """Return ``value`` with dicts and tuples for whatever mappings and lists it holds."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(plain(inner) for inner in value)
    return value


def names_in(parsed: list[tuple[str, dict[str, Any]]]) -> set[str]:
    """Return the names of all steps, those inside groups included."""
    found = set()
    for name, parameters in parsed:
        found |= {name} | (names_in(parameters["transforms"]) if name in GROUPS else set())
    return found


def build(parsed: list[tuple[str, dict[str, Any]]], size: int) -> list[Any]:
    """Build albumentations transforms from `parse`'s result.

    Args:
        parsed: names and parameters.
        size: side of the model's input, filled in where a step determines the output size.

    Raises:
        ConfigError: one line naming the step and the parameter that is unknown or refused.
    """
    library = _albumentations()
    return [_build_step(library, name, parameters, size) for name, parameters in parsed]


def _build_step(library: Any, name: str, given: dict[str, Any], size: int) -> Any:
    maker = getattr(library, name)
    valid = [key for key in inspect.signature(maker.__init__).parameters if key != "self"]
    for key in given:
        if key not in valid:
            hint = nearest(key, valid) or f" (one of {', '.join(valid)})"
            raise ConfigError(f"augmentation step '{name}': unknown parameter '{key}'{hint}")
    parameters = dict(given)
    if name in GROUPS:
        _check_group(name, parameters)
        parameters["transforms"] = inner = build(parameters["transforms"], size)
        if not any(step.p for step in inner):
            raise ConfigError(f"augmentation step '{name}': every step in it has p = 0")
    elif "max_size_hw" not in parameters:
        parameters = {**_sizes(size).get(name, {}), **parameters}
    if name in RESIZING_CROPS and not {"interpolation", "area_for_downscale"} & set(given):
        maker = antialiased(maker)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Advice to developers, such as a newer spelling.
            return maker(**parameters)
    except Exception as error:
        raise ConfigError(f"augmentation step '{name}': {_complaint(error, given)}") from None


def _check_group(name: str, parameters: dict[str, Any]) -> None:
    """Check what albumentations takes unchecked in its groups."""
    p, n = parameters.get("p", 1), parameters.get("n", 1)
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
        raise ConfigError(f"augmentation step '{name}': 'p' must be 0 to 1, not {p!r}")
    count = len(parameters["transforms"])
    if type(n) is not int or n < 1 or (n > count and not parameters.get("replace", False)):
        raise ConfigError(f"augmentation step '{name}': 'n' must be 1 to {count}, not {n!r}")
    if not isinstance(parameters.get("replace", False), bool):
        raise ConfigError(f"augmentation step '{name}': 'replace' must be true or false")


def _complaint(error: Exception, given: dict[str, Any]) -> str:
    """Put pydantic's pages of complaint on one line about one parameter."""
    details = getattr(error.__context__, "errors", None)
    if not callable(details):
        return " ".join(str(error).split())
    found = details()
    key = str(found[0]["loc"][0]) if found[0]["loc"] else ""
    if found[0]["type"] == "missing":
        return f"parameter '{key}' is required"
    said = [entry["msg"].removeprefix("Value error, ") for entry in found]
    why = " or ".join(dict.fromkeys(message.removeprefix("Input ") for message in said))
    return f"'{key}' = {given[key]!r:.60}: {why}" if key in given else why


def _albumentations() -> Any:
    """Import albumentations: it costs 2 s, so only a policy that has steps pays."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # It would otherwise phone home.
    if "albumentations" not in sys.modules and "torch" not in sys.modules:
        # It would import torch for a tensor step that is not offered here: 4 s more for a preflight
        # check. None makes that import fail, which albumentations allows for.
        sys.modules["torch"] = None  # type: ignore[assignment]
        try:
            import albumentations
        finally:
            sys.modules.pop("torch", None)
    import albumentations

    return albumentations
