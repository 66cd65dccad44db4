"""A classifier that tells, beside its logits, its features seen from a few directions."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from osprey.errors import BundleError


class WithFeatures(nn.Module):
    """Logits, and the features before the last layer seen from a few fixed directions.

    The directions are further rows of the last layer, so that they cost next to nothing.

    Args:
        network: From [B, 3, S, S] to the wider last layer's [B, classes + count].
        classes: Number of logits.
    """

    def __init__(self, network: nn.Module, classes: int) -> None:
        super().__init__()
        self.network, self.classes = network, classes

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, classes] and features [B, count] of images [B, 3, S, S]."""
        wide = self.network(images)
        return wide[:, : self.classes], wide[:, self.classes :]


def with_features(network: nn.Module, classes: int, count: int, size: int) -> WithFeatures:
    """A copy of a classifier that tells its features, too.

    Args:
        network: In evaluation mode on the CPU.
        classes: Number of its logits.
        count: Number of directions, drawn at random with a fixed seed, at right angles.
        size: Side of its input in pixels.

    Returns:
        The copy; its logits are the network's.

    Raises:
        BundleError: Its logits are not those of one linear layer.
    """
    wrong = BundleError(
        "--features is for networks that end in one linear layer, and this one does not: leave it "
        "out"
    )
    heads = [
        name
        for name, module in network.named_modules()
        if type(module) is nn.Linear and module.out_features == classes
    ]
    if not heads or not heads[-1]:
        raise wrong
    wide = copy.deepcopy(network)
    parent, _, name = heads[-1].rpartition(".")
    head = wide.get_submodule(heads[-1])
    assert isinstance(head, nn.Linear)
    if head.in_features < count:
        raise wrong
    setattr(wide.get_submodule(parent), name, _widened(head, count))
    probe = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    both = WithFeatures(wide.eval(), classes)
    with torch.inference_mode():
        before = network(probe)
        try:
            after, features = both(probe)
            same = torch.allclose(before, after, rtol=1e-4, atol=1e-4)
        except (RuntimeError, IndexError, ValueError):  # what follows the layer wants its width
            raise wrong from None
    if not same or features.shape != (2, count):
        raise wrong
    return both


def _widened(head: nn.Linear, count: int) -> nn.Linear:
    """The layer with further outputs, scaled as the logits are, for eight bits' sake."""
    draw = torch.randn(head.in_features, count, generator=torch.Generator().manual_seed(0))
    directions = torch.linalg.qr(draw)[0].T
    scale = head.weight.detach().norm(dim=1).mean()
    wide = nn.Linear(head.in_features, head.out_features + count)
    bias = torch.zeros(head.out_features) if head.bias is None else head.bias.detach()
    with torch.no_grad():
        wide.weight.copy_(torch.cat([head.weight, scale * directions]))
        wide.bias.copy_(torch.cat([bias, torch.zeros(count)]))
    return wide
