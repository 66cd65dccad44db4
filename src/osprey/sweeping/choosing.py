"""Optuna's samplers and pruners, by the names that a sweep's settings have."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from osprey.config.groups.sweep import SweepConfig
from osprey.errors import UserError

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler


def make_sampler(settings: SweepConfig, seed: int) -> BaseSampler:
    """What draws the next trial.

    Raises:
        UserError: It lacks its package.
    """
    from optuna import samplers

    if settings.sampler == "tpe":
        # With several at work, what is not finished counts as bad, so that they do not crowd.
        return samplers.TPESampler(seed=seed, constant_liar=settings.workers > 1)
    if settings.sampler == "qmc":
        return samplers.QMCSampler(seed=seed, warn_independent_sampling=False)
    if settings.sampler == "cmaes":
        _need("cmaes")
        return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    if settings.sampler == "gp":
        return samplers.GPSampler(seed=seed)
    return samplers.RandomSampler(seed=seed)  # of a grid every trial is given


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise UserError(f"sweep.sampler={package}: pip install 'osprey-vision[sweep]'")


def make_pruner(name: str, max_epochs: int | None) -> BasePruner:
    """What ends trials early.

    Args:
        name: Value of ``sweep.pruner``.
        max_epochs: Of a trial; None where they differ.
    """
    from optuna import pruners

    # Of an epoch or two nothing can be told; of a long run a fifth is let pass.
    warm_up = max(2, round(0.2 * (max_epochs or 0)))
    median = pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=warm_up)
    if name == "median":
        return median
    if name == "hyperband":
        return pruners.HyperbandPruner(1, max_epochs or "auto", reduction_factor=3)
    if name == "patient":
        return pruners.PatientPruner(median, patience=2)
    return pruners.NopPruner()
