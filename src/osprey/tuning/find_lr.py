"""Learning-rate range test (Smith 2017, arXiv:1506.01186): the rate rises until the loss does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from pytorch_lightning.utilities import move_data_to_device

from osprey.config.schema import TrainConfig
from osprey.errors import UserError
from osprey.tasks.assemble import Assembly
from osprey.tuning.autotune import defaults
from osprey.tuning.trial import Trial

LOW, HIGH, STEPS = 1e-6, 1.0, 100
_LEAST_STEPS = 30
_EPOCHS = 5  # small data is not gone through more often than this
_REACH = 5  # steps to either side over which a slope is taken
_MEMORY = 0.9  # of the running mean that smooths the loss


@dataclass(frozen=True)
class Sweep:
    """A range test: each step's rate, loss, and running mean of the losses so far."""

    rates: list[float]
    losses: list[float]
    smooth: list[float]


def sweep_rates(assembly: Assembly, config: TrainConfig, device: torch.device) -> Sweep:
    """Train a copy while the rate rises exponentially from 1e-6 to 1, until the loss diverges.

    Divergence is a running mean half the first loss above its lowest, or a loss that is no number.
    Rates of single layers (``optimizer.layer_decay``) keep their proportions.
    """
    batches = assembly.data.train_batches()
    steps = max(_LEAST_STEPS, min(STEPS, _EPOCHS * batches))
    task = assembly.task
    before = task.config
    flat = replace(before.scheduler, name="constant", warmup=0.0)
    task.config = replace(before, optimizer=replace(before.optimizer, lr=1.0), scheduler=flat)
    trial = Trial(task, defaults(config.trainer), device, steps)
    task.config = before
    shares = [float(group["lr"]) for group in trial.optimizer.param_groups]
    sweep, mean = Sweep([], [], []), 0.0
    for number, batch in zip(range(steps), _batches(assembly, device), strict=False):
        rate = LOW * (HIGH / LOW) ** (number / (steps - 1))
        for group, share in zip(trial.optimizer.param_groups, shares, strict=True):
            group["lr"] = rate * share
        loss = trial.step(batch)
        if not math.isfinite(loss):
            break
        mean = _MEMORY * mean + (1 - _MEMORY) * loss
        sweep.rates.append(rate)
        sweep.losses.append(loss)
        sweep.smooth.append(mean / (1 - _MEMORY ** (number + 1)))
        if sweep.smooth[-1] > min(sweep.smooth) + sweep.losses[0] / 2:
            break
    return sweep


def _batches(assembly: Assembly, device: torch.device) -> Iterator[Any]:
    """The run's own training batches, epoch after epoch."""
    loader = assembly.data.train_dataloader()
    for epoch in range(10**6):
        loader.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]
        for batch in loader:
            yield move_data_to_device(batch, device)


def suggest(rates: Sequence[float], smooth: Sequence[float]) -> float:
    """The rate at which the smoothed loss falls fastest on its way down.

    Its way down ends where nine tenths of the fall are done: what wobbles after that is noise. The
    slope is taken over the logarithm of the rate, five steps to either side; the answer is at most
    a tenth of the last rate tried, in two digits.

    Raises:
        UserError: The loss fell by less than 2% at any learning rate.
    """
    lowest = min(smooth, default=math.nan)
    fall = smooth[0] - lowest if smooth else 0.0
    if not fall > 0.02 * abs(lowest):
        raise UserError(
            "the loss fell at no learning rate between 1e-6 and 1: look at the data, the labels "
            "and what is frozen"
        )
    end = next(i for i, loss in enumerate(smooth) if loss <= lowest + fall / 10)

    def slope(i: int) -> float:
        first, last = max(0, i - _REACH), min(len(rates) - 1, i + _REACH)
        return (smooth[last] - smooth[first]) / math.log(rates[last] / rates[first])

    steepest = rates[min(range(1, end + 1), key=slope)]
    return float(f"{min(steepest, rates[-1] / 10):.1e}")
