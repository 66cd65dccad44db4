"""Probable label errors: what heads say of photos whose labels they have not seen."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from torch import Tensor, nn

from osprey.config.schema import TrainConfig
from osprey.data.folds import make_folds
from osprey.data.manifest import SPLITS, Manifest
from osprey.errors import DataError
from osprey.runs.folder import RunFolder
from osprey.tasks.assemble import assemble
from osprey.tasks.classification.probe.features import FeatureStore
from osprey.tasks.classification.probe.linear_probe import L2, fit_linear
from osprey.tasks.evaluation import load_for_testing
from osprey.tasks.loading import run_device
from osprey.tasks.suspects import LabelSuspect, Suspects

_FOLDS = 5


def find_suspects(store: FeatureStore, manifest: Manifest, doubt: str = "") -> Suspects:
    """Confident learning (Northcutt et al. 2021) on out-of-fold probabilities.

    Each photo's probabilities come from a head that was fitted on the other folds; photos of one
    group, and copies, are in one fold.

    Args:
        store: Gives the features of every split.
        manifest: The samples, of two classes or more.
        doubt: What may hide mistakes, see `Suspects`.

    Raises:
        DataError: There are too few photos or groups for five folds.
    """
    parts = [manifest.split(name) for name in SPLITS]
    known = [(part, store.features(name)) for part, name in zip(parts, SPLITS, strict=True)
             if len(part.table)]  # fmt: skip
    values = torch.cat([features.values for _, features in known])
    targets = torch.cat([features.targets for _, features in known])
    rows = [row for part, _ in known for row in part.table.to_dict("records")]
    order = {row["path"]: number for number, row in enumerate(rows)}
    folds = np.zeros(len(rows), np.int64)
    folds[[order[path] for path in manifest.table["path"]]] = make_folds(manifest, _FOLDS, 0)
    classes = manifest.classes
    given = _out_of_fold(values, targets, folds, len(classes))
    labels = targets.numpy()
    if len(np.unique(labels)) < 2:
        raise DataError("all photos have one label: nothing to compare it with")
    # In this process: workers that it forks and ends by a signal would tell of that at length.
    found = find_label_issues(labels, given, return_indices_ranked_by="self_confidence", n_jobs=1)
    best = given.argmax(axis=1)
    suspects = [
        LabelSuspect(
            str(rows[i]["path"]),
            str(rows[i]["split"]),
            classes[labels[i]],
            classes[best[i]],
            float(given[i, labels[i]]),
            float(given[i, best[i]]),
        )
        for i in found
        if best[i] != labels[i]
    ]
    how = f"heads on frozen features, each photo by one fitted on the other {_FOLDS - 1} folds"
    return Suspects(len(rows), suspects, how, doubt)


def store_of(
    run: RunFolder, config: TrainConfig, manifest: Manifest
) -> tuple[FeatureStore, Manifest, str]:
    """What `find_suspects` takes.

    A backbone that was trained on the labels remembers some of the wrong ones, so the weights that
    the run began from are taken; where those were random, its own, with a word of doubt.

    Args:
        run: The run.
        config: Its settings.
        manifest: Its samples.
    """
    device = run_device(config.trainer)
    begun = config.model.pretrained is not False or config.from_run is not None
    if begun:
        assembly = assemble(config, manifest, resuming=False)
        network, metadata, data = assembly.task.model, assembly.task.metadata, assembly.data
    else:
        module, settings = load_for_testing(run.best, config)
        network, metadata = module.model, module.metadata
        data = settings.data_module(manifest, metadata)
    store = FeatureStore(network, metadata.model, data, device, Path(config.paths.cache))
    doubt = ""
    if not begun:
        doubt = (
            "The run began from random weights, so its own are looked at: they have learnt from "
            "these labels, and may have learnt some of the wrong ones by heart."
        )
    elif config.from_run is not None:
        doubt = (
            "The run began from another run's weights: where those were trained on these labels, "
            "they may have learnt some of the wrong ones by heart."
        )
    return store, manifest, doubt


def _out_of_fold(
    values: Tensor, targets: Tensor, folds: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Probabilities float64 [N, K], at the strength of L2 that makes them the least surprised."""
    best, chosen = math.inf, np.zeros((0, 0))
    starts: list[tuple[Tensor, Tensor] | None] = [None] * _FOLDS
    for l2 in L2:
        logits = torch.zeros(len(targets), classes)
        for fold in range(_FOLDS):
            held = torch.from_numpy(folds == fold)
            head = fit_linear(values[~held], targets[~held], classes, l2, start=starts[fold])
            starts[fold] = head
            logits[held] = values[held] @ head[0].T + head[1]
        loss = float(nn.functional.cross_entropy(logits, targets))
        if loss >= best:
            break
        best, chosen = loss, logits.double().softmax(dim=1).numpy()
    return chosen
