"""Albumentations transforms from steps that were checked by name."""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from typing import Any

from osprey.augmentation.crops import RESIZING_CROPS, antialiased, never_empty
from osprey.augmentation.steps import BOX_CROPS, GROUPS, MIN_VISIBLE
from osprey.errors import ConfigError, nearest
from osprey.system.instantiate import instantiate


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
        "AtLeastOneBBoxRandomCrop": side,
        "BBoxSafeRandomCrop": {},
        "RandomSizedBBoxSafeCrop": side,
    }


SIZING = frozenset(_sizes(0))


def build(parsed: list[tuple[str, dict[str, Any]]], size: int) -> list[Any]:
    """Build albumentations transforms from `parse`'s result.

    Args:
        parsed: Names and parameters.
        size: Side of the model's input in pixels, filled in where a step determines the output
            size.

    Returns:
        One transform per step.

    Raises:
        ConfigError: One line that names the step and the parameter that is unknown or refused.
    """
    library = _albumentations()
    return [_build_step(library, name, parameters, size) for name, parameters in parsed]


def _build_step(library: Any, name: str, given: dict[str, Any], size: int) -> Any:
    if "." in name:
        return _foreign(library, name, given)
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
    if name in BOX_CROPS:
        maker = never_empty(maker)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Advice to developers, such as a newer spelling.
            made = maker(**parameters)
    except Exception as error:
        raise ConfigError(f"augmentation step '{name}': {_complaint(error, given)}") from None
    return made if name in GROUPS else _with_boxes(library, made)


def _with_boxes(library: Any, made: Any) -> Any:
    """A step that hides parts of a photo learns which boxes to drop."""
    utilities = library.core.bbox_utils
    rules = utilities.BboxParams("pascal_voc", min_visibility=MIN_VISIBLE)
    made.set_processors({"bboxes": utilities.BboxProcessor(rules)})
    return made


def _foreign(library: Any, target: str, given: dict[str, Any]) -> Any:
    """A transform of the user's own: any subclass of albumentations' ``BasicTransform``."""
    node = {"_target_": target, **given}
    made = instantiate("augmentation.steps", node, library.BasicTransform)
    return _with_boxes(library, made)


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
