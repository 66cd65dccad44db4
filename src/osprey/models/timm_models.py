"""Any of timm's image models, by plain names and options alone."""

from __future__ import annotations

from typing import cast

from torch import nn

from osprey.errors import ConfigError, nearest
from osprey.models.spec import IMAGENET, InputSettings, ModelSpec

# What of timm.create_model may be set. Others of its arguments read files or reach the network.
OPTIONS = (
    "drop_rate",
    "drop_path_rate",
    "drop_block_rate",
    "attn_drop_rate",
    "proj_drop_rate",
    "img_size",
    "dynamic_img_size",
    "global_pool",
    "pad_type",
    "patch_size",
)


def build_timm(spec: ModelSpec, num_classes: int) -> nn.Module:
    """Build an untrained model of timm's; ``num_classes`` 0 leaves its classifier out.

    Raises:
        ConfigError: timm has no model of this name.
    """
    import timm

    check_timm_name(spec.name)
    return timm.create_model(spec.name, num_classes=num_classes, **spec.options)


def check_timm_name(name: str) -> None:
    """Only plain names of timm's own list: a prefix such as ``hf-hub:`` would fetch things."""
    import timm

    if ":" in name or "/" in name or not timm.is_model(name):
        hint = nearest(name, timm.list_models()) or "; 'osprey models PATTERN' lists them"
        raise ConfigError(f"unknown model '{name}'{hint}")


def timm_input(spec: ModelSpec) -> InputSettings:
    """The input that timm's weights of this model were trained on."""
    import timm

    check_timm_name(spec.name)
    cfg = timm.get_pretrained_cfg(spec.name)
    if cfg is None:
        return InputSettings(224, *IMAGENET, 0.875)
    size = int(spec.options.get("img_size", cfg.input_size[-1]))
    mean, std = (cast("tuple[float, float, float]", tuple(v)) for v in (cfg.mean, cfg.std))
    return InputSettings(size, mean, std, float(cfg.crop_pct))


def fixed_size(name: str) -> bool:
    """Transformers learn positions for one size and must be told another as an option."""
    import timm

    cfg = timm.get_pretrained_cfg(name)
    return cfg is not None and bool(cfg.fixed_input_size)
