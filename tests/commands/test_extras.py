"""What a command says beside the run: the tree, tags, this machine's own settings."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import yaml
from conftest import TINY, only_run
from helpers import data_config

from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.data.prepare import prepare
from osprey.imaging import Preprocess


def test_the_tree_is_printed_and_tags_are_kept(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    words = ["data=folder", f"data.root={photos}", *TINY, "trainer.max_epochs=1"]
    result = osprey("train", *words, "extras.enforce_tags=true")
    assert (result.code, result.err) == (
        2,
        "osprey train: tags: extras.enforce_tags=true wants some: add tags=[WORD,...]\n",
    )
    assert not (here / "runs").exists()
    more = ["extras.enforce_tags=true", "extras.print_config=true", "tags=[first,small]"]
    result = osprey("train", *words, *more)
    assert result.code == 0, result.err
    tree = yaml.safe_load(result.out.partition("\ndata    ")[0])
    assert tree["model"]["_target_"] == "osprey.models.simple_cnn.SimpleCNN"
    config = yaml.safe_load((only_run(here) / "config.yaml").read_text())
    assert config["tags"] == ["first", "small"]
    recorded = json.loads((only_run(here) / "environment.json").read_text())
    assert recorded["user_code"] == {}, "nobody's code but Osprey's"


def test_this_machine_has_settings_of_its_own(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    (here / "mine" / "local").mkdir(parents=True)
    text = "# @package _global_\ntrainer: {max_epochs: 3}\npaths: {runs: elsewhere}\n"
    (here / "mine" / "local" / "default.yaml").write_text(text)
    result = osprey("train", "--config-dir", "mine", "--cfg", "job")
    tree = yaml.safe_load(result.out)
    assert (tree["trainer"]["max_epochs"], tree["paths"]["runs"]) == (3, "elsewhere")
    result = osprey("train", "--config-dir", "mine", "--cfg", "job", "trainer.max_epochs=5")
    assert yaml.safe_load(result.out)["trainer"]["max_epochs"] == 5, "the command line wins"


def negative(samples: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {"image": torch.stack([255 - sample["image"] for sample in samples])}


def test_a_collate_function_makes_training_batches_alone(photos: Path) -> None:
    node = {"_target_": f"{__name__}.negative"}
    config = data_config(photos, num_workers=0, batch_size=8, collate=node)
    manifest: Manifest = prepare(config, photos.parent / "cache").manifest
    form = Preprocess(size=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    data = DataModule(manifest, manifest.classes, form, config, seed=0)
    assert set(next(iter(data.train_dataloader()))) == {"image"}
    assert {"image", "target", "index"} <= set(next(iter(data.val_dataloader())))
