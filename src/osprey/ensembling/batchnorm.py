"""BatchNorm statistics of averaged weights, which are neither epoch's own.

They are re-estimated on the training photos, preprocessed as in production: that is how the network
will be shown photos from then on (Touvron et al. 2019 gain by the same), and one pass without
augmentation repeats itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from osprey.data.manifest import Manifest
from osprey.imaging import Preprocess
from osprey.models.registry import first_stages, head_prefixes
from osprey.tasks.base import Task
from osprey.tasks.loading import run_device
from osprey.tasks.settings import EvaluationSettings, TrainingSettings

_ENOUGH = 100  # batches for BatchNorm statistics: thousands of photos are enough


def estimate_batchnorm(module: Task, settings: EvaluationSettings, manifest: Manifest) -> None:
    """Re-estimate BatchNorm statistics on the training photos, in place, without dropout.

    Layers whose statistics were frozen in training (``freeze_batchnorm``, ``freeze_stages``, a
    frozen backbone) keep theirs.

    Args:
        module: Its network is moved to the run's device.
        settings: Batches and device.
        manifest: The run's samples.
    """
    network = module.model
    layers = _moving_batchnorm(network, module.settings)
    if not layers:
        return
    preprocess = Preprocess.from_dict(module.metadata.preprocess)
    data, trainer = settings.data_module(manifest, module.metadata), settings.trainer
    device = run_device(trainer)
    mean = 255 * torch.tensor(preprocess.mean, device=device).view(1, 3, 1, 1)
    std = 255 * torch.tensor(preprocess.std, device=device).view(1, 3, 1, 1)
    network.to(device).eval()
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over all batches
        layer.train()
    with torch.inference_mode():
        for number, batch in enumerate(data.train_dataloader()):
            if number == min(_ENOUGH, trainer.limit_train_batches or _ENOUGH):
                break
            pixels: Tensor = batch["image"].to(device).permute(0, 3, 1, 2).float()
            network((pixels - mean) / std)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    network.eval()


def _moving_batchnorm(network: nn.Module, training: TrainingSettings) -> list[_BatchNorm]:
    resting = training.freeze == "backbone" or training.freeze_batchnorm
    heads = head_prefixes(network)
    held = first_stages(network, training.freeze_stages)
    return [
        module
        for name, module in network.named_modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
        if name.startswith(heads) or not (resting or f"{name}.weight" in held)
    ]
