"""The task in a real Trainer: what rests, what moves, what is counted."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
import torch
from tiny_task import (
    COUNTERS,
    EVERYTHING,
    HEAD,
    PREPROCESS,
    STATISTICS,
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
    state,
)

from osprey.engine.callbacks.only_numbers import OnlyNumbers
from osprey.errors import UserError
from osprey.models.checkpoint import load_model

# ---------------------------------------------------------------- what moves


def stage(*numbers: int) -> set[str]:
    return {key for key in EVERYTHING for i in numbers if key.startswith(f"stages.{i}.")}


@pytest.mark.parametrize(
    ("override", "moving"),
    [
        ("model.freeze=none", EVERYTHING),
        ("model.freeze=backbone", HEAD),
        ("model.freeze_batchnorm=true", HEAD | WEIGHTS),
        ("model.freeze_stages=1", EVERYTHING - stage(0)),
        ("model.freeze_stages=2", EVERYTHING - stage(0, 1)),
        ("optimizer.layer_decay=0.5", EVERYTHING),
    ],
)
def test_what_is_frozen_rests_and_the_rest_moves(
    tmp_path: Path, override: str, moving: set[str]
) -> None:
    before, after, _, _ = run(tmp_path, override, epochs=2)
    assert set(before) == EVERYTHING
    assert moved(before, after) == moving


def test_the_backbone_thaws_after_so_many_epochs(tmp_path: Path) -> None:
    before, _, recorder, _ = run(tmp_path, "model.freeze=2", epochs=4)
    steps = [before, *recorder.epochs]
    seen = [moved(one, other) for one, other in pairwise(steps)]
    assert seen == [HEAD, HEAD, EVERYTHING, EVERYTHING]


def test_frozen_stages_stay_frozen_when_the_backbone_thaws(tmp_path: Path) -> None:
    before, after, _, _ = run(tmp_path, "model.freeze=1", "model.freeze_stages=1", epochs=2)
    assert moved(before, after) == EVERYTHING - stage(0)


def test_validation_between_epochs_keeps_statistics_frozen(tmp_path: Path) -> None:
    task, recorder = make_task("model.freeze_batchnorm=true"), Recorder()
    before = state(task)
    data = Batches(random_batches(), random_batches(1))
    make_trainer(tmp_path, 2, recorder, val_check_interval=1).fit(task, data)
    assert moved(before, state(task)) == HEAD | WEIGHTS


# ---------------------------------------------------------------- counting, saving, failing


def test_each_validation_photo_counts_once_and_padding_not_at_all(tmp_path: Path) -> None:
    task, batches = make_task(), random_batches()
    batches[-1]["index"][3:] = -1
    (figures,) = make_trainer(tmp_path).validate(task, loader(batches), verbose=False)
    with torch.no_grad():
        p = torch.cat([task.eval()(batch["image"]).softmax(dim=1) for batch in batches])[:19]
    target = torch.cat([batch["target"] for batch in batches])[:19]
    guess = p.argmax(dim=1)
    assert figures["val/top1"] == pytest.approx((guess == target).float().mean().item())
    f1 = sklearn.metrics.f1_score(target, guess, average="macro", zero_division=0)
    assert figures["val/macro_f1"] == pytest.approx(f1, abs=1e-5)
    nll = sklearn.metrics.log_loss(target, p.double() / p.double().sum(1, True), labels=[0, 1, 2])
    assert figures["val/log_loss"] == pytest.approx(nll, rel=1e-4)


@pytest.mark.parametrize("override", ["callbacks.ema_decay=null", "callbacks.ema_decay=0.8"])
def test_a_checkpoint_answers_as_validation_did(tmp_path: Path, override: str) -> None:
    task, batches = make_task(override), Batches(random_batches())
    trainer = make_trainer(tmp_path, 2)
    trainer.fit(task, batches)
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    model, facts = load_model(tmp_path / "x.ckpt")
    assert facts == task.metadata
    images = random_batches(1, seed=9)[0]["image"]
    with torch.no_grad():
        pixels = torch.from_numpy(PREPROCESS.normalise(images.numpy()))
        torch.testing.assert_close(model(pixels), task.eval()(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels_last", [True, False])
def test_normalisation_is_the_preprocessing_s(channels_last: bool) -> None:
    task = make_task(f"trainer.channels_last={channels_last}")
    images = random_batches(1)[0]["image"]
    pixels = task.normalise(images)
    np.testing.assert_allclose(pixels, PREPROCESS.normalise(images.numpy()), rtol=1e-4, atol=1e-5)
    last = pixels.is_contiguous(memory_format=torch.channels_last)
    assert (last, pixels.is_contiguous()) == (channels_last, not channels_last)


def test_dropout_and_mixes_repeat_themselves_by_position(tmp_path: Path) -> None:
    def ends(before: Callable[[], object], *overrides: str) -> State:
        task = make_task("augmentation.mixup=0.5", "augmentation.mix_probability=1.0", *overrides)
        before()
        make_trainer(tmp_path).fit(task, Batches(random_batches()))
        return state(task)

    one, other = ends(lambda: torch.manual_seed(1)), ends(lambda: torch.manual_seed(2))
    assert not moved(one, other)
    assert moved(one, ends(lambda: None, "seed=7"))


def test_sample_weights_count_in_training(tmp_path: Path) -> None:
    task, batches = make_task("optimizer.weight_decay=0"), random_batches()
    for batch in batches:
        batch["weight"].zero_()
    before = state(task)
    make_trainer(tmp_path).fit(task, Batches(batches))
    assert moved(before, state(task)) == STATISTICS | COUNTERS


def test_a_loss_that_left_the_numbers_stops_the_run(tmp_path: Path) -> None:
    task, batches = make_task(), random_batches()
    batches[0]["weight"].fill_(float("inf"))
    with pytest.raises(UserError) as caught:
        make_trainer(tmp_path, 1, OnlyNumbers()).fit(task, Batches(batches))
    assert str(caught.value) == (
        "the training loss became nan in epoch 1: lower optimizer.lr (it is 0.01), "
        "or use trainer.precision=32-true"
    )
