"""The space of a sweep: what Hydra's override grammar says of each setting, as Optuna reads it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    RangeSweep,
)
from hydra.errors import HydraException

from osprey.config.errors import explain
from osprey.errors import ConfigError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

MAX_CHECKED = 48  # combinations composed before the first trial


@dataclass(frozen=True)
class Dimension:
    """One setting of the space.

    Attributes:
        key: As it stands before ``=``, such as ``optimizer.lr`` or ``+model.width``.
        text: What stood after it, such as ``tag(log,interval(1e-5,1e-2))``.
        values: Every value as Hydra reads it; None of an interval.
        low: Lowest number of a range or an interval.
        high: Highest number, itself possible.
        step: Between numbers of a range; None of an interval.
        log: Whether its logarithm is what is drawn.
        whole: Whether its numbers are integers.
    """

    key: str
    text: str
    values: tuple[str, ...] | None
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False
    whole: bool = False

    def suggest(self, trial: Trial, *, grid: bool) -> Any:
        """Draw its value; a trial of a grid has been given it."""
        if self.values is not None and (grid or self.step is None):
            return trial.suggest_categorical(self.key, self.values)
        if self.whole:
            low, high = int(self.low), int(self.high)
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(self.key, low, high, step=step, log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log)

    def is_drawn_alike(self, distribution: BaseDistribution) -> bool:
        """Whether what was drawn from a distribution may stand beside what this one draws."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        if self.values is not None and self.step is None:
            return (
                isinstance(distribution, CategoricalDistribution)
                and tuple(distribution.choices) == self.values
            )
        return (
            isinstance(distribution, FloatDistribution)
            and not self.whole
            and distribution.log == self.log
        )

    def samples(self) -> tuple[str, ...]:
        """Every value, or both ends of an interval."""
        if self.values is not None:
            return self.values
        return tuple(_as_word(int(v) if self.whole else v) for v in (self.low, self.high))


def _as_word(value: Any) -> str:
    """A drawn value as Hydra reads it."""
    return value if isinstance(value, str) else repr(value)


@dataclass(frozen=True)
class Space:
    """What a sweep tries.

    Attributes:
        dimensions: By the command line, or the sweep's option.
        fixed: The settings that every trial has.
        function: The user's own, which draws further settings from an Optuna trial.
        name: Of that function.
    """

    dimensions: tuple[Dimension, ...]
    fixed: tuple[str, ...]
    function: Callable[[Trial], Sequence[str]] | None = None
    name: str | None = None

    @property
    def size(self) -> float:
        """How many combinations there are; infinite with an interval or a function."""
        if self.function is not None or any(d.values is None for d in self.dimensions):
            return math.inf
        return math.prod(len(d.values or ()) for d in self.dimensions)

    def draw(self, trial: Trial, *, grid: bool) -> list[str]:
        """The settings that one trial adds to the fixed ones.

        Args:
            trial: Of Optuna; what an interrupted one has drawn stays.
            grid: Whether every combination waits in the study.

        Raises:
            ConfigError: The user's function does not return settings.
        """
        words = [f"{d.key}={_as_word(d.suggest(trial, grid=grid))}" for d in self.dimensions]
        if self.function is not None:
            words += _own_words(self.name, self.function(trial))
        return words

    def combinations(self) -> Iterator[dict[str, str]]:
        """Every combination of a grid, the last setting changing first, as Hydra does."""
        keys = [d.key for d in self.dimensions]
        for values in itertools.product(*(d.values or () for d in self.dimensions)):
            yield dict(zip(keys, values, strict=True))

    def to_check(self) -> Iterator[list[str]]:
        """What is composed before the first trial: all of a small space, else each value once."""
        samples = [d.samples() for d in self.dimensions]
        if math.prod(map(len, samples)) <= MAX_CHECKED:
            for values in itertools.product(*samples):
                yield self._words(values)
            return
        first = [values[0] for values in samples]
        yield self._words(first)
        for place, values in enumerate(samples):
            for value in values[1:]:
                yield self._words([*first[:place], value, *first[place + 1 :]])

    def _words(self, values: Sequence[str]) -> list[str]:
        return [f"{d.key}={value}" for d, value in zip(self.dimensions, values, strict=True)]

    def described(self) -> dict[str, str]:
        """Each setting with its text, and the function, to compare two sweeps by."""
        found = {d.key: d.text for d in self.dimensions}
        return found if self.name is None else {**found, "sweep.space": self.name}


