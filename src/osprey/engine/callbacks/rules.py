"""Which epoch best.ckpt holds: the rules of ``callbacks.checkpoint_rule``."""

from __future__ import annotations

from dataclasses import dataclass

from osprey.errors import ConfigError
from osprey.tasks.validated import Validated

_BY_ERROR = ("within_error", "auto")


@dataclass
class Choice:
    """The epoch chosen so far, and what a later one is compared with.

    Attributes:
        rule: ``highest`` monitored figure, ``log_loss``: the lowest, ``last``, or
            ``within_error``: the latest epoch no further below the highest than that figure's
            standard error. ``auto`` is the same, and the highest where no error is known.
        highest: The highest figure so far; negated where lower is better.
        error: Its standard error; None where it is not known, or not asked for.
        loss: The lowest log loss so far.
        epoch: The epoch chosen, from 1; 0: none.
    """

    rule: str = "auto"
    highest: float = float("-inf")
    error: float | None = None
    loss: float = float("inf")
    epoch: int = 0

    def takes(self, epoch: int, score: float, key: str, validated: Validated) -> bool:
        """Whether best.ckpt is to hold this epoch from now on.

        Args:
            epoch: Its number, from 1.
            score: Its monitored figure; higher is better.
            key: The name of that figure, without ``val/``.
            validated: The epoch's answers about the validation photos.

        Raises:
            ConfigError: The rule needs what the task does not tell of a validation.
        """
        higher = score > self.highest
        if higher:
            self.highest = score
            if self.rule in _BY_ERROR:
                self.error = validated.standard_error(key)
        if self.rule == "last":
            taken = True
        elif self.rule == "log_loss":
            loss = validated.log_loss()
            if loss is None:
                raise ConfigError(
                    "callbacks.checkpoint_rule=log_loss: the task tells no log loss of a "
                    "validation; use highest or last"
                )
            taken = loss < self.loss
            self.loss = min(self.loss, loss)
        elif self.rule in _BY_ERROR and self.error is not None:
            taken = score >= self.highest - self.error
        else:
            taken = higher
        self.epoch = epoch if taken else self.epoch
        return taken
