"""Osprey's checkpoints: tensors and plain data, opened without running anything inside them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from osprey.errors import CheckpointError, UserError, reason_of
from osprey.models.foreign import is_foreign
from osprey.models.registry import ModelSpec, build
from osprey.models.rewrites import NETWORK_REWRITES, rewrite
from osprey.system.files import atomic_path
from osprey.system.trust import refuse_untrusted, targets_in

METADATA_KEY = "osprey"  # key of Osprey's metadata beside Lightning's own entries
FORMAT = 1
_MOST_OUTPUTS = 1_000_000  # an untrusted file may ask for more than memory holds


@dataclass(frozen=True)
class CheckpointMetadata:
    """The metadata of a checkpoint.

    Attributes:
        task: Name of the task it was trained for.
        model: How to build the network.
        classes: Class names in the order of the outputs.
        preprocess: `Preprocess` as a dictionary.
        temperature: Divides the logits before softmax; 1 until fitted.
        thresholds: A detector's score threshold per class, 0 to 1; None until chosen.
        outputs: Number of outputs, if not one per class.
    """

    task: str
    model: ModelSpec
    classes: list[str]
    preprocess: dict[str, Any]
    temperature: float = 1.0
    thresholds: list[float] | None = None
    outputs: int | None = None

    @property
    def num_outputs(self) -> int:
        """Number of outputs of the network per photo."""
        return len(self.classes) if self.outputs is None else self.outputs

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return {
            "format": FORMAT,
            "task": self.task,
            "model": self.model.to_dict(),
            "classes": list(self.classes),
            "preprocess": dict(self.preprocess),
            "temperature": float(self.temperature),
            "thresholds": self.thresholds,
            **({} if self.outputs is None else {"outputs": self.outputs}),
        }


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint by ``torch.load(weights_only=True)``; code inside it is refused, not run.

    Raises:
        CheckpointError: Missing, damaged, hostile, or not one of Osprey's.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint '{path}'")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"checkpoint '{path}' is damaged or holds more than tensors and plain data; "
            "it was not loaded, because such a file could run code"
        ) from None
    except Exception as error:
        reason = reason_of(error)
        raise CheckpointError(
            f"checkpoint '{path}' is damaged ({reason}): copy it again, or use another of the run"
        ) from None
    if isinstance(content, dict) and METADATA_KEY in content:
        state = content.get("state_dict")
        if isinstance(state, dict) and all(isinstance(key, str) for key in state):
            return content
    raise CheckpointError(f"'{path}' is not a checkpoint of Osprey's")


def metadata_of(content: Mapping[str, Any], path: Path) -> CheckpointMetadata:
    """The checkpoint's metadata, with the type of every field checked.

    Raises:
        CheckpointError: A field is missing or of the wrong type, so Osprey did not write this file.
    """
    raw = content[METADATA_KEY]
    try:
        if raw["format"] != FORMAT:
            raise CheckpointError(
                f"checkpoint '{path}' has format {raw['format']!r}, this Osprey reads {FORMAT}"
            )
        model = ModelSpec(raw["model"]["factory"], raw["model"]["name"], raw["model"]["options"])
        classes, preprocess, temperature = raw["classes"], raw["preprocess"], raw["temperature"]
        thresholds = raw.get("thresholds")  # earlier checkpoints know none
        metadata = CheckpointMetadata(
            raw["task"], model, classes, preprocess, temperature, thresholds, raw.get("outputs")
        )
    except (KeyError, TypeError):
        raise CheckpointError(f"checkpoint '{path}' lacks part of its description") from None
    plain = (
        all(isinstance(v, str) for v in (metadata.task, model.factory, model.name))
        and isinstance(model.options, dict)
        and isinstance(metadata.classes, list)
        and all(isinstance(name, str) for name in metadata.classes)
        and len(set(metadata.classes)) == len(metadata.classes)
        and (metadata.outputs is None or type(metadata.outputs) is int)
        and 1 <= metadata.num_outputs <= _MOST_OUTPUTS
        and isinstance(metadata.preprocess, dict)
        and isinstance(metadata.temperature, float)
        and metadata.temperature > 0
        and (thresholds is None or _are_thresholds(thresholds, len(metadata.classes)))
    )
    if not plain:
        raise CheckpointError(f"checkpoint '{path}' describes itself in a way Osprey never writes")
    return metadata


def _are_thresholds(values: Any, count: int) -> bool:
    """Whether ``values`` are one score of 0 to 1 a class."""
    return (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(v, float) and 0 <= v <= 1 for v in values)
    )


def load_model(
    path: Path, rewrites: Sequence[str] = NETWORK_REWRITES
) -> tuple[nn.Module, CheckpointMetadata]:
    """Rebuild the trained network of a checkpoint, in evaluation mode on the CPU.

    Args:
        path: The checkpoint; its EMA weights are used if it has any.
        rewrites: Rewrites applied to a network of Osprey's own (`osprey.models.rewrites`).

    Raises:
        CheckpointError: The file is refused, holds NaN or infinity, or does not fit the network it
            names.
        ConfigError: The user's own network cannot be imported or built.
    """
    content = read_checkpoint(path)
    metadata = metadata_of(content, path)
    state = content["state_dict"]
    refuse_not_numbers(state, path)
    prefix = "ema.module." if any(key.startswith("ema.module.") for key in state) else "model."
    own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    if is_foreign(metadata.model):
        return _load_foreign(metadata, own, path), metadata
    try:
        with torch.device("meta"):  # an untrusted file may name a network larger than memory
            shapes = _shapes(build(metadata.model, metadata.num_outputs).state_dict())
        fits = shapes == _shapes(own)
        model = build(metadata.model, metadata.num_outputs) if fits else None
    except UserError as error:
        raise CheckpointError(f"checkpoint '{path}' is refused: {error}") from None
    if model is None:
        raise CheckpointError(
            f"checkpoint '{path}': its tensors do not fit '{metadata.model.name}'"
        )
    model.load_state_dict(own)
    rewrite(model, metadata.model, rewrites)
    return model.eval(), metadata


def refuse_not_numbers(state: Mapping[str, Tensor], path: Path) -> None:
    """Check that all weights are finite.

    Args:
        state: State dict.
        path: The checkpoint, for the message.

    Raises:
        CheckpointError: One holds NaN or infinity.
    """
    for key, value in state.items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            continue
        # The sum is not finite where a value is not, and far quicker than looking at each.
        if not torch.isfinite(value.sum()) and not torch.isfinite(value).all():
            raise CheckpointError(
                f"checkpoint '{path}': '{key}' holds values that are not numbers (nan or inf): "
                "train again with a lower optimizer.lr"
            )


def _load_foreign(metadata: CheckpointMetadata, own: Mapping[str, Tensor], path: Path) -> nn.Module:
    """A network of the user's own, where this command trusts its package."""
    spec = metadata.model
    named = [spec.factory, *targets_in(dict(spec.options))]
    refuse_untrusted(f"checkpoint '{path}'", named)
    model = build(spec, metadata.num_outputs)
    if _shapes(model.state_dict()) != _shapes(own):
        raise CheckpointError(f"checkpoint '{path}': its tensors do not fit '{spec.name}'")
    model.load_state_dict(own)
    return model.eval()


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[int, ...] | None]:
    return {key: tuple(v.shape) if isinstance(v, Tensor) else None for key, v in state.items()}


def amend_metadata(path: Path, **values: Any) -> None:
    """Change fields of a checkpoint's metadata, atomically.

    Args:
        path: The checkpoint.
        values: Fields of `CheckpointMetadata`.

    Raises:
        CheckpointError: It cannot be read.
    """
    content = read_checkpoint(path)
    content[METADATA_KEY] = replace(metadata_of(content, path), **values).to_dict()
    write_checkpoint(content, path)


def write_checkpoint(content: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint atomically: to a temporary name, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial, partial.open("wb") as file:
        try:
            torch.save(dict(content), file)
        except RuntimeError as error:  # torch's words for a full disk do not name it
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
