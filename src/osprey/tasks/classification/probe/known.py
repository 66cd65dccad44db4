"""What a linear probe answers, from features that are cached already."""

from __future__ import annotations

from pathlib import Path

from osprey.config.schema import ModelConfig
from osprey.data.manifest import Manifest
from osprey.tasks.classification.evaluate import Outputs
from osprey.tasks.classification.module import Classification
from osprey.tasks.classification.probe.features import FeatureStore
from osprey.tasks.classification.probe.linear_probe import linear_head
from osprey.tasks.loading import run_device
from osprey.tasks.settings import EvaluationSettings


def known_outputs(
    module: Classification,
    settings: EvaluationSettings,
    part: Manifest,
    model: ModelConfig,
    cache: Path,
) -> Outputs | None:
    """A linear probe's outputs on a split, from its cached features.

    Args:
        module: From `load_for_testing`.
        settings: Batches and device.
        part: The split's samples.
        model: Says whether it is a linear probe.
        cache: ``paths.cache``.

    Returns:
        None for any other network, or where ``trainer.limit_eval_batches`` is set.
    """
    trainer, metadata = settings.trainer, module.metadata
    probe = model.head_init == "linear_probe" and trainer.max_epochs == 0
    if not probe or trainer.limit_eval_batches is not None or part.table.empty:
        return None
    data, device = settings.data_module(part, metadata), run_device(trainer)
    store = FeatureStore(module.model, metadata.model, data, device, cache)
    seen, head = store.features(str(part.table["split"].iloc[0])), linear_head(module.model)
    logits = seen.values @ head.weight.T.cpu() + head.bias.cpu()
    return Outputs(logits.detach(), seen.targets, part.table["path"].tolist())
