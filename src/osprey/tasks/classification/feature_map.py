"""The map of a probe's photos by their features, which are known: the folder ``plots/``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from osprey.config.schema import TrainConfig
from osprey.data.manifest import SPLITS, Manifest
from osprey.errors import UnreadableImage
from osprey.imaging import read_image, resized
from osprey.reports.photo_map import TILE, flat_map, map_payload, sheet_of
from osprey.runs.folder import RunFolder
from osprey.tasks.classification.probe.features import FeatureStore
from osprey.tasks.evaluation import load_for_testing
from osprey.tasks.loading import run_device
from osprey.tasks.sheets import Pixels, write_jpeg

_MOST = 1200  # photos on the map: more take time and room, and lie on each other


def draw_map(run: RunFolder, config: TrainConfig, manifest: Manifest) -> None:
    """Write plots/map.json and map.jpg of a linear probe; of another network nothing is written.

    Args:
        run: The tested run.
        config: Its settings.
        manifest: Its samples.
    """
    if config.model.head_init != "linear_probe" or config.trainer.max_epochs:
        return  # features of a trained network are not kept
    module, settings = load_for_testing(run.best, config)
    data = settings.data_module(manifest, module.metadata)
    device, cache = run_device(config.trainer), Path(config.paths.cache)
    store = FeatureStore(module.model, module.metadata.model, data, device, cache)
    parts = [part for name in SPLITS if len((part := manifest.split(name)).table)]
    features = [store.features(part.table["split"].iloc[0]).values.numpy() for part in parts]
    table = manifest.table
    order = np.concatenate([np.flatnonzero(table["split"] == name) for name in SPLITS])
    shown = np.arange(0, len(order), -(-len(order) // _MOST))
    tiles, kept = _tiles([manifest.root / table["path"].iloc[row] for row in order[shown]])
    shown = shown[kept]
    rows = table.iloc[order[shown]]
    columns = {"class": rows["label"], "split": rows["split"]}
    if manifest.has_groups:
        columns["group"] = rows["group"]
    places, how = flat_map(np.concatenate(features))
    content = map_payload(
        places[shown],
        list(range(len(rows))),
        rows["path"].tolist(),
        {name: values.to_numpy(dtype=str) for name, values in columns.items()},
    )
    write_jpeg(run, "plots/map.jpg", sheet_of(tiles))
    run.write_json("plots/map.json", {"how": how, "of": len(order), "points": content})


def _tiles(files: Sequence[Path]) -> tuple[Pixels, list[int]]:
    """Small pictures uint8 [M, TILE, TILE, 3], and which of the files can be read."""
    tiles, kept = [], []
    for place, file in enumerate(files):
        try:
            tiles.append(resized(read_image(file, min_side=TILE), TILE, TILE))
        except UnreadableImage:  # a file that has gone meanwhile
            continue
        kept.append(place)
    return np.array(tiles, np.uint8).reshape(-1, TILE, TILE, 3), kept
