"""A batch that a processor's memory has no room for is halved before it is tried, and told."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from conftest import Result, only_run
from hypothesis import given
from hypothesis import strategies as st

from osprey.errors import ConfigError
from osprey.tuning import memory, resolve

WORDS = [
    *("train", "task=detection", "data=harbour_boxes", "data.render_count=200", "data.size=256"),
    *("data.batch_size=32", "data.eval_batch_size=64", "data.num_workers=0", "model=fcos"),
    *("model.backbone=mobilenetv3_small_050", "model.pretrained=false"),
    *("model.freeze_batchnorm=false", "trainer.max_epochs=1", "trainer.limit_train_batches=1"),
    *("trainer.limit_eval_batches=1", "trainer.autotune=false", "augmentation=none"),
]


@pytest.mark.slow
def test_it_is_halved_and_told(
    here: Path, osprey: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_machine_memory", lambda: 10**9)
    result = osprey(*WORDS)
    assert result.code == 0, result.err
    found = re.search(
        r"^batch   32 does not fit in the 1\.0 GB that are free: (\d+) x (\d+) accumulated, the "
        r"same 32 a step$",
        result.out,
        re.MULTILINE,
    )
    assert found and int(found[1]) * int(found[2]) == 32 and int(found[2]) > 1
    config = (only_run(here) / "config.yaml").read_text()
    assert f"  batch_size: {found[1]}\n" in config and f"  accumulate: {found[2]}\n" in config


@pytest.mark.slow
def test_several_processes_share_the_memory(
    here: Path, osprey: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (memory, resolve):
        monkeypatch.setattr(module, "free_machine_memory", lambda: 10**9)
    result = osprey(*WORDS, "trainer=ddp_sim")
    assert result.code == 0, result.err
    found = re.search(
        r"^batch   32 does not fit in the 1\.0 GB.* (\d+) x", result.out, re.MULTILINE
    )
    assert found, result.out
    assert f"  batch_size: {found[1]}\n" in (only_run(here) / "config.yaml").read_text()


@pytest.mark.slow
def test_where_there_is_room_nothing_is_said(here: Path, osprey: Callable[..., Result]) -> None:
    result = osprey(*WORDS, "data.batch_size=4")
    assert result.code == 0 and "does not fit" not in result.out


@given(st.integers(1, 64), st.integers(0, 2000), st.integers(1, 8))
def test_the_optimisers_step_stays_as_near_as_it_can(batch: int, each: int, world: int) -> None:
    """Halved until it fits, never below one photo a process."""
    from osprey.config.schema import DataConfig, TrainerConfig

    batch = max(batch, world)
    data = DataConfig(name="", reader="", root="", batch_size=batch, eval_batch_size=256)
    trainer = TrainerConfig()
    free = 40_000_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "free_machine_memory", lambda: free)
        patch.setattr(memory, "_kept_a_photo", lambda *_: each * 10_000)
        task = torch.nn.Identity()
        fit = partial(memory.spare_memory, task, data, trainer, None, (2000, 2000), world)  # type: ignore[arg-type]
        if world * each * 10_000 > free:
            with pytest.raises(ConfigError) as caught:
                fit()
            assert str(caught.value).startswith(
                "data.batch_size: not even one photo of 2000 px fits in the 0.0 GB that are free"
            )
            return
        lines = fit()
    assert data.batch_size >= world
    fits = data.batch_size * each * 10_000 <= free * 0.6
    assert fits or data.batch_size <= 2 * world - 1 or data.batch_size == world
    assert any("accumulated" in line for line in lines) == (data.batch_size != batch)
    answered = data.eval_batch_size * each * 10_000 / 4
    assert answered <= free * 0.6 or data.eval_batch_size == max(world, 4 * data.batch_size)
    assert any("to validate" in line for line in lines) == (data.eval_batch_size != 256)
    assert abs(data.batch_size * trainer.accumulate - batch) <= data.batch_size / 2
