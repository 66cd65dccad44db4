"""What a sweep is going to do, read from its command line: no trial has begun yet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from osprey.config.groups.sweep import SweepConfig
from osprey.config.no_figure import NO_MATTER
from osprey.config.parse import LIGHTNING, typed_sweep
from osprey.errors import ConfigError
from osprey.sweeping.space import Space, read_space
from osprey.system.plugins import load_plugins
from osprey.system.trust import trust_targets
from osprey.tasks.registry import shown_metrics
from osprey.tasks.specs import MetricSpec

OSPREYS = "hydra_plugins.osprey_sweeper.OspreySweeper"
_DRAWN = 5  # trials of a user's function that are checked before the first one
_OF_THE_SWEEP = ("sweep", "hydra/sweeper", "hydra.sweeper", "hydra.sweep")


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Attributes:
        settings: Its own.
        space: What it tries.
        metric: The monitored one.
        total: Trials in all.
        seed: Of the sampler, and of each trial's first training.
        max_epochs: Of a trial; None where they differ.
    """

    settings: SweepConfig
    space: Space
    metric: MetricSpec
    total: int
    seed: int
    max_epochs: int | None

    @property
    def grid(self) -> bool:
        """Whether every combination is tried."""
        return self.settings.sampler == "grid"

    @property
    def directions(self) -> list[str]:
        """Of each objective, as Optuna names them."""
        ways = {"monitor": self.metric.higher_is_better, "speed": True}
        return [
            "maximize" if ways.get(name, False) else "minimize" for name in self.settings.objectives
        ]

    @property
    def signature(self) -> dict[str, Any]:
        """What must stay as it is when the sweep goes on."""
        words = (word.partition("=") for word in self.space.fixed)
        fixed = {key: value for key, _, value in words if not key.startswith(NO_MATTER)}
        return {
            "space": self.space.described(),
            "fixed": fixed,
            "sweep.objectives": list(self.settings.objectives),
            "sweep.seeds": self.settings.seeds,
            "grid": self.grid,
        }

    def words(self, drawn: Sequence[str], repeat: int) -> list[str]:
        """The settings of one training: as a single run's command line has them.

        Args:
            drawn: What the trial adds to the fixed settings.
            repeat: Which of its seeds, from 0.
        """
        if self.settings.seeds == 1:
            return [*self.space.fixed, *drawn]
        kept = [word for word in self.space.fixed if not word.startswith("seed=")]
        return [*kept, *drawn, f"seed={self.seed + repeat}"]


def of_the_sweep(word: str) -> bool:
    """Whether a word of the command line is about the sweep, not about its trials."""
    key = word.lstrip("+~").partition("=")[0]
    return key.startswith(tuple(f"{name}." for name in _OF_THE_SWEEP)) or key in _OF_THE_SWEEP


def make_plan(cfg: DictConfig, words: Sequence[str]) -> Plan:
    """Read a sweep's command line.

    Args:
        cfg: What it composes, without the settings that have several values.
        words: Its settings, as Hydra reads them.

    Raises:
        ConfigError: A setting of the sweep cannot be used, or the space is none.
    """
    settings = typed_sweep(cfg)
    function = settings.space if settings.space.get("_target_") is not None else None
    if function is None and len(settings.space) > 1:
        raise ConfigError("sweep.space: name your function with sweep.space._target_=...")
    if function is not None:
        load_plugins(list(cfg.get("plugins") or []))
        trust_targets(function)
    space = read_space(
        [word for word in words if not of_the_sweep(word)], settings.params, function
    )
    for word in (word for word in words if of_the_sweep(word)):
        if _has_several(word):
            raise ConfigError(f"{word}: give it one value; several are for what is trained")
    _check(settings, space, cfg)
    task = str(OmegaConf.select(cfg, "task.name") or LIGHTNING)
    metric = shown_metrics(task, cfg.get("monitor"), cfg.get("mode"))[0]
    swept = {d.key for d in space.dimensions}
    epochs = cfg.trainer.max_epochs
    known = isinstance(epochs, int) and "trainer.max_epochs" not in swept
    return Plan(
        settings, space, metric, _total(settings, space), _seed(cfg), epochs if known else None
    )


def _seed(cfg: DictConfig) -> int:
    seed = cfg.get("seed")
    return seed if isinstance(seed, int) else 0


def _has_several(word: str) -> bool:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return bool(OverridesParser.create().parse_override(word).is_sweep_override())


def _total(settings: SweepConfig, space: Space) -> int:
    if settings.sampler != "grid":
        if settings.trials is None:
            raise ConfigError("sweep.trials is not set: say how many trials to make")
        return settings.trials
    size = int(space.size)
    return size if settings.trials is None else min(size, settings.trials)


def _check(settings: SweepConfig, space: Space, cfg: DictConfig) -> None:
    if settings.sampler == "grid" and math.isinf(space.size):
        endless = [f"{d.key}={d.text}" for d in space.dimensions if d.values is None]
        what = endless[0] if endless else f"sweep.space={space.name}"
        raise ConfigError(
            f"{what}: a grid has no end there: give values, such as 1e-4,1e-3 or range(1,10), or "
            "use sweep=optuna"
        )
    if len(set(settings.objectives)) < max(1, len(settings.objectives)) or not settings.objectives:
        raise ConfigError("sweep.objectives: name each objective once")
    if "speed" in settings.objectives and settings.workers > 1:
        raise ConfigError(
            "sweep.objectives: speed is timed while nothing else runs: use sweep.workers=1"
        )
    ranked_by = [d.key for d in space.dimensions if d.key in ("monitor", "mode")]
    if ranked_by:
        raise ConfigError(f"{ranked_by[0]}: trials are ranked by one figure: give it one value")
    if settings.pruner != "none" and settings.objectives != ["monitor"]:
        raise ConfigError(
            f"sweep.pruner={settings.pruner} ends trials by the monitored figure: with other "
            "objectives leave it out"
        )
    if settings.pruner != "none" and OmegaConf.select(cfg, "trainer.strategy") != "single":
        raise ConfigError(
            f"sweep.pruner={settings.pruner}: a trial in several processes runs to its end: leave "
            "it out, or train on one device"
        )
    if settings.seeds > 1 and any(d.key == "seed" for d in space.dimensions):
        raise ConfigError(f"sweep.seeds={settings.seeds}: seed is in the space already")
    if settings.study is not None and settings.storage is None:
        raise ConfigError("sweep.study names a study in sweep.storage: give that, too")
    foreign = [w for w in space.fixed if w.partition("=")[0].startswith(("hydra/launcher",))]
    if foreign:
        raise ConfigError(
            f"{foreign[0]}: sweep=... has workers of its own (sweep.workers=N): leave one out"
        )


def samples_to_check(plan: Plan) -> Iterator[list[str]]:
    """What trials of the plan may add to its fixed settings; of a user's function some draws."""
    if plan.space.function is None:
        yield from plan.space.to_check()
        return
    import optuna

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=plan.seed))
    for _ in range(_DRAWN):
        yield plan.space.draw(study.ask(), grid=plan.grid)
