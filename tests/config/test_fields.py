"""Settings stand in one place: types, defaults, choices, ranges and help."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from helpers import train_config
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from osprey.config.compose import CONFIG_DIR
from osprey.config.fields import Limits, check_fields, defaults
from osprey.config.optimizers import OPTIMIZERS
from osprey.config.parse import base_nodes, tree_of, typed
from osprey.config.schema import GROUPS
from osprey.errors import ConfigError


def test_every_setting_has_limits_and_the_groups_of_a_run_have_help() -> None:
    for group, kind in GROUPS.items():
        for field in fields(kind):
            assert isinstance(field.metadata.get("limits"), Limits), f"{group}.{field.name}"


def test_defaults_lie_within_their_limits() -> None:
    check_fields(train_config())


@pytest.mark.parametrize("group", [g for g in GROUPS if g != "task"])
def test_the_base_option_is_made_of_the_fields(group: str) -> None:
    stored: Any = ConfigStore.instance().load(f"{group}/_base.yaml").node
    assert OmegaConf.to_container(stored, resolve=False) == defaults(GROUPS[group])
    assert not (CONFIG_DIR / group / "_base.yaml").exists()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["task=detection", "model=fcos", "data=harbour_boxes"],
        ["model=resnet18", "optimizer=lion", "scheduler=onecycle", "logger=[csv,wandb]"],
        [
            "callbacks.early_stopping=5",
            "+callbacks.lr._target_=my_pkg.Watch",
            "+trainer.benchmark=true",
        ],
        ["model._target_=my_pkg.nets.ReefNet", "+model.width=8", "model.freeze=2"],
        ["data=folder", "data.root=x", "data.reader={_target_: my_pkg.read, deep: true}"],
    ],
    ids=str,
)
def test_what_is_written_is_read_again(words: list[str]) -> None:
    config = train_config(*words)
    again = typed(OmegaConf.create(tree_of(config)))
    assert again == config


def test_runs_from_before_targets_are_read() -> None:
    tree = tree_of(train_config("model=resnet18"))
    del (
        tree["model"]["_target_"],
        tree["task"]["_target_"],
        tree["extras"],
        tree["data"]["_target_"],
    )
    tree["model"]["factory"] = "timm"
    tree["logger"]["use"] = ["wandb"]
    config = typed(OmegaConf.create(tree))
    assert (config.model.factory, config.model.name) == ("timm", "resnet18")
    assert config.logger.use == ["wandb"]
    assert config.logger.args["wandb"]["project"] == "osprey"


def test_an_optimiser_of_every_name_timm_knows() -> None:
    timm_optim = pytest.importorskip("timm.optim")
    assert set(timm_optim.list_optimizers()) >= set(OPTIMIZERS)
    assert base_nodes()["optimizer"]["name"] == "adamw"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.size=4", "data.size: 4 is out of range (8 to 4096)"),
        ("scheduler.interval=day", "scheduler.interval: unknown 'day' (one of step, epoch)"),
        ("seed=-1", "seed: -1 is out of range (0 to 4294967295)"),
        ("mode=most", "mode: unknown 'most' (one of max, min)"),
    ],
)
def test_limits(word: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_fields(train_config(word))
    assert str(caught.value) == message
