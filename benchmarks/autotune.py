"""Training images a second as autotune chooses, over the same model in plain NCHW float32."""

from __future__ import annotations

import numpy as np
import torch
from common import Row, compare, finish
from hydra import compose, initialize_config_dir

from osprey.config.compose import CONFIG_DIR
from osprey.config.parse import typed
from osprey.config.schema import TrainConfig
from osprey.data.dataset import Batch
from osprey.imaging import Preprocess
from osprey.models.checkpoint import CheckpointMetadata
from osprey.models.registry import ModelSpec, build
from osprey.system.devices import pick_device
from osprey.tasks.classification.module import Classification
from osprey.tasks.quiet import quieten
from osprey.tasks.settings import TrainingSettings
from osprey.tuning import autotune
from osprey.tuning.trial import Setting, Trial

# config, side in pixels, batch, goal
MODELS = [
    ("mobilenetv2", 224, 16, 1.4),
    ("simple_cnn", 96, 32, 1.0),
    ("resnet18", 128, 8, 1.0),
    ("mobilenetv3_small", 224, 8, 1.0),
    ("mobilenetv3_large", 224, 8, 1.0),
    ("efficientnet_b0", 224, 8, 1.0),
]
CLASSES = [f"class {number}" for number in range(10)]


def train_config(*overrides: str) -> TrainConfig:
    """What ``osprey train OVERRIDES...`` would be told."""
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return typed(compose("train", overrides=list(overrides)))


def make_task(config: TrainConfig, size: int) -> Classification:
    """An untrained network in the task that trains it."""
    torch.manual_seed(0)
    spec = ModelSpec(config.model.factory, config.model.name, {})
    facts = CheckpointMetadata("classification", spec, CLASSES, Preprocess(size=size).to_dict())
    counts = np.full(len(CLASSES), 100)
    settings, task = TrainingSettings.from_config(config), config.task
    network = build(spec, len(CLASSES))
    return Classification(network, facts, settings, task, config.augmentation, counts)


def rates(task: Classification, setting: Setting, batch: Batch, device: torch.device, steps: int):  # type: ignore[no-untyped-def]
    """A function that trains a few steps and returns images a second."""
    trial = Trial(task, setting, device, 1000)

    def turn() -> float:
        return len(batch["target"]) / min(trial.timed_step(batch)[1] for _ in range(steps))

    return turn


def measure(name: str, size: int, count: int, goal: float, turns: int = 3) -> Row:
    config = train_config(f"model={name}", "model.pretrained=false")
    task, device = make_task(config, size), pick_device("auto")
    batch = task.example_batch(count, size, device)
    ways = autotune.candidates(config.trainer, device)
    found, choice = autotune.compare(task, ways, batch, device, 1000, jit=False)
    what = f"training after autotune over NCHW float32: {name} at {size}, batch {count}"
    print(f"{name}: {autotune.describe(found, choice, False)}", flush=True)
    plain = found[0].setting
    if choice == plain:
        return Row(what, 1.0, 1.0, 1.0, "x", goal, note=f"plain chosen, {found[0].rate:.1f}/s")
    ours, peer = (rates(task, way, batch, device, 1) for way in (choice, plain))
    return compare(f"{what} ({choice})", ours, peer, turns, goal)


def main() -> list[Row]:
    quieten()
    return [measure(*model) for model in MODELS]


if __name__ == "__main__":
    finish(main())