def _own_words(name: str | None, found: Any) -> list[str]:
    good = isinstance(found, list | tuple) and all(
        isinstance(word, str) and "=" in word for word in found
    )
    if not good:
        raise ConfigError(f"sweep.space: {name} must return a list of 'key=value', not {found!r}")
    return list(found)


def read_space(
    words: Sequence[str], params: Mapping[str, Any], function: Mapping[str, Any] | None
) -> Space:
    """The space that a command line and a sweep's option give.

    Args:
        words: The settings of the command line, those of the sweep itself left out.
        params: The option's space, which counts where the command line gives none.
        function: Node with the ``_target_`` of the user's function; None without one.

    Raises:
        ConfigError: A setting has a space that cannot be drawn from, or there is none at all.
    """
    parsed = _parse(words)
    dimensions = [_dimension(o) for o in parsed if o.is_sweep_override()]
    fixed = [str(o.input_line) for o in parsed if not o.is_sweep_override()]
    if not dimensions and function is None:
        known = {_bare(str(o.key_or_group)) for o in parsed}
        usual = _parse([f"{k}={_text(v)}" for k, v in params.items() if k not in known])
        dimensions = [_dimension(o) for o in usual if o.is_sweep_override()]
        fixed = [*(str(o.input_line) for o in usual if not o.is_sweep_override()), *fixed]
    if not dimensions and function is None:
        raise ConfigError(
            "the space is empty: give a setting several values, such as seed=0,1,2 or "
            "'optimizer.lr=tag(log,interval(1e-4,1e-2))'"
        )
    if function is None:
        return Space(tuple(dimensions), tuple(fixed))
    return Space(tuple(dimensions), tuple(fixed), _own_function(function), function["_target_"])


def _text(value: Any) -> str:
    """A value of a YAML file as on a command line: a list has choices, as ``a,b`` has."""
    if isinstance(value, list):
        return ",".join(_text(part) for part in value)
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    return str(value)


def _bare(key: str) -> str:
    return key.lstrip("+~")


def _parse(words: Sequence[str]) -> list[Override]:
    try:
        return list(OverridesParser.create().parse_overrides(list(words)))
    except HydraException as error:
        raise explain(error) from None


def _own_function(node: Mapping[str, Any]) -> Callable[[Trial], Sequence[str]]:
    from osprey.system.targets import import_target

    found = import_target("sweep.space", str(node.get("_target_")))
    if isinstance(found, type) or not callable(found):
        raise ConfigError(f"sweep.space._target_: {node['_target_']} is no function")
    more = {key: value for key, value in node.items() if key != "_target_"}
    return lambda trial: found(trial, **more)


def _dimension(override: Override) -> Dimension:
    line = str(override.input_line)
    key, _, text = line.partition("=")
    value: Any = override._value
    log = "log" in value.tags if hasattr(value, "tags") else False
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        if low is None or high is None or not low < high:
            raise ConfigError(f"{line}: an interval goes from a lower number to a higher one")
        if log and low <= 0:
            raise ConfigError(f"{line}: the logarithm needs numbers above 0")
        return Dimension(key, text, None, low, high, None, log, isinstance(low, int))
    if not isinstance(value, ChoiceSweep | RangeSweep):
        raise ConfigError(f"{line}: give a list of values, range(...) or interval(...)")
    try:
        values = tuple(dict.fromkeys(override.sweep_string_iterator()))
    except HydraException as error:
        raise explain(error) from None
    if not values:
        raise ConfigError(f"{line}: there is no value in it")
    if isinstance(value, ChoiceSweep):
        return Dimension(key, text, values)
    numbers = sorted(map(float, values))
    whole = all(isinstance(part, int) for part in (value.start, value.stop, value.step))
    step: float | None = abs(float(value.step))
    if log and numbers[0] <= 0:
        raise ConfigError(f"{line}: the logarithm needs numbers above 0")
    if log:  # Optuna's logarithmic integers have no step, its numbers neither
        step = 1.0 if whole else None
    return Dimension(key, text, values, numbers[0], numbers[-1], step, log, whole)
