"""Averaged weights in a real Trainer: they follow, and validation is theirs."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny_task import (
    BATCHES,
    COUNTERS,
    EVERYTHING,
    HEAD,
    WEIGHTS,
    Batches,
    Recorder,
    State,
    make_task,
    make_trainer,
    moved,
    random_batches,
    run,
)


def averaged_by_hand(states: list[State], decay: float) -> State:
    average = dict(states[0])
    for step in states[1:]:
        average = {
            key: decay * average[key] + (1 - decay) * value if value.is_floating_point() else value
            for key, value in step.items()
        }
    return average


def test_averaged_weights_equal_the_average_by_hand(tmp_path: Path) -> None:
    _, _, recorder, task = run(tmp_path, "callbacks.ema_decay=0.8", epochs=2)
    assert task.ema is not None
    assert len(recorder.batches) == int(task.ema.n_averaged) == 2 * BATCHES
    wanted = averaged_by_hand(recorder.batches, 0.8)
    own = task.ema.module.state_dict()
    for key in sorted(EVERYTHING - COUNTERS):
        torch.testing.assert_close(
            own[key], wanted[key], msg=lambda text, key=key: f"{key}: {text}"
        )
    assert moved(own, recorder.batches[-1]) >= HEAD | WEIGHTS, "an average is not the last"


def test_validation_sees_averaged_weights_that_really_moved(tmp_path: Path) -> None:
    """Lightning's own callback once validated with weights that were never updated (#21724)."""
    task, images = make_task("callbacks.ema_decay=0.8"), random_batches(1, seed=5)[0]["image"]
    with torch.no_grad():
        untrained = task.eval()(images)
    recorder = Recorder(images)
    make_trainer(tmp_path, 2, recorder).fit(task, Batches(random_batches(), random_batches(1)))
    assert len(recorder.validated) == 2
    for epoch, seen in enumerate(recorder.validated, start=1):
        judge = make_task()
        judge.model.load_state_dict(averaged_by_hand(recorder.batches[: epoch * BATCHES], 0.8))
        with torch.no_grad():
            torch.testing.assert_close(seen, judge.eval()(images), rtol=1e-3, atol=1e-5)
            judge.model.load_state_dict(recorder.batches[epoch * BATCHES - 1])
            assert not torch.allclose(seen, judge(images), atol=1e-4), (
                "the last weights, not averaged"
            )
        assert not torch.allclose(seen, untrained, atol=1e-4), "the weights of the start"


def test_the_average_follows_optimiser_steps_not_batches(tmp_path: Path) -> None:
    _, _, _, task = run(tmp_path, "callbacks.ema_decay=0.8", epochs=2, accumulate_grad_batches=3)
    assert task.ema is not None
    assert int(task.ema.n_averaged) == 2


def test_the_averaged_copy_learns_nothing_itself(tmp_path: Path) -> None:
    task = make_task("callbacks.ema_decay=0.8")
    assert task.ema is not None
    assert not any(p.requires_grad for p in task.ema.parameters())
    assert all(p.requires_grad for p in task.model.parameters())
    assert make_task().ema is None
