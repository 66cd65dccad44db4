"""The steps of a policy by its name, as training composes it, or from a file."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from osprey.augmentation.steps import OF_BATCHES, plain
from osprey.config import folders
from osprey.config.call import read_call
from osprey.config.compose import compose_call
from osprey.config.schema import AugmentationConfig
from osprey.errors import ConfigError, nearest
from osprey.system.plugins import config_folders

_OF_SEVERAL = ("mosaic", *OF_BATCHES)  # photos: what copies of one cannot show


def policy_steps(policy: str, notices: list[str]) -> tuple[Any, ...]:
    """The steps of a policy.

    Args:
        policy: The name of one of the ``augmentation`` options, or a YAML file of that form.
        notices: A line is appended where the policy does more than copies of one photo can show.

    Returns:
        Plain data, for `Policy`.

    Raises:
        ConfigError: There is no such policy or file, or a step is unknown.
    """
    node = _of_file(Path(policy)) if policy.endswith((".yaml", ".yml")) else _of_name(policy)
    steps: tuple[Any, ...] = plain(node["steps"])
    if not steps:
        raise ConfigError(f"--policy: '{policy}' has no steps: its copies would be the photos")
    left = [name for name in _OF_SEVERAL if node.get(name)]
    if left:
        notices.append(
            f"of policy '{policy}' not in the copies, left to training: {', '.join(left)}"
        )
    return steps


def _of_name(policy: str) -> dict[str, Any]:
    names = folders.options("augmentation")
    if policy not in names:
        raise ConfigError(
            f"--policy: there is no policy '{policy}'{nearest(policy, names)} "
            f"(one of {', '.join(names)}, or a YAML file)"
        )
    places = (folders.CONFIG_DIR, *config_folders())
    files = [place / "augmentation" / f"{policy}.yaml" for place in places]
    text = next(file for file in reversed(files) if file.is_file()).read_text(encoding="utf-8")
    if "defaults:" not in text and "${" not in text:  # Hydra would take half a second
        return _of_text(text, f"augmentation={policy}")
    call = read_call("train", [f"augmentation={policy}"], "augment_data")
    found = OmegaConf.to_container(compose_call(call, call.words).augmentation, resolve=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def _of_file(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ConfigError(f"--policy: there is no file '{file}'")
    try:
        return _of_text(file.read_text(encoding="utf-8"), str(file))
    except UnicodeDecodeError:
        raise ConfigError(f"--policy: '{file}' is not UTF-8: save it as such") from None


def _of_text(text: str, source: str) -> dict[str, Any]:
    try:
        node = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--policy: '{source}' is not YAML") from None
    if not isinstance(node, dict) or not isinstance(node.get("steps"), list):
        raise ConfigError(f"--policy: '{source}' has no list 'steps', as configs/augmentation have")
    known = [field.name for field in fields(AugmentationConfig)]
    for key in node:
        if key not in known:
            raise ConfigError(f"--policy: '{source}': unknown setting '{key}'{nearest(key, known)}")
    return node
