"""Which samples make up which batch: a function of seed, epoch and rank, and of nothing else.

That lets an interrupted run resume exactly where it was, and lets several processes
see together just what one process would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from osprey.data.balance import POWERS, balancing_weights
from osprey.errors import ConfigError
from osprey.system.instantiate import instantiate

Key = tuple[int, int]  # (epoch, sample index); a negative index marks padding


def sampling_probabilities(
    targets: NDArray[np.integer[Any]],
    kind: str | Mapping[str, Any],
    columns: Sequence[Sequence[str]] = (),
) -> NDArray[np.float64] | None:
    """Probability of each sample to be drawn, or None where all are drawn once per epoch.

    Args:
        targets: Integer [N], class index of every sample.
        kind: ``uniform``; ``balanced``, every class equally often; ``sqrt``, between the two; or a
            node whose ``_target_`` is called with ``targets`` and returns a weight for each sample.
        columns: Of the samples; with some, their values are evened out in place of classes, each
            column's within those of the one before.

    Returns:
        float64 [N] that sum to 1, or None for ``uniform``.

    Raises:
        ConfigError: A function of the user's own fails, or does not return N weights of 0 or more.
    """
    if isinstance(kind, Mapping):
        return _foreign_probabilities(targets, kind)
    if kind == "uniform":
        return None
    weights = balancing_weights(columns or [targets], POWERS[kind])
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


def _foreign_probabilities(
    targets: NDArray[np.integer[Any]], node: Mapping[str, Any]
) -> NDArray[np.float64]:
    made = instantiate("data.sampler", node, None, {"targets": targets})
    weights = np.asarray(made, dtype=float)
    wanted = weights.shape == targets.shape and bool(np.isfinite(weights).all())
    if not wanted or (weights < 0).any() or weights.sum() <= 0:
        raise ConfigError(
            f"data.sampler._target_: '{node.get('_target_')}' must give {len(targets)} weights, "
            f"one for each training sample, 0 or more, not {made!s:.40}"
        )
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


class TrainBatchSampler(Sampler[list[Key]]):
    """Shuffled batches of equal size; each process gets its part of every batch.

    Args:
        count: Samples in the training split.
        batch_size: Samples per optimiser step over all processes; fewer if the split is smaller.
        seed: With the epoch it determines the order.
        probabilities: Draw with replacement by these, or None to visit each sample once.
        rank: Of this process.
        world_size: Number of processes.
        epoch: Epoch of the first pass.
        start: Batches of the first pass already trained on (for resuming within an epoch).
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        seed: int,
        probabilities: NDArray[np.float64] | None = None,
        rank: int = 0,
        world_size: int = 1,
        epoch: int = 0,
        start: int = 0,
    ) -> None:
        self.count = count
        self.share = max(1, min(batch_size, count) // world_size)
        self.seed = seed
        self.probabilities = probabilities
        self.rank = rank
        self.world_size = world_size
        self.epoch = epoch
        self.start = start
        self.sampler = self  # where Lightning looks for set_epoch

    def set_epoch(self, epoch: int) -> None:
        """Start another epoch from its first batch; the current one is left where it is.

        Args:
            epoch: Counted from 0.
        """
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def __len__(self) -> int:
        """Batches per epoch; an incomplete last batch is dropped."""
        return max(1, self.count // (self.share * self.world_size))

    def __iter__(self) -> Iterator[list[Key]]:
        rng = np.random.default_rng((self.seed, self.epoch))
        if self.probabilities is None:
            order = rng.permutation(self.count)
        else:
            order = rng.choice(self.count, self.count, p=self.probabilities)
        epoch, size = self.epoch, self.share * self.world_size
        for batch in range(self.start, len(self)):
            first = batch * size + self.rank * self.share
            # Photos come round again only where there are fewer of them than processes.
            mine = np.arange(first, first + self.share) % self.count
            yield [(epoch, int(i)) for i in order[mine]]


class EvalBatchSampler(Sampler[list[Key]]):
    """Every sample once, in order, distributed to the processes batch by batch.

    All processes get equally many batches of equal size, as collective operations require; padding
    has a negative index and must not be counted.

    Args:
        count: Samples in the split.
        batch_size: Samples per batch and process.
        rank: Of this process.
        world_size: Number of processes.
    """

    def __init__(self, count: int, batch_size: int, *, rank: int = 0, world_size: int = 1) -> None:
        self.count = count
        self.batch_size = batch_size
        self.rank = rank
        self.world_size = world_size

    def __len__(self) -> int:
        return -(-self.count // (self.batch_size * self.world_size))

    def __iter__(self) -> Iterator[list[Key]]:
        for batch in range(len(self)):
            first = (batch * self.world_size + self.rank) * self.batch_size
            indices = range(first, first + self.batch_size)
            if self.world_size == 1:
                yield [(0, i) for i in indices if i < self.count]
            else:
                yield [(0, i if i < self.count else -1) for i in indices]
