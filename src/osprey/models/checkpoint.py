"""Osprey's checkpoints: tensors and plain data, opened without running anything inside them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from osprey.errors import CheckpointError, ConfigError
from osprey.models.folding import fold_batchnorm
from osprey.models.registry import ModelSpec, build

FACTS_KEY = "osprey"  # where our plain facts stand beside Lightning's own entries
FORMAT = 1


@dataclass(frozen=True)
class Facts:
    """What a checkpoint says of itself besides its tensors.

    Attributes:
        task: Name of the task it was trained for.
        model: How to build the network.
        classes: Class names in the order of the outputs.
        preprocess: Plain form of the preprocessing it was trained with.
        temperature: Divides the logits before softmax; 1 until fitted.
    """

    task: str
    model: ModelSpec
    classes: list[str]
    preprocess: dict[str, Any]
    temperature: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return {
            "format": FORMAT,
            "task": self.task,
            "model": self.model.to_dict(),
            "classes": list(self.classes),
            "preprocess": dict(self.preprocess),
            "temperature": float(self.temperature),
        }


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Open a checkpoint's file; code inside it is refused, not run.

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
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise CheckpointError(
            f"checkpoint '{path}' is damaged ({reason}): copy it again, or use another of the run"
        ) from None
    if isinstance(content, dict) and FACTS_KEY in content:
        state = content.get("state_dict")
        if isinstance(state, dict) and all(isinstance(key, str) for key in state):
            return content
    raise CheckpointError(f"'{path}' is not a checkpoint of Osprey's")


def facts_of(content: Mapping[str, Any], path: Path) -> Facts:
    """The checkpoint's facts, every one of them checked for its type.

    Raises:
        CheckpointError: A fact is missing or not of its type: somebody else wrote this file.
    """
    raw = content[FACTS_KEY]
    try:
        if raw["format"] != FORMAT:
            raise CheckpointError(
                f"checkpoint '{path}' has format {raw['format']!r}, this Osprey reads {FORMAT}"
            )
        model = ModelSpec(raw["model"]["factory"], raw["model"]["name"], raw["model"]["options"])
        facts = Facts(raw["task"], model, raw["classes"], raw["preprocess"], raw["temperature"])
    except (KeyError, TypeError):
        raise CheckpointError(f"checkpoint '{path}' lacks part of its description") from None
    plain = (
        all(isinstance(v, str) for v in (facts.task, model.factory, model.name))
        and isinstance(model.options, dict)
        and isinstance(facts.classes, list)
        and all(isinstance(name, str) for name in facts.classes)
        and len(set(facts.classes)) == len(facts.classes) >= (1 if facts.task == "detection" else 2)
        and isinstance(facts.preprocess, dict)
        and isinstance(facts.temperature, float)
        and facts.temperature > 0
    )
    if not plain:
        raise CheckpointError(f"checkpoint '{path}' describes itself in a way Osprey never writes")
    return facts


def load_model(path: Path) -> tuple[nn.Module, Facts]:
    """Rebuild the trained network of a checkpoint, in evaluation mode on the CPU.

    The averaged weights are taken where the run kept some.

    Raises:
        CheckpointError: The file is refused, or its tensors do not fit the network it names.
    """
    content = read_checkpoint(path)
    facts = facts_of(content, path)
    state = content["state_dict"]
    prefix = "ema.module." if any(key.startswith("ema.module.") for key in state) else "model."
    own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    try:
        with torch.device("meta"):  # a stranger's file may name a network larger than memory
            shapes = _shapes(build(facts.model, len(facts.classes)).state_dict())
        fits = shapes == _shapes(own)
        model = build(facts.model, len(facts.classes)) if fits else None
    except ConfigError as error:
        raise CheckpointError(f"checkpoint '{path}' is refused: {error}") from None
    if model is None:
        raise CheckpointError(f"checkpoint '{path}': its tensors do not fit '{facts.model.name}'")
    model.load_state_dict(own)
    fold_batchnorm(model)
    return model.eval(), facts


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[int, ...] | None]:
    return {key: tuple(v.shape) if isinstance(v, Tensor) else None for key, v in state.items()}


def write_checkpoint(content: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint whole or not at all: to a temporary name, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save(dict(content), temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
