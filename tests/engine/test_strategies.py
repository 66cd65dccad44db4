"""How the processes of a run share the work, as far as that is told without a GPU."""

from functools import partial
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import nn

from osprey.config.compose import CONFIG_DIR
from osprey.config.parse import typed
from osprey.config.schema import TrainConfig
from osprey.config.validate import validate
from osprey.engine.strategies import FullySharded, make_strategy
from osprey.errors import CheckpointError, ConfigError


def composed(*words: str) -> TrainConfig:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return typed(compose("train", overrides=list(words)))


def test_fsdp_shards_layers_singly_and_saves_whole_checkpoints() -> None:
    config = composed("trainer=fsdp")
    assert (config.trainer.accelerator, config.trainer.devices) == ("gpu", "auto")
    assert config.trainer.gradient_clip is None
    strategy = make_strategy(config.trainer, config.model)
    assert isinstance(strategy, FullySharded)
    assert strategy._state_dict_type == "full"
    assert strategy.kwargs["use_orig_params"], "the optimiser's groups are of the network's own"
    policy = strategy.kwargs["auto_wrap_policy"]
    assert isinstance(policy, partial)
    large, small = nn.Linear(768, 3072), nn.Linear(384, 1536)  # of a ViT-B, of a ViT-S
    sharded = [
        policy(module, recurse=False, nonwrapped_numel=sum(p.numel() for p in module.parameters()))
        for module in (large, small)
    ]
    assert sharded == [True, False]


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("ran",)


@pytest.mark.parametrize("damaged", [False, True])
def test_fsdp_goes_on_from_plain_checkpoints_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], damaged: bool
) -> None:
    path = tmp_path / "last.ckpt"
    if damaged:
        path.write_bytes(b"half")
    else:
        torch.save({"state_dict": {}, "callbacks": Hostile()}, path)
    with pytest.raises(CheckpointError, match=r"last\.ckpt"):
        FullySharded().load_checkpoint(path)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("trainer.gradient_clip=1", "trainer.gradient_clip cannot be used {}: set it to null"),
        ("optimizer.layer_decay=0.5", "optimizer.layer_decay cannot be used {}: use trainer=ddp"),
        ("callbacks.ema_decay=0.9", "callbacks.ema_decay cannot be used {}: use trainer=ddp"),
        ("trainer.accelerator=cpu", "trainer.strategy=fsdp needs trainer.accelerator=gpu"),
    ],
)
def test_what_fsdp_does_not_go_with(word: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(composed("trainer=fsdp", word))
    assert str(caught.value) == message.format("with trainer=fsdp")
