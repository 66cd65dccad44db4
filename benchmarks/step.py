"""Training through the whole of Osprey on real photos, over a bare loop on tensors in memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from autotune import train_config
from common import Row, compare, finish, real_data
from pytorch_lightning.callbacks import Callback

from osprey.config.schema import TrainConfig
from osprey.data.prepare import prepare
from osprey.engine.trainer import make_trainer
from osprey.runs.folder import RunFolder
from osprey.system.devices import pick_device
from osprey.tasks.assemble import assemble
from osprey.tasks.quiet import quieten
from osprey.tuning.autotune import defaults, resolve_auto
from osprey.tuning.trial import lay_out

WARM = 3  # steps before the clock starts: workers come up and fill their queues


class Stopwatch(Callback):
    """Seconds from the end of one training step to the end of another."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last, self.at = first, last, [0.0, 0.0]

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, number: int
    ) -> None:
        if number in (self.first, self.last):
            if module.device.type == "cuda":
                torch.cuda.synchronize()
            self.at[number == self.last] = time.perf_counter()


def through_osprey(config: TrainConfig, folder: Path, steps: int) -> Callable[[], float]:
    """Fit as ``osprey train`` does, for one short epoch; images a second."""
    resolve_auto(config.trainer)
    config.trainer.max_epochs, config.trainer.limit_train_batches = 1, WARM + steps + 1
    config.trainer.limit_eval_batches = 1
    prepared = prepare(config.data, folder / "cache")
    config.data.root = str(prepared.manifest.root.resolve())

    def turn() -> float:
        run = RunFolder.create(folder, "step")
        parts = assemble(config, prepared.manifest, resuming=False)
        lay_out(parts.task, defaults(config.trainer))
        trainer = make_trainer(config, run)
        watch = Stopwatch(WARM, WARM + steps)
        trainer.callbacks.append(watch)  # type: ignore[attr-defined]
        trainer.fit(parts.task, parts.data)
        return steps * config.data.batch_size / (watch.at[1] - watch.at[0])

    return turn


def bare_loop(config: TrainConfig, name: str, size: int, steps: int) -> Callable[[], float]:
    """Nothing but PyTorch: normalised random tensors on the device, in the best format."""
    device = pick_device(config.trainer.accelerator)
    layout = torch.channels_last
    model = timm.create_model(name, num_classes=10).to(device, memory_format=layout).train()
    images = torch.randn(config.data.batch_size, 3, size, size, device=device)
    images = images.contiguous(memory_format=layout)
    targets = torch.randint(10, (config.data.batch_size,), device=device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.optimizer.lr)
    half = config.trainer.precision == "bf16-mixed"

    def turn() -> float:
        started = 0.0
        for number in range(1 + steps):
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = torch.nn.functional.cross_entropy(model(images), targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if number in (0, steps):
                if device.type == "cuda":
                    torch.cuda.synchronize()
                seconds, started = time.perf_counter() - started, time.perf_counter()
        return steps * config.data.batch_size / seconds

    return turn


def main(steps: int = 8, turns: int = 4) -> list[Row]:
    root = real_data("clothing")
    quieten()
    config = train_config(
        *("data=folder", f"data.root={root}", "data.size=224", "data.batch_size=16"),
        *("data.eval_batch_size=16", "data.check_files=false", "data.allow_leakage=true"),
        *("model=mobilenetv2", "model.pretrained=false", "trainer.gradient_clip=null"),
        *("trainer.autotune=false", "callbacks.progress=false", "augmentation=light"),
    )
    with tempfile.TemporaryDirectory() as folder:
        ours = through_osprey(config, Path(folder), steps)
        peer = bare_loop(config, "mobilenetv2_100", 224, steps)
        what = "training on real photos over a bare loop on tensors: mobilenetv2 at 224, batch 16"
        return [compare(what, ours, peer, turns, goal=0.95)]


if __name__ == "__main__":
    finish(main())
