"""A classifier's choice of the photos to label next, by its features and probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pandas as pd
import torch

from osprey.config.schema import TrainConfig
from osprey.data.manifest import complete
from osprey.models.registry import Classifier
from osprey.runs.folder import RunFolder
from osprey.tasks.classification.probe.features import FeatureStore
from osprey.tasks.evaluation import load_for_testing
from osprey.tasks.loading import run_device
from osprey.tasks.next_photos import NextPhoto, choose


def next_photos(
    run: RunFolder, config: TrainConfig, root: Path, paths: list[str], count: int
) -> list[NextPhoto]:
    """See `TaskPlugin.next_photos`."""
    module, settings = load_for_testing(run.best, config)
    metadata, device = module.metadata, run_device(config.trainer)
    # Labels are needed for a manifest and looked at by nobody.
    table = pd.DataFrame({"path": paths, "split": "test", "label": metadata.classes[0]})
    data = settings.data_module(complete(table, root, str(root)), metadata)
    cache = Path(config.paths.cache)
    store = FeatureStore(module.model, metadata.model, data, device, cache)
    features = store.features("test").values
    with torch.inference_mode():
        head = cast(Classifier, module.model).get_classifier().to(device)
        logits = head(features.to(device)).float().cpu() / metadata.temperature
    probabilities = logits.softmax(dim=1).numpy()
    best = probabilities.argmax(axis=1)
    return [
        NextPhoto(paths[row], metadata.classes[best[row]], float(probabilities[row].max()), why)
        for row, why in choose(features.numpy(), probabilities, count)
    ]
