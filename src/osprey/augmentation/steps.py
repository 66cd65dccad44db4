"""Augmentation steps as plain data, checked by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from osprey.errors import ConfigError, nearest

Steps = Sequence[Mapping[str, Mapping[str, Any]] | str]
# Settings of a policy that take whole batches, on their device.
OF_BATCHES = ("mixup", "cutmix", "erasing", "multi_scale")
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
        "use augmentation.mosaic": ("Mosaic",),
        "use mixup and cutmix": ("OverlayElements",),
        "it needs more than the one photo": ("FDA", "HistogramMatching", "MaskDropout"),
    }.items()
    for name in names
}
# Crops that look at the boxes, so they go with detection alone.
BOX_CROPS = frozenset({"AtLeastOneBBoxRandomCrop", "BBoxSafeRandomCrop", "RandomSizedBBoxSafeCrop"})
# They tear a subject apart, or their boxes miss its pixels by more than two.
_BOXLESS = frozenset(
    {"GridElasticDeform", "Morphological", "PiecewiseAffine", "RandomGridShuffle"}
    | {"ThinPlateSpline"}
)
MIN_VISIBLE = 0.25  # fraction of a box that must stay visible, or it is dropped


def parse(steps: object, *, boxes: bool = False) -> list[tuple[str, dict[str, Any]]]:
    """Check the structure and the names of a list of steps, without importing albumentations.

    Args:
        steps: A list of ``"Name"``, ``{"Name": {parameter: value}}`` or, for a transform of the
            user's own, ``{"_target_": "my_pkg.Rain", parameter: value}``; a group such as ``OneOf``
            holds its own steps under ``transforms``.
        boxes: The steps must support boxes.

    Returns:
        Names and parameters as plain dicts, tuples and scalars; ``transforms`` parsed likewise.

    Raises:
        ConfigError: A step is not of this form or its name is unknown.
    """
    if isinstance(steps, str | Mapping) or not isinstance(steps, Sequence):
        raise ConfigError(f"augmentation steps must be a list, not {steps!r:.60}")
    return [_parse_step(step, boxes) for step in steps]


def _parse_step(step: object, boxes: bool) -> tuple[str, dict[str, Any]]:
    if isinstance(step, str):
        step = {step: None}
    if isinstance(step, Mapping) and "_target_" in step:  # a transform of the user's own
        own = {str(key): plain(value) for key, value in step.items() if key != "_target_"}
        return str(step["_target_"]), own
    if not isinstance(step, Mapping) or len(step) != 1:
        raise ConfigError(
            f"an augmentation step is 'Name' or {{Name: {{parameter: value}}}}, not {step!r:.60}"
        )
    name, given = next(iter(step.items()))
    if name in _REFUSED:
        raise ConfigError(f"augmentation step '{name}' is not available: {_REFUSED[name]}")
    if boxes and name in _BOXLESS:
        raise ConfigError(
            f"augmentation step '{name}' cannot be used with boxes: it misplaces them"
        )
    if not boxes and name in BOX_CROPS:
        raise ConfigError(f"augmentation step '{name}' goes with task=detection: it needs boxes")
    known = STEPS | GROUPS | (BOX_CROPS if boxes else set())
    if name not in known:
        raise ConfigError(f"unknown augmentation step '{name}'{nearest(str(name), known)}")
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f"augmentation step '{name}': expected parameters, not {given!r:.60}")
    parameters = {str(key): value for key, value in (given or {}).items()}
    if name not in GROUPS:
        return name, {key: plain(value) for key, value in parameters.items()}
    inner = parse(parameters.pop("transforms", []), boxes=boxes)
    if not inner:
        raise ConfigError(f"augmentation step '{name}': 'transforms' needs at least one step")
    return name, {**{key: plain(value) for key, value in parameters.items()}, "transforms": inner}


def plain(value: object) -> Any:
    """Convert nested containers to plain ones.

    Args:
        value: Anything.

    Returns:
        Mappings as dicts with string keys, sequences as tuples; other values unchanged.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(plain(inner) for inner in value)
    return value


def names_in(parsed: list[tuple[str, dict[str, Any]]]) -> set[str]:
    """The names of all steps.

    Args:
        parsed: From `parse`.

    Returns:
        Names, including those inside groups.
    """
    found = set()
    for name, parameters in parsed:
        found |= {name} | (names_in(parameters["transforms"]) if name in GROUPS else set())
    return found
