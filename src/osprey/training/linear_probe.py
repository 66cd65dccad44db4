"""A linear head fitted on frozen features: the head fine-tuning starts from.

A random head sends large, meaningless gradients into a pretrained backbone; a fitted one does
not (Kumar et al. 2022). Features are computed once, so this costs one pass over the photos.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from osprey.data.datamodule import DataModule
from osprey.data.dataset import Batch
from osprey.data.sampler import EvalBatchSampler
from osprey.errors import ConfigError
from osprey.models.registry import Classifier
from osprey.training.assemble import Assembly
from osprey.training.console import say

_L2 = (1e-4, 1e-3, 1e-2, 1e-1)  # strengths tried; validation chooses


def fit_head(assembly: Assembly, device: torch.device, *, verbose: bool = True) -> None:
    """Fit the network's last layer by logistic regression on its own features, in place.

    The L2 strength is the one with the lowest log loss on the validation split. Every process of
    a distributed run computes the same head from the same data.

    Raises:
        ConfigError: The network's head is not one linear layer.
    """
    head = cast(Classifier, assembly.task.model).get_classifier()
    if not isinstance(head, nn.Linear):
        raise ConfigError(
            f"model.head_init=linear_probe: the head of this model is {type(head).__name__}, "
            "not one linear layer; use model.head_init=random"
        )
    train = _features(assembly, "train", device)
    val = _features(assembly, "val", device)
    fitted = [fit_linear(*train, head.out_features, l2) for l2 in _L2]
    losses = [
        float(nn.functional.cross_entropy(val[0] @ weight.T + bias, val[1]))
        for weight, bias in fitted
    ]
    chosen = losses.index(min(losses))
    weight, bias = fitted[chosen]
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)
    if assembly.task.ema is not None:
        assembly.task.ema.module.load_state_dict(assembly.task.model.state_dict())
    accuracy = ((val[0] @ weight.T + bias).argmax(1) == val[1]).float().mean()
    if verbose:
        say(f"head    fitted on frozen features: val top-1 {accuracy:.3f} (L2 {_L2[chosen]:g})")


def _features(assembly: Assembly, split: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """Features float32 [N, C] and targets int64 [N] of a split, prepared as in production."""
    data: DataModule = assembly.data
    dataset = data.dataset(split)
    sampler = EvalBatchSampler(len(dataset), data.config.eval_batch_size)
    loader: DataLoader[Batch] = data.loader(dataset, sampler)
    task = assembly.task.to(device).eval()
    network = cast(Classifier, task.model)
    features, targets = [], []
    with torch.inference_mode():
        for batch in loader:
            maps = network.forward_features(task.normalise(batch["image"].to(device)))
            features.append(network.forward_head(maps, pre_logits=True).float().cpu())
            targets.append(batch["target"])
    task.train()
    # Cloned out of inference mode, so that gradients with respect to a head may use them.
    return torch.cat(features).clone(), torch.cat(targets).clone()


def fit_linear(
    features: Tensor, targets: Tensor, num_classes: int, l2: float
) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression by L-BFGS.

    Args:
        features: float32 [N, C].
        targets: int64 [N].
        num_classes: Outputs K.
        l2: Strength of the penalty on the weights of standardised features.

    Returns:
        Weight [K, C] and bias [K] for the features as they are.
    """
    mean, std = features.mean(0), features.std(0).clamp_min(1e-6)
    inputs = (features - mean) / std
    weight = torch.zeros(num_classes, features.shape[1], requires_grad=True)
    bias = torch.zeros(num_classes, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        loss = nn.functional.cross_entropy(inputs @ weight.T + bias, targets)
        loss = loss + l2 * weight.square().sum() / 2
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    solver.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        scaled = weight / std
        return scaled, bias - scaled @ mean
