"""Averaged weights in a real Trainer: they follow, and validation is theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytorch_lightning as pl
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
    loader,
    make_task,
    make_trainer,
    moved,
    random_batches,
    run,
)

from osprey.ensembling.ema import EMA
from osprey.tasks.base import RAW_WEIGHTS


def averaged_by_hand(states: list[State], decay: float) -> State:
    average = dict(states[0])
    for step in states[1:]:
        average = {
            key: decay * average[key] + (1 - decay) * value if value.is_floating_point() else value
            for key, value in step.items()
        }
    return average


def test_averaged_weights_equal_the_average_by_hand(tmp_path: Path) -> None:
    ema = EMA(0.8)
    _, _, recorder, _ = run(tmp_path, epochs=2, watchers=[ema])
    assert len(recorder.batches) == ema.updates == 2 * BATCHES
    wanted = averaged_by_hand(recorder.batches, 0.8)
    own = {key.removeprefix("model."): value for key, value in ema.average.items()}
    for key in sorted(EVERYTHING - COUNTERS):
        torch.testing.assert_close(
            own[key], wanted[key], msg=lambda text, key=key: f"{key}: {text}"
        )
    assert moved(own, recorder.batches[-1]) >= HEAD | WEIGHTS, "an average is not the last"


def test_validation_sees_averaged_weights_that_really_moved(tmp_path: Path) -> None:
    """Lightning's own callback once validated with weights that were never updated (#21724)."""
    task, images = make_task(), random_batches(1, seed=5)[0]["image"]
    with torch.no_grad():
        untrained = task.eval()(images)
    recorder = Recorder(images)
    make_trainer(tmp_path, 2, EMA(0.8), recorder).fit(
        task, Batches(random_batches(), random_batches(1))
    )
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


@pytest.mark.slow
def test_the_average_follows_optimiser_steps_not_batches(tmp_path: Path) -> None:
    ema = EMA(0.8)
    run(tmp_path, epochs=2, watchers=[ema], accumulate_grad_batches=3)
    assert ema.updates == 2


class Linear(pl.LightningModule):
    """A module of the user's own, which knows nothing of averages."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.seen: list[torch.Tensor] = []

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.layer(batch).square().mean()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.seen.append(self.layer.weight.detach().clone())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_any_module_and_an_exact_resume(tmp_path: Path) -> None:
    data = loader([torch.randn(4, 2, generator=torch.Generator().manual_seed(n)) for n in range(3)])

    def fit(epochs: int, resume: Path | None = None) -> tuple[Linear, EMA, pl.Trainer]:
        torch.manual_seed(0)
        module, ema = Linear(), EMA(0.5)
        trainer = make_trainer(tmp_path, epochs, ema)
        trainer.fit(module, data, data, ckpt_path=resume, weights_only=True)
        return module, ema, trainer

    straight, average, _ = fit(4)
    _, _, stopped = fit(2)
    stopped.save_checkpoint(tmp_path / "half.ckpt")
    content = torch.load(tmp_path / "half.ckpt", weights_only=True)
    gone_on, resumed, _ = fit(4, tmp_path / "half.ckpt")
    assert torch.equal(straight.layer.weight, gone_on.layer.weight)
    assert torch.equal(average.average["layer.weight"], resumed.average["layer.weight"])
    assert torch.equal(content["state_dict"]["layer.weight"], straight.seen[3]), (
        "validated and kept"
    )
    assert not torch.equal(
        content["state_dict"]["layer.weight"], content[RAW_WEIGHTS]["layer.weight"]
    )
