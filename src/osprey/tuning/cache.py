"""Cache of autotune's measurements per network, step, machine and version."""

from __future__ import annotations

import hashlib
import json
import platform
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from osprey import __version__
from osprey.config.schema import TrainerConfig
from osprey.system.files import write_json
from osprey.tasks.base import Task
from osprey.tuning.autotune import Candidate
from osprey.tuning.trial import Setting


def what_matters(
    task: Task, trainer: TrainerConfig, size: int, share: int, device: torch.device, *, ema: bool
) -> dict[str, Any]:
    """The cache key: everything that the speed of a step depends on.

    Args:
        task: The module.
        trainer: The run's ``trainer`` settings.
        size: Side of training images in pixels.
        share: Batch size per process.
        device: Device to compute on.
        ema: Whether averaged weights are kept.

    Returns:
        Plain data.
    """
    cuda = device.type == "cuda"
    settings = task.settings
    name = torch.cuda.get_device_name(device) if cuda else platform.processor() or device.type
    return {
        "model": task.metadata.model.to_dict(),
        "classes": len(task.metadata.classes),
        "settings": {
            "open": [str(value) for value in open_settings(trainer)],
            "freeze": str(settings.freeze),
            "freeze_stages": settings.freeze_stages,
            "freeze_batchnorm": settings.freeze_batchnorm,
            "optimizer": settings.optimizer.name,
            "ema": ema,
            "clip": settings.gradient_clip is not None,
            "deterministic": trainer.deterministic,
        },
        "size": size,
        "batch": share,
        "machine": {
            "device": name,
            "node": platform.node(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "osprey": __version__,
        },
    }


def file_for(facts: dict[str, Any], cache: Path) -> Path:
    """The cache file of a key.

    Args:
        facts: From `what_matters`.
        cache: ``paths.cache``.

    Returns:
        Its path.
    """
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]
    return cache / "autotune" / f"{key}.json"


def as_plain(found: list[Candidate], choice: Setting) -> dict[str, Any]:
    """The measurements as plain data."""
    return {"choice": asdict(choice), "candidates": [asdict(c) for c in found]}


def remember(file: Path, found: list[Candidate], choice: Setting) -> None:
    """Write the measurements; a cache that is not writable is ignored.

    Args:
        file: From `file_for`.
        found: The measurements.
        choice: The chosen setting.
    """
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, as_plain(found, choice))


def recall(file: Path, ways: list[Setting]) -> tuple[list[Candidate], Setting] | None:
    """Read measurements.

    Args:
        file: From `file_for`.
        ways: Settings that may be chosen now.

    Returns:
        Measurements and choice; None if there are none, or they are invalid.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        found = [
            Candidate(**{**c, "setting": Setting(**c["setting"])}) for c in content["candidates"]
        ]
        choice = Setting(**content["choice"])
        plain = Setting(choice.precision, choice.channels_last)
        known = any(c.setting == choice and c.rate > 0 for c in found)
        return (found, choice) if known and plain in ways else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def open_settings(trainer: TrainerConfig) -> tuple[str, bool | str, bool | str]:
    """The settings that may be ``auto``: precision, channels_last, compile."""
    return trainer.precision, trainer.channels_last, trainer.compile
