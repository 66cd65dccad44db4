"""Learning-rate range test (Smith 2017, arXiv:1506.01186): the rate rises until the loss does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from pytorch_lightning.utilities import move_data_to_device

from osprey.config.schema import TrainerConfig
from osprey.errors import UserError
from osprey.tasks.assemble import Assembly
from osprey.tuning.autotune import defaults
from osprey.tuning.trial import Trial

LOW, HIGH, STEPS = 1e-6, 1.0, 100
_LEAST_STEPS = 30
_EPOCHS = 5  # at most this many passes over small data
_REACH = 5  # steps to either side over which a slope is taken
_MEMORY = 0.9  # of the running mean that smooths the loss


@dataclass(frozen=True)
class Sweep:
    """A range test.

    Attributes:
        rates: Learning rate of each step.
        losses: Loss of each step.
        smooth: Bias-corrected running mean of the losses.
    """

    rates: list[float]
    losses: list[float]
    smooth: list[float]


def sweep_rates(assembly: Assembly, trainer: TrainerConfig, device: torch.device) -> Sweep:
    """Train a copy while the rate rises exponentially from 1e-6 to 1, until the loss diverges.

    That is when its running mean is half the first loss above its minimum, or a loss is not finite.
    Layer-wise rates (``optimizer.layer_decay``) keep their ratios.

    Args:
        assembly: Network, task and data.
        trainer: Precision, memory format and compilation.
        device: Device to compute on.

    Returns:
        The rates and losses.
    """
    batches = assembly.data.train_batches()
    steps = max(_LEAST_STEPS, min(STEPS, _EPOCHS * batches))
    task = assembly.task
    before = task.settings
    flat = replace(before.scheduler, name="constant", warmup=0.0)
    task.settings = replace(before, optimizer=replace(before.optimizer, lr=1.0), scheduler=flat)
    trial = Trial(task, defaults(trainer), device, steps)
    task.settings = before
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
    """The rate at which the smoothed loss falls fastest.

    Only the first nine tenths of the fall are considered: what follows is noise. The slope is taken
    over the logarithm of the rate, five steps to either side.

    Args:
        rates: Rising learning rates.
        smooth: Smoothed loss at each.

    Returns:
        At most a tenth of the last rate tried, rounded to two digits.

    Raises:
        UserError: The loss fell by less than 2%.
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
