"""Features of a frozen backbone, and answers of a head that had not seen the photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from osprey.config.schema import TrainConfig
from osprey.data.folds import make_folds, pieces_of
from osprey.data.manifest import Manifest
from osprey.doctor.likeness import Likeness
from osprey.doctor.survey import Survey
from osprey.errors import ConfigError
from osprey.system.console import say

WORDS = ("model=imagenet", "augmentation=none")  # of the probe, where no model is chosen
_FOLDS = 5
_L2 = 0.03  # strength of the head's penalty
_FACTORIES = ("timm", "simple_cnn")


def likeness_of(survey: Survey, config: TrainConfig) -> Likeness | None:
    """Compute features of all photos that can be read, or take them from the cache.

    Args:
        survey: What is known of the data set.
        config: Which network, and on which device.

    Returns:
        Features and answers; None where fewer than two photos can be read.

    Raises:
        ConfigError: The network is no classifier.
        CheckpointError: Its weights cannot be had.
    """
    from osprey.models.registry import check_size, input_settings
    from osprey.models.weights import build_pretrained
    from osprey.tasks.classification.probe.features import FeatureStore
    from osprey.tasks.loading import make_data, make_preprocess, model_spec, run_device
    from osprey.tasks.quiet import quieten
    from osprey.tasks.settings import DataSettings

    if config.model.factory not in _FACTORIES:
        raise ConfigError(
            f"features=true: model={config.model.name} has no features of a whole photo: choose a "
            "classifier, such as model=imagenet"
        )
    rows = np.flatnonzero(survey.readable)
    if len(rows) < 2:
        return None
    quieten(config.extras.ignore_warnings)
    manifest = _labelled(survey, rows)
    spec = model_spec(config.model)
    preprocess = make_preprocess(config.data, input_settings(spec))
    classes = manifest.classes
    check_size(spec, len(classes), preprocess.size)
    network, weights = build_pretrained(spec, len(classes), config.model.pretrained, classes)
    say(f"features {weights}")
    data = make_data(DataSettings.from_config(config), manifest, preprocess)
    device = run_device(config.trainer)
    store = FeatureStore(network, spec, data, device, Path(config.paths.cache))
    values = store.features("train").values.numpy()
    answers = _unseen_answers(manifest, values, config.data.split_seed)
    return Likeness(rows, values, answers, classes)


def _labelled(survey: Survey, rows: NDArray[np.int64]) -> Manifest:
    """The photos that can be read as one split, each with one label."""
    table = survey.manifest.table.iloc[rows].reset_index(drop=True)
    table = table.drop(columns=["width", "height", "boxes"], errors="ignore")
    sha = [digest.tobytes().hex() for digest in survey.looks.digests[rows]]
    return Manifest(survey.manifest.root, table.assign(split="train", sha256=sha))


def _unseen_answers(
    manifest: Manifest, values: NDArray[np.float32], seed: int
) -> NDArray[np.float32]:
    """Probabilities by heads fitted on the other folds, float32 [M, K]."""
    import torch

    from osprey.tasks.classification.probe.linear_probe import fit_linear

    codes = np.unique(manifest.table["label"].to_numpy(dtype=str), return_inverse=True)[1]
    classes, features = int(codes.max()) + 1, torch.from_numpy(values)
    folds = make_folds(manifest, min(_FOLDS, pieces_of(manifest)), seed)
    answers = np.zeros((len(codes), classes), dtype=np.float32)
    for fold in np.unique(folds):
        held = torch.from_numpy(folds == fold)
        if held.all():
            answers[:] = 1 / classes
            continue
        targets = torch.from_numpy(codes)[~held]
        weight, bias = fit_linear(features[~held], targets, classes, _L2)
        answers[held.numpy()] = (features[held] @ weight.T + bias).softmax(dim=1).numpy()
    return answers
