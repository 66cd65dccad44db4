"""What the README tells people to type and to write works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY

LINES = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()
TYPED = [
    line.strip()
    for line in LINES
    if re.match(r"    (python scripts/(train|eval|predict)\.py|osprey (train|models) )", line)
]


def words_of(line: str) -> list[str]:
    command = re.sub(r"^python scripts/(\w+)\.py", r"osprey \1", line)
    return [w for w in shlex.split(command, comments=True)[1:] if w != "..."]


@pytest.mark.parametrize("line", [x for x in TYPED if "predict" not in x])
def test_training_commands_compose(line: str, here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    words = words_of(line)
    if "--config-dir" in words:
        pytest.skip("composed with its files below")
    if any(word.startswith("resume=") for word in words):
        result = osprey(*words)
        assert "no run with a checkpoint to go on from" in result.err
        return
    if "from=latest" in words:
        result = osprey(*words)
        assert "there is no finished run under 'runs'" in result.err
        return
    if "data.root=PHOTOS" not in words and any(w.startswith("data.") for w in words[1:]):
        words += ["data=folder", "data.root=PHOTOS"] if words[0] == "train" else []
    if "-m" in words:  # Hydra shows one job's configuration at a time
        words = [word.split(",")[0] for word in words if word != "-m"]
    result = osprey(*words, "--cfg", "job")
    assert result.code == 0, result.err
    assert "trainer:" in result.out or words[0] == "eval"


@pytest.mark.parametrize("line", [x for x in TYPED if "predict" in x])
def test_predict_commands_parse(line: str) -> None:
    from osprey.commands.predicting.options import parser

    arguments = parser().parse_args(words_of(line)[1:])
    assert arguments.image or arguments.folder or arguments.video


def blocks_after(mark: str) -> str:
    """The indented block below the line that names a file."""
    start = next(i for i, line in enumerate(LINES) if mark in line) + 1
    while not LINES[start].strip():
        start += 1
    block = []
    for line in LINES[start:]:
        if line.strip() and not line.startswith("    "):
            break
        block.append(line[4:])
    return "\n".join(block).rstrip() + "\n"


def test_the_yaml_files_work_together(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    names = ("model/tiny", "data/reef", "augmentation/deck", "experiment/reef")
    for name in names:
        path = here / "mine" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(blocks_after(f"`mine/{name}.yaml`"))
    result = osprey(
        "train", "--config-dir", "mine", "experiment=reef", "model=tiny", "--cfg", "job"
    )
    assert result.code == 0, result.err
    config = yaml.safe_load(result.out)
    assert config["model"]["name"] == "tf_efficientnet_lite0"
    assert (config["data"]["group"], config["data"]["reader"]) == ("diver", "table")
    assert config["trainer"]["max_epochs"] == 20

    from osprey.augmentation import check_policy

    check_policy(config["augmentation"]["steps"])
    result = osprey("train", "--config-dir", "mine", "experiment=reef", "model=tiny")
    assert result.err == (
        "osprey train: data.root: there is no folder '/photos/reef' (nor is there a folder "
        "'/photos')\n"
    )
