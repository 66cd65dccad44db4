"""How fast a device learns: a part of ``benchmarks/gpu.py``, rehearsed on a CPU at tiny sizes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import timm
import torch
from autotune import CLASSES, make_task, train_config
from common import Row, compare
from step import bare_loop, through_osprey
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.utils import dispatch_clip_grad

from osprey.config.schema import TrainConfig
from osprey.system.devices import pick_device
from osprey.tuning import autotune
from osprey.tuning.trial import Setting, Trial


def write_photos(root: Path, count: int) -> None:
    """JPEGs of 500 x 375 in ten class folders: smoothed noise, as large as photos are."""
    rng = np.random.default_rng(0)
    for number in range(count):
        folder = root / f"class{number % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (47, 63, 3), dtype=np.uint8)
        photo = cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC)
        photo = cv2.add(photo, rng.integers(0, 24, photo.shape, dtype=np.uint8))
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), photo)


class Speed:
    """The comparisons with their sizes: a GPU's, or a rehearsal's."""

    def __init__(self, real: bool, folder: Path) -> None:
        self.real, self.folder = real, folder
        self.device = pick_device("gpu" if self.real else "cpu")
        self.batch, self.size = (128, 224) if self.real else (4, 64)
        self.steps, self.turns = (10, 5) if self.real else (1, 1)
        self.name = "resnet50" if self.real else "mobilenetv3_small_100"
        self.precision = "bf16-mixed" if self.real else "32-true"
        write_photos(folder / "photos", 2000 if self.real else 200)

    def config(self, *more: str) -> TrainConfig:
        return train_config(*self.words(), *more)

    def words(self) -> list[str]:
        return [
            *("data=folder", f"data.root={self.folder / 'photos'}", "data.check_files=false"),
            *(f"data.size={self.size}", f"data.batch_size={self.batch}", "model=timm"),
            *(f"model.name={self.name}", "model.pretrained=false", "callbacks.progress=false"),
            *("trainer.gradient_clip=null", "trainer.deterministic=false"),
            *(f"trainer.accelerator={'gpu' if self.real else 'cpu'}", "data.eval_batch_size=16"),
            *(f"paths.cache={self.folder / 'cache'}", f"paths.runs={self.folder / 'runs'}"),
        ]

    def where(self) -> str:
        return f"{self.name} at {self.size}, batch {self.batch}, {self.precision}"

    def photos_over_tensors(self) -> list[Row]:
        words = ("trainer.autotune=false", f"trainer.precision={self.precision}")
        config = self.config(*words)
        ours = through_osprey(config, self.folder, self.steps)
        peer = bare_loop(config, self.name, self.size, self.steps)
        what = f"training on JPEGs over tensors on the device: {self.where()}"
        return [compare(what, ours, peer, self.turns, 0.95)]

    def step_over_timm(self) -> list[Row]:
        config = self.config("trainer.gradient_clip=1.0")
        task = make_task(config, self.size)
        trial = Trial(task, Setting(self.precision, True), self.device, 100)
        batch = task.example_batch(self.batch, self.size, self.device)

        def ours() -> float:
            return self.batch / min(trial.timed_step(batch)[1] for _ in range(self.steps))

        what = f"our step over timm's: {self.where()}"
        return [compare(what, ours, self._timm_step(trial.wait), self.turns, 1.0)]

    def _timm_step(self, wait: Callable[[], None]) -> Callable[[], float]:
        """What timm's train.py does with a batch: autocast, loss, clip, step."""
        model = timm.create_model(self.name, num_classes=len(CLASSES)).train()
        model = model.to(self.device, memory_format=torch.channels_last)
        optimizer = create_optimizer_v2(model, "adamw", lr=3e-4, weight_decay=0.05)
        loss_function = LabelSmoothingCrossEntropy(0.1)
        images = torch.randn(self.batch, 3, self.size, self.size, device=self.device)
        images = images.contiguous(memory_format=torch.channels_last)
        targets = torch.randint(len(CLASSES), (self.batch,), device=self.device)
        half = self.precision != "32-true"

        def step() -> float:
            wait()
            started = time.perf_counter()
            with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
                loss = loss_function(model(images), targets)
            loss.backward()
            dispatch_clip_grad(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            wait()
            return time.perf_counter() - started

        return lambda: self.batch / min(step() for _ in range(self.steps))

    def tuned(self) -> list[Row]:
        config, rows = self.config(), []
        task = make_task(config, self.size)
        batch = task.example_batch(self.batch, self.size, self.device)
        ways = autotune.candidates(config.trainer, self.device)
        steps = 10**6 if self.real else 1000  # long enough for torch.compile to be tried
        found, choice = autotune.compare(task, ways, batch, self.device, steps, jit=self.real)
        line = autotune.describe(found, choice, False)
        print(line, flush=True)
        best = next(c.rate for c in found if c.setting == choice) / found[0].rate
        what = f"training after autotune over NCHW float32: {self.where()}"
        rows.append(Row(what, best, best, best, "x", 1.0, note=line))
        return rows
