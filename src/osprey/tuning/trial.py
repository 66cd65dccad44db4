"""The real training step without a Trainer, on a copy of the task, for measuring."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from osprey.system.processes import alone
from osprey.tasks.base import Task
from osprey.tasks.optim import make_optimizer, make_scheduler

_SIXTEEN = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@dataclass(frozen=True)
class Setting:
    """How a step is computed.

    Attributes:
        precision: ``32-true``, ``bf16-mixed`` or ``16-mixed``.
        channels_last: Memory format of the network and its input.
        compile: Whether torch.compile is used.
    """

    precision: str
    channels_last: bool
    compile: bool = False

    def __str__(self) -> str:
        kind = {"32-true": "float32", "bf16-mixed": "bfloat16", "16-mixed": "float16"}
        layout = "channels_last" if self.channels_last else "contiguous"
        return f"{layout} {kind[self.precision]}" + (" compiled" if self.compile else "")


def lay_out(task: Task, setting: Setting) -> None:
    """Apply memory format and compilation to a task's network, in place.

    Args:
        task: The task.
        setting: Precision is not applied here.
    """
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    task.model.to(memory_format=layout)
    task.channels_last = setting.channels_last
    if setting.compile:
        task.model.compile()  # in place: the names in checkpoints stay as they are


class Trial:
    """A copy of a task that trains step by step.

    Args:
        task: The module; copied.
        setting: Precision, memory format and compilation.
        device: Device to compute on.
        steps: Optimiser steps of the whole run, for the learning-rate schedule.
    """

    def __init__(self, task: Task, setting: Setting, device: torch.device, steps: int) -> None:
        self.task = copy.deepcopy(task)
        settings = task.settings
        if isinstance(settings.freeze, int):  # unfrozen, as for most of the run, with most memory
            self.task.settings = replace(settings, freeze=0)
        self.task.to(device)
        lay_out(self.task, setting)
        self.task.on_train_epoch_start()
        self.device = device
        self.dtype = _SIXTEEN.get(setting.precision)
        self.clip = settings.gradient_clip
        self.optimizer = make_optimizer(self.task.model, settings.optimizer)
        self.scheduler = make_scheduler(self.optimizer, settings.scheduler, steps)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype is torch.float16)
        self.done = 0

    def step(self, batch: Any) -> float:
        """Forward, backward and optimiser step as in training.

        The n-th step of every trial has the same dropout and the same batch mix.

        Args:
            batch: On the device.

        Returns:
            The loss.
        """
        loss = self.forward(batch)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if self.clip:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.task.model.parameters(), self.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        if not isinstance(self.scheduler, ReduceLROnPlateau):  # which waits for validation
            self.scheduler.step()
        self.done += 1
        return float(loss.detach())

    def forward(self, batch: Any) -> Tensor:
        """The loss of the next step, a scalar.

        Args:
            batch: On the device.
        """
        torch.manual_seed(self.done)
        half = torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None)
        with half, alone():
            return cast(Tensor, self.task.training_step(batch, self.done))

    def timed_step(self, batch: Any) -> tuple[float, float]:
        """One step, timed including synchronisation.

        Args:
            batch: On the device.

        Returns:
            The loss, and the duration in seconds.
        """
        self.wait()
        started = time.perf_counter()
        loss = self.step(batch)
        self.wait()
        return loss, time.perf_counter() - started

    def wait(self) -> None:
        """Synchronise with the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def answer(self, batch: Any) -> None:
        """One forward pass as in validation.

        Args:
            batch: With ``image`` on the device.
        """
        self.task.eval()
        with torch.no_grad():
            self.task(batch["image"])
        self.task.on_train_epoch_start()
