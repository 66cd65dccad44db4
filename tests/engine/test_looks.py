"""A network that answers the same whatever it sees stops the training; a sound one never does."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import TINY, TINY_BOXES, Result, make_photos, only_run
from hypothesis import given
from hypothesis import strategies as st

from osprey.engine.callbacks import looks
from osprey.engine.callbacks.looks import agree, of_the_batch

Call = Callable[..., Result]


@given(st.integers(8, 60), st.integers(1, 5), st.integers(0, 2**31))
def test_answers_that_differ_do_not_agree(count: int, width: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    middle = 5 * torch.randn(width, generator=draw)
    alike = middle + 1e-4 * torch.randn(count, width, generator=draw)
    assert agree(alike) and agree(torch.cat([alike, middle.expand(4, -1)]), whole=True)
    assert not agree(middle + torch.randn(count, width, generator=draw))
    seen = torch.cat([alike, middle.expand(4, -1) + 1])
    assert not agree(seen, whole=True), "something else about noise: it does look"
    assert not agree(alike[:7]), "so few may be alike by chance"
    gone = alike.clone()
    gone[: count // 2 + 1] = torch.nan
    assert not agree(gone), "no answer is not the same answer"


def epochs(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith("epoch ") and "/" in line]


SAME = "  the same answer for every photo"


HARMFUL = ("optimizer=sgd", "optimizer.lr=0.2", "optimizer.weight_decay=5")


@pytest.mark.parametrize("more", [(), ("+trainer.val_check_interval=0.5",), ("trainer=ddp_sim",)])
def test_a_classifier_whose_rate_is_far_too_high(
    here: Path, trained: Path, osprey: Call, more: tuple[str, ...]
) -> None:
    photos = make_photos(here / "photos", per_class=24, seed=5)
    words = [word for word in TINY if not word.startswith("model.")]
    result = osprey(
        *("train", "data=folder", f"data.root={photos}", f"from={only_run(trained)}", *words),
        *("trainer.max_epochs=9", "model.freeze_batchnorm=true", *HARMFUL, *more),
    )
    assert [line.endswith(SAME) for line in epochs(result.out)] == [True, True]
    assert (result.code, result.err) == (
        2,
        "osprey train: the network gives every photo the same answer, by epoch 1 and still by "
        "epoch 2: lower optimizer.lr (it is 0.2) or let BatchNorm follow with "
        "model.freeze_batchnorm=false; no epoch of this run is worth keeping\n",
    )
    assert not (only_run(here) / "summary.json").exists()


@pytest.mark.parametrize("together", [64, 5, 1])
def test_statistics_that_lag_behind_are_no_network_that_looks_away(
    here: Path, osprey: Call, together: int
) -> None:
    """By its running statistics it answers the same; by those of a batch it does not."""
    photos = make_photos(here / "photos", per_class=24)
    words = ("train", "data=folder", f"data.root={photos}", *TINY, "trainer.max_epochs=4")
    result = osprey(*words, *HARMFUL, f"data.eval_batch_size={together}")
    assert result.code == 0 and "same answer" not in result.out


def test_statistics_are_of_the_batch_for_one_question_only() -> None:
    norm = torch.nn.BatchNorm2d(3).eval()
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    photos = 5 + torch.randn(8, 3, 4, 4)
    with of_the_batch([norm]) as any_move:
        assert any_move and norm(photos).mean().abs() < 1e-5
    assert torch.allclose(norm(photos), photos, rtol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    with of_the_batch([]) as any_move:
        assert not any_move


def test_the_best_epoch_before_is_kept(
    here: Path, photos: Path, osprey: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def from_the_third_on(answers: torch.Tensor, **how: bool) -> bool:
        if not how:
            asked.append(len(answers))
        return len(asked) > 2

    monkeypatch.setattr(looks, "agree", from_the_third_on)
    words = ("train", "data=folder", f"data.root={photos}", *TINY, "trainer.max_epochs=9")
    words = (*words, "callbacks.checkpoint_rule=highest")
    result = osprey(*words)
    said = epochs(result.out)
    assert [line.endswith(SAME) for line in said] == [False, False, True, True]
    best = only_run(here) / "checkpoints" / "best.ckpt"
    assert torch.load(best, weights_only=True)["epoch"] + 1 == max(
        number for number, line in enumerate(said, 1) if line.endswith("best")
    )
    assert result.err == (
        "osprey train: the network gives every photo the same answer, by epoch 3 and still by "
        "epoch 4: lower optimizer.lr (it is 0.01); the best epoch before is kept in "
        f"'{best.relative_to(here)}'\n"
    )


def test_a_detector_whose_rate_is_far_too_high(here: Path, osprey: Call) -> None:
    words = [word for word in TINY_BOXES if not word.startswith("trainer.limit_eval")]
    result = osprey(
        *("train", "task=detection", "data=harbour_boxes", "model=ssdlite", *words),
        *("trainer.max_epochs=4", "optimizer.lr=30", "trainer.limit_train_batches=4"),
    )
    assert result.code == 2, result.out
    assert [line.endswith("the same answer for every photo") for line in epochs(result.out)] == [
        *(True, True)
    ]
    assert result.err == (
        "osprey train: the network gives every photo the same answer, by epoch 1 and still by "
        "epoch 2: lower optimizer.lr (it is 30); no epoch of this run is worth keeping\n"
    )


def test_a_rate_of_nothing_is_no_such_thing(here: Path, photos: Path, osprey: Call) -> None:
    """A network that learns nothing still looks."""
    words = ("train", "data=folder", f"data.root={photos}", *TINY, "optimizer.lr=0")
    result = osprey(*words, "trainer.max_epochs=3")
    assert result.code == 0 and "same answer" not in result.out


@pytest.mark.parametrize("lr", [0.003, 0.03])
def test_sound_rates_are_left_alone(here: Path, osprey: Call, lr: float) -> None:
    photos = make_photos(here / "photos", per_class=24)
    words = ("train", "data=folder", f"data.root={photos}", *TINY, "trainer.max_epochs=4")
    result = osprey(*words, f"optimizer.lr={lr}")
    assert result.code == 0 and "same answer" not in result.out
    with (only_run(here) / "metrics.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
