"""A new backbone, data set or augmentation is one YAML file in the user's own config folder."""

from __future__ import annotations

from pathlib import Path

from conftest import REPOSITORY, TINY, only_run
from omegaconf import OmegaConf


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_new_backbone(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    write(
        here / "mine/model/tiny_resnet.yaml",
        "defaults: [_base]\nname: test_resnet\npretrained: false\n",
    )
    result = osprey(
        *("train", "--config-dir", "mine", "model=tiny_resnet", "data=folder"),
        *(f"data.root={photos}", *TINY, "model.options=null", "trainer.max_epochs=1"),
    )
    assert result.code == 0, result.err
    assert "model   test_resnet" in result.out


def test_new_data_set(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    write(
        here / "mine/data/paint.yaml",
        f"defaults: [folder]\nname: paint\nroot: {photos}\nclasses: [red, blue]\n",
    )
    result = osprey("train", "--config-dir", "mine", "data=paint", *TINY, "trainer.max_epochs=1")
    assert result.code == 0, result.err
    assert only_run(here).parent.name == "paint-simple_cnn"
    assert "photos of 2 classes" in result.out


def test_new_augmentation_and_experiment(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    write(
        here / "mine/augmentation/upside_down.yaml",
        "name: upside_down\nsteps:\n  - VerticalFlip: {p: 1.0}\n"
        "mixup: 0.0\ncutmix: 0.0\nmix_probability: 1.0\nerasing: 0.0\n",
    )
    write(
        here / "mine/experiment/mine.yaml",
        "# @package _global_\ndefaults:\n  - override /augmentation: upside_down\n"
        f"  - override /data: folder\ndata: {{root: {photos}}}\nseed: 5\n",
    )
    words = [word for word in TINY if word != "augmentation=none"]
    result = osprey(
        "train", "--config-dir", "mine", "experiment=mine", *words, "trainer.max_epochs=1"
    )
    assert result.code == 0, result.err
    config = OmegaConf.load(only_run(here) / "config.yaml")
    assert (config.augmentation.name, config.seed) == ("upside_down", 5)


def test_own_folder_is_laid_over_ours(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    """A file of the same name wins: here the user's own `trainer=default`."""
    text = (REPOSITORY / "configs/trainer/default.yaml").read_text()
    write(here / "mine/trainer/default.yaml", text.replace("max_epochs: 12", "max_epochs: 1"))
    words = [word for word in TINY if not word.startswith("trainer.max_epochs")]
    result = osprey("train", "--config-dir", "mine", "data=folder", f"data.root={photos}", *words)
    assert result.code == 0, result.err
    assert "epoch   1/1" in result.out
