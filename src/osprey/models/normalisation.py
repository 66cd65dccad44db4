"""How the photos were normalised that given weights were trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from osprey.errors import CheckpointError
from osprey.models.checkpoint import metadata_of, read_checkpoint
from osprey.models.spec import IMAGENET

Statistics = tuple[tuple[float, ...], tuple[float, ...]]  # mean and std of red, green, blue

# What published weights were trained with.
KNOWN: Mapping[str, Statistics] = {
    "[0.5, 0.5, 0.5]": ((0.5,) * 3, (0.5,) * 3),
    "ImageNet's": IMAGENET,
    "none": ((0.0,) * 3, (1.0,) * 3),
}
_CLEARLY = 0.5  # of the distance: photos of another world are far from all of them


def statistics_of(path: Path) -> Statistics | None:
    """What a file of weights says of its normalisation.

    Args:
        path: Of Osprey's checkpoint; or of weights with ``mean`` and ``std``, or timm's
            ``pretrained_cfg``, in the metadata of safetensors or in ``config.json`` beside it.

    Returns:
        Mean and std; None where nothing is said.
    """
    for said in (_of_checkpoint(path), _of_safetensors(path), _of_config(path)):
        config: Any = said.get("pretrained_cfg", said)
        found = tuple(_three(config.get(key)) for key in ("mean", "std"))
        if None not in found:
            return found  # type: ignore[return-value]
    return None


def _three(values: Any) -> tuple[float, ...] | None:
    if isinstance(values, str):
        values = _plain(values)
    if not isinstance(values, list | tuple) or len(values) != 3:
        return None
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return tuple(map(float, values)) if numbers else None


def _plain(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _of_checkpoint(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        return {}
    try:
        return dict(metadata_of(read_checkpoint(path), path).preprocess)
    except CheckpointError:
        return {}


def _of_safetensors(path: Path) -> dict[str, Any]:
    if path.suffix != ".safetensors":
        return {}
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            said = dict(file.metadata() or {})
    except Exception:  # the one who reads the weights says what is wrong with them
        return {}
    config = _plain(said.get("pretrained_cfg", ""))
    return {**said, "pretrained_cfg": config} if isinstance(config, dict) else said


def _of_config(path: Path) -> dict[str, Any]:
    file = path.parent / "config.json"
    said = _plain(file.read_bytes()) if file.is_file() else None
    return said if isinstance(said, dict) else {}


def distances(model: nn.Module, photos: Tensor, used: Statistics) -> dict[str, float]:
    """How far the first BatchNorm's input is from what it was trained on, by normalisation.

    The distance is the median over channels of the Kullback-Leibler divergence of the two normal
    distributions.

    Args:
        model: With the weights in question, on the CPU.
        photos: uint8 [N, S, S, 3].
        used: What the run would use.

    Returns:
        By name of `KNOWN`, and ``used``; empty for a network without BatchNorm.
    """
    pixels = photos.permute(0, 3, 1, 2).float() / 255
    found = {}
    for name, (mean, std) in {**KNOWN, "used": used}.items():
        seen = _first_input(model, (pixels - _column(mean)) / _column(std))
        if seen is None:
            return {}
        found[name] = seen
    return found


def _column(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values).view(1, 3, 1, 1)


class _Enough(Exception):
    """What comes after the first BatchNorm is of no concern."""


def _first_input(model: nn.Module, images: Tensor) -> float | None:
    """The distance at the BatchNorm that comes first."""
    found: list[float] = []

    def look(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, _BatchNorm)
        if norm.running_mean is None or norm.running_var is None:
            return
        mean = inputs[0].mean(dim=(0, 2, 3)) - norm.running_mean
        trained = norm.running_var + norm.eps
        ratio = inputs[0].var(dim=(0, 2, 3)) / trained
        apart = (ratio + mean**2 / trained - 1 - torch.log(ratio + 1e-12)) / 2
        found.append(float(apart.median()))
        raise _Enough

    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    handles = [norm.register_forward_pre_hook(look) for norm in norms]
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(images)
    except _Enough:
        pass
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return found[0] if found else None


def fits_better(model: nn.Module, photos: Tensor, used: Statistics) -> str:
    """A line for weights that other statistics fit clearly better; empty where none do.

    Args:
        model: See `distances`.
        photos: See `distances`.
        used: See `distances`.

    Returns:
        The line, with the settings to add.
    """
    found = distances(model, photos, used)
    best = min((name for name in found if name != "used"), key=lambda n: found[n], default="")
    if not best or found[best] > _CLEARLY * found["used"]:
        return ""
    mean, std = (f"[{', '.join(f'{v:g}' for v in values)}]" for values in KNOWN[best])
    return (
        "these weights do not say how their photos were normalised, and another mean and std fit "
        f"their first BatchNorm better ({found[best]:.2f} off instead of {found['used']:.2f}): "
        f"try data.mean={mean} data.std={std}"
    )
