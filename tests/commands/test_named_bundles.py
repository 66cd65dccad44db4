"""Named versions of bundles: which is the champion, and what starts from one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY, Result, make_photos, only_run
from test_bundles import change, some_photo

Osprey = Callable[..., Result]


@pytest.fixture
def fish(bundles: Path, osprey: Osprey) -> Path:
    """Two versions of ``fish``, the first of them the champion."""
    for _ in range(2):  # the first of a name is its champion
        assert osprey("registry", "add", "latest", "--name", "fish").code == 0
    return bundles


def test_versions_and_the_champion(fish: Path, osprey: Osprey, photos: Path) -> None:
    listed = osprey("registry", "list").out.splitlines()
    assert [line.split()[0] for line in listed] == ["fish@1", "fish@2"]
    assert listed[0].endswith("champion") and "simple_cnn, 3 classes, test macro_f1 " in listed[0]
    for model, version in ((None, 1), ("fish", 1), ("fish@2", 2), ("fish@champion", 1)):
        words = [] if model is None else ["--model", model, "--verbose"]
        result = osprey("classify", "--image", some_photo(photos), *words)
        assert result.code == 0 and f"model: fish@{version} (" in result.err
    shown = json.loads(osprey("registry", "show", "fish").out)
    assert shown["version"] == "fish@1" and shown["classes"] == ["blue", "green", "red"]
    result = osprey("registry", "promote", "fish@2")
    assert result.out == "fish@champion is fish@2 (before: fish@1)\n"


def test_a_version_that_forgot_a_class_is_not_promoted(fish: Path, osprey: Osprey) -> None:
    for version, scores in ((1, {"blue": 0.9, "red": 0.8}), (2, {"blue": 0.95, "red": 0.6})):
        bundle = fish / "registry" / "fish" / str(version)
        card = json.loads((bundle / "card.json").read_text())
        card["metrics"]["test"]["per_class"] = scores
        (bundle / "card.json").write_text(json.dumps(card))
    result = osprey("registry", "promote", "fish@2")
    assert (result.code, result.err) == (
        2,
        "osprey registry: fish@2 is worse than fish@1 at 'red': F1 0.800, then 0.600; allow it "
        "with --max-drop, or all with --force\n",
    )
    assert osprey("registry", "promote", "fish@2", "--max-drop", "0.3").code == 0
    assert osprey("registry", "promote", "fish@1").code == 0  # which is better at 'red'


@pytest.mark.slow
def test_training_starts_from_a_version(fish: Path, osprey: Osprey, tmp_path: Path) -> None:
    shutil.rmtree(fish / "runs")
    new = make_photos(tmp_path / "new", seed=7)
    (new / "green").rename(new / "lime")
    words = [f"data.root={new}", "trainer.max_epochs=1", *TINY[3:5], *TINY[-3:]]
    result = osprey("train", "model=registry", "model.name=fish@champion", *words)
    assert result.code == 0, result.err
    said = "; head kept for blue, red; begun anew for lime; dropped for green"
    assert said in result.out
    assert "fish/1/run" in (only_run(fish) / "config.yaml").read_text()
    (fish / "registry").rename(fish / "elsewhere")
    assert "there is no bundle 'fish'" in osprey("train", "from=fish@2", *words).err
    assert osprey("train", "from=fish@2", "paths.registry=elsewhere", *words).code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["promote", "fish"], "promote one version: NAME@VERSION, such as 'fish@2'"),
        (["promote", "fish@9"], "'fish' has no version '9' (there are 1, 2, champion)"),
        (["show", "fish@champoin"], "'fish' has no version 'champoin'; did you mean 'champion'?"),
        (["show", "fihs"], "there is no bundle 'fihs' in the registry 'registry'; did you mean "
                           "'fish'?"),
        (["show", "../runs"], "there is no bundle '../runs' in the registry 'registry' (there are "
                              "fish)"),
        (["add", "latest", "--name", "../x"], "--name: '../x' cannot name bundles: letters, "
                                              "digits, dots, hyphens and underscores"),
        (["promote", "fish@2", "--alias", "3"], "--alias: '3' cannot name a version: letters, "
                                                "digits, hyphens"),
        (["list", "--registry", "none"], "the registry 'none' has no bundles: osprey registry add "
                                         "RUN --name NAME"),
    ],
)  # fmt: skip
def test_mistakes(fish: Path, osprey: Osprey, words: list[str], message: str) -> None:
    result = osprey("registry", *words)
    assert (result.code, result.err) == (2, f"osprey registry: {message}\n")


def test_more_mistakes(fish: Path, osprey: Osprey, photos: Path) -> None:
    assert osprey("train", "model=registry").err == (
        "osprey train: model=registry: say which bundle's network with model.name=NAME, such as "
        "model.name=fish@champion\n"
    )
    osprey("registry", "add", "latest", "--name", "crab")
    result = osprey("classify", "--image", some_photo(photos))
    assert result.err == "osprey classify: --model: name one of crab, fish (there are several)\n"
    (fish / "registry" / "fish" / "aliases.json").write_text("{")
    result = osprey("classify", "--image", some_photo(photos), "--model", "fish")
    assert result.code == 2 and "is damaged: delete it, and promote a version again" in result.err
    assert osprey("classify", "--image", some_photo(photos), "--model", "fish@2").code == 0
    listed = osprey("registry", "list")
    assert listed.code == 0 and "crab@1" in listed.out and "fish@2" in listed.out
    assert listed.err.count("is damaged: delete it, and promote a version again\n") == 1
    run = only_run(fish)
    change(run / "bundle", classes=[])
    assert "is damaged" in osprey("registry", "add", run, "--name", "eel").err
    shutil.rmtree(run / "bundle")
    assert "has no bundle: osprey export" in osprey("registry", "add", run).err


def test_a_card_sends_nothing_to_the_terminal(fish: Path, osprey: Osprey, photos: Path) -> None:
    for version in ("1", "2"):
        change(fish / "registry" / "fish" / version, model="\x1b[2J", name="a\nb")
    listed = osprey("registry", "list").out
    assert listed.startswith("fish@1    ?[2J, 3 classes, ") and listed.count("\n") == 2
    words = ("--image", some_photo(photos), "--model", "fish@1")
    assert "model: fish@1 (a?b, ?[2J, 20" in osprey("classify", *words, "--verbose").err
    assert osprey("predict", *words).err == "model: fish@1 (a?b, ?[2J)\n"


def test_a_number_is_never_used_twice(fish: Path, osprey: Osprey, photos: Path) -> None:
    """A champion that was deleted: the next version is neither it nor the champion."""
    assert osprey("registry", "promote", "fish@2").code == 0
    shutil.rmtree(fish / "registry" / "fish" / "2")
    words = ["classify", "--image", some_photo(photos), "--model", "fish", "--verbose"]
    assert "model: fish@1 (" in osprey(*words).err
    assert osprey("registry", "add", "latest", "--name", "fish").out.startswith("fish@3 ")
    assert "fish@3" in osprey("registry", "list").out


def test_folders_and_names(fish: Path, osprey: Osprey, photos: Path) -> None:
    (fish / "fish").mkdir()  # photos of fish, say
    words = ["classify", "--image", some_photo(photos), "--verbose", "--model"]
    assert "model: fish@1 (" in osprey(*words, "fish").err
    assert "model: runs/folder-simple_cnn/" in osprey(*words, "folder-simple_cnn").err


def test_a_damaged_network_is_not_registered(fish: Path, osprey: Osprey) -> None:
    network = only_run(fish) / "bundle" / "model.onnx"
    network.write_bytes(network.read_bytes()[:-1])
    result = osprey("registry", "add", "latest", "--name", "fish")
    assert result.code == 2 and "is not the one that its card was written for" in result.err
    (fish / "registry" / "fish" / "2" / "card.json").write_text("{")
    lines = osprey("registry", "list").out.splitlines()
    assert lines[0].startswith("fish@1") and "card.json cannot be read" in lines[1]
