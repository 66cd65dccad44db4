"""Any of timm's image models, by plain names and options alone."""

from __future__ import annotations

import inspect
from typing import cast

from torch import nn

from osprey.errors import ConfigError, nearest
from osprey.models.spec import IMAGENET, InputSettings, ModelSpec


def create_timm(
    name: str,
    num_classes: int,
    *,
    drop_rate: float | None = None,
    drop_path_rate: float | None = None,
    drop_block_rate: float | None = None,
    attn_drop_rate: float | None = None,
    proj_drop_rate: float | None = None,
    img_size: int | None = None,
    dynamic_img_size: bool | None = None,
    global_pool: str | None = None,
    pad_type: str | None = None,
    patch_size: int | None = None,
) -> nn.Module:
    """Build an untrained model of timm's.

    Only arguments of ``timm.create_model`` that neither read files nor use the network are
    accepted. None keeps the model's default.

    Args:
        name: timm's name for it.
        num_classes: Outputs; 0 leaves the classifier out.
        drop_rate: Dropout before the classifier.
        drop_path_rate: Stochastic depth.
        drop_block_rate: DropBlock.
        attn_drop_rate: Dropout of attention.
        proj_drop_rate: Dropout of projections.
        img_size: Pixels a side, for transformers that learn positions.
        dynamic_img_size: Let positions be interpolated to any size.
        global_pool: Kind of pooling.
        pad_type: Padding of convolutions: ``same`` as TensorFlow's.
        patch_size: Pixels a side of a patch.

    Returns:
        The model.

    Raises:
        ConfigError: timm has no model of this name.
    """
    given = {key: value for key, value in locals().items() if key not in ("name", "num_classes")}
    import timm

    check_timm_name(name)
    known = {key: value for key, value in given.items() if value is not None}
    return timm.create_model(name, num_classes=num_classes, **known)


# What of a timm model may be set.
OPTIONS = tuple(
    k for k in inspect.signature(create_timm).parameters if k not in ("name", "num_classes")
)


def build_timm(spec: ModelSpec, num_classes: int) -> nn.Module:
    """Build an untrained model of timm's from its description.

    Args:
        spec: ``name`` is timm's; ``options`` are arguments of `create_timm`.
        num_classes: Outputs; 0 leaves the classifier out.

    Returns:
        The model.

    Raises:
        ConfigError: timm has no model of this name.
    """
    return create_timm(spec.name, num_classes, **spec.options)


def check_timm_name(name: str) -> None:
    """Accept only plain names from timm's list: a prefix such as ``hf-hub:`` would download files.

    Args:
        name: timm's name of a model.

    Raises:
        ConfigError: timm has no model of this name.
    """
    import timm

    if ":" in name or "/" in name or not timm.is_model(name):
        hint = nearest(name, timm.list_models()) or "; 'osprey models PATTERN' lists them"
        raise ConfigError(f"unknown model '{name}'{hint}")


def timm_input(spec: ModelSpec) -> InputSettings:
    """The input that timm's weights of a model were trained on.

    Args:
        spec: Description of the model; its option ``img_size`` takes precedence.

    Returns:
        Side, mean, std and crop; 224 px and ImageNet's where timm has no weights.

    Raises:
        ConfigError: timm has no model of this name.
    """
    import timm

    check_timm_name(spec.name)
    cfg = timm.get_pretrained_cfg(spec.name)
    if cfg is None:
        return InputSettings(224, *IMAGENET, 0.875)
    size = int(spec.options.get("img_size", cfg.input_size[-1]))
    mean, std = (cast("tuple[float, float, float]", tuple(v)) for v in (cfg.mean, cfg.std))
    return InputSettings(size, mean, std, float(cfg.crop_pct))


def fixed_size(name: str) -> bool:
    """Whether a model accepts one input size only, because of its position embeddings.

    Args:
        name: timm's name of a model.

    Returns:
        True if another size needs the option ``img_size``.
    """
    import timm

    cfg = timm.get_pretrained_cfg(name)
    return cfg is not None and bool(cfg.fixed_input_size)
