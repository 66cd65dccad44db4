"""Samplers: several processes see together what one would see, and a resumed run what is left."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from osprey.data.sampler import EvalBatchSampler, TrainBatchSampler, sampling_probabilities

quick = settings(max_examples=80, deadline=None)
counts, seeds, epochs = st.integers(1, 200), st.integers(0, 2**32 - 1), st.integers(0, 50)


@given(
    count=counts, share=st.integers(1, 12), world=st.integers(1, 5), seed=seeds, epoch=epochs,
    weighted=st.booleans(),
)  # fmt: skip
@quick
def test_ranks_see_together_what_one_process_sees(
    count: int, share: int, world: int, seed: int, epoch: int, weighted: bool
) -> None:
    assume(count >= share * world)
    p = None
    if weighted:
        p = sampling_probabilities(np.arange(count) % 3, "balanced")
    alone = list(TrainBatchSampler(count, share * world, seed=seed, probabilities=p, epoch=epoch))
    ranks = [
        TrainBatchSampler(
            count, share * world, seed=seed, probabilities=p, epoch=epoch, rank=r, world_size=world
        )
        for r in range(world)
    ]
    together = [list(chain(*parts)) for parts in zip(*ranks, strict=True)]
    assert together == alone
    assert [len(rank) for rank in ranks] == [len(alone)] * world
    assert {len(batch) for rank in ranks for batch in rank} == {share}


@given(count=counts, size=st.integers(1, 64), seed=seeds, epoch=epochs)
@quick
def test_an_epoch_visits_no_photo_twice_and_leaves_less_than_a_batch(
    count: int, size: int, seed: int, epoch: int
) -> None:
    keys = list(chain(*TrainBatchSampler(count, size, seed=seed, epoch=epoch)))
    assert {key[0] for key in keys} == {epoch}
    indices = [index for _, index in keys]
    assert len(set(indices)) == len(indices)
    assert set(indices) <= set(range(count))
    assert count - len(indices) < min(size, count)


@given(count=st.integers(2, 6), world=st.integers(2, 8), seed=seeds)
@quick
def test_fewer_photos_than_processes_still_feed_every_process(
    count: int, world: int, seed: int
) -> None:
    for rank in range(world):
        batches = list(TrainBatchSampler(count, 8, seed=seed, rank=rank, world_size=world))
        assert batches
        assert all(batches), "an empty batch stops its process while the others wait"


@given(count=counts, size=st.integers(1, 32), seed=seeds, epoch=epochs, data=st.data())
@quick
def test_a_start_in_mid_epoch_goes_on_exactly(
    count: int, size: int, seed: int, epoch: int, data: st.DataObject
) -> None:
    whole = TrainBatchSampler(count, size, seed=seed, epoch=epoch)
    start = data.draw(st.integers(0, len(whole) - 1))
    rest = TrainBatchSampler(count, size, seed=seed, epoch=epoch, start=start)
    assert list(rest) == list(whole)[start:]
    rest.set_epoch(epoch)  # Lightning says so before the first pass; the offset must survive it
    assert list(rest) == list(whole)[start:]
    rest.set_epoch(epoch + 1)
    whole.set_epoch(epoch + 1)
    assert list(rest) == list(whole)
    assert len(list(rest)) == len(rest)


def test_order_changes_with_seed_and_epoch() -> None:
    orders = {
        tuple(index for _, index in next(iter(TrainBatchSampler(50, 50, seed=seed, epoch=epoch))))
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


@given(count=st.integers(0, 150), size=st.integers(1, 32), world=st.integers(1, 9))
@quick
def test_evaluation_counts_each_sample_once(count: int, size: int, world: int) -> None:
    ranks = [EvalBatchSampler(count, size, rank=r, world_size=world) for r in range(world)]
    batches = [list(rank) for rank in ranks]
    counted = Counter(i for rank in batches for batch in rank for _, i in batch if i >= 0)
    assert counted == dict.fromkeys(range(count), 1)
    assert {len(rank) for rank in batches} == {len(ranks[0])}
    if world > 1:
        assert {len(batch) for rank in batches for batch in rank} <= {size}
    else:
        order = [i for batch in batches[0] for _, i in batch]
        assert order == list(range(count)), "one process needs no padding"


@pytest.mark.parametrize(
    ("kind", "shares"),
    [("balanced", [1 / 3, 1 / 3, 1 / 3]), ("sqrt", [10 / 15, 4 / 15, 1 / 15])],
)
def test_sampling_probabilities(kind: str, shares: list[float]) -> None:
    targets = np.repeat([0, 1, 2], [100, 16, 1])
    p = sampling_probabilities(targets, kind)
    assert p is not None
    assert p.sum() == pytest.approx(1)
    assert [p[targets == c].sum() for c in range(3)] == pytest.approx(shares)
    assert all(len(set(p[targets == c])) == 1 for c in range(3)), "equal within a class"


def test_balanced_batches_are_drawn_so() -> None:
    targets = np.repeat([0, 1], [900, 100])
    p = sampling_probabilities(targets, "balanced")
    sampler = TrainBatchSampler(1000, 100, seed=0, probabilities=p)
    drawn = np.bincount([targets[i] for batch in sampler for _, i in batch])
    assert drawn.sum() == 1000
    assert drawn[1] == pytest.approx(500, abs=60)


def test_uniform_needs_no_probabilities() -> None:
    assert sampling_probabilities(np.array([0, 0, 1]), "uniform") is None
