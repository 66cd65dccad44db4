"""Several trained networks that answer as one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from osprey.errors import ConfigError
from osprey.models.spec import ModelSpec

COMBINES = ("average", "weighted", "stacked")
OPTIONS = ("members", "combine")
_KEYS = {"factory", "name", "options", "size"}
_SURE = 1e-6  # stacking sees no probability below this: a log has no floor of its own


class Member(nn.Module):
    """A trained network with the ensemble's input and class order.

    All that differs between members besides their weights is stored as buffers: how the ensemble's
    input is renormalised, the temperature, and the order of the classes.

    Args:
        network: Gives logits [B, C].
        size: Side in pixels of its input.
        num_classes: C.
    """

    scale: Tensor
    shift: Tensor
    temperature: Tensor
    order: Tensor

    def __init__(self, network: nn.Module, size: int, num_classes: int) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.register_buffer("scale", torch.ones(1, 3, 1, 1))
        self.register_buffer("shift", torch.zeros(1, 3, 1, 1))
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("order", torch.arange(num_classes))

    def align(
        self,
        own: tuple[Sequence[float], Sequence[float]],
        shared: tuple[Sequence[float], Sequence[float]],
        temperature: float,
        order: Sequence[int],
    ) -> None:
        """Set how the ensemble's input and classes map to this network's.

        Args:
            own: Mean and std that this network's input is normalised by.
            shared: Mean and std that the ensemble's input is normalised by.
            temperature: Divides this network's logits.
            order: For each class of the ensemble its index in this network.
        """
        (mean, std), (their_mean, their_std) = (torch.tensor(pair) for pair in (own, shared))
        self.scale.copy_((their_std / std).view(1, 3, 1, 1))
        self.shift.copy_(((their_mean - mean) / std).view(1, 3, 1, 1))
        self.temperature.fill_(temperature)
        self.order.copy_(torch.tensor(order))

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities in the ensemble's class order.

        Args:
            images: float [B, 3, S, S], normalised for the ensemble; resized to this member's size.

        Returns:
            float32 [B, C].
        """
        if images.shape[-1] != self.size:
            images = nn.functional.interpolate(
                images, size=(self.size, self.size), mode="bilinear", antialias=True
            )
        logits: Tensor = self.network(images * self.scale + self.shift).float()
        order = self.order % logits.shape[1]  # a valid class even if the file is malformed
        return (logits / self.temperature).log_softmax(dim=1)[:, order]


class Members(nn.ModuleList):
    """The networks side by side."""

    def forward(self, images: Tensor) -> Tensor:
        """Each member's log-probabilities: float32 [B, members, C] of images [B, 3, S, S]."""
        return torch.stack([member(images) for member in self], dim=1)


class Mixture(nn.Module):
    """The weighted mean of the members' probabilities."""

    weights: Tensor

    def __init__(self, members: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.full((members,), 1 / members))

    def forward(self, log_probabilities: Tensor) -> Tensor:
        """Log-probabilities [B, C] from the members' [B, members, C]."""
        return (log_probabilities + self.weights.log()[:, None]).logsumexp(dim=1)


class Stack(nn.Module):
    """Multinomial logistic regression on the members' log-probabilities (stacking, Wolpert 1992).

    Args:
        members: Number of members.
        num_classes: Number of classes.
    """

    def __init__(self, members: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(members * num_classes, num_classes)

    def forward(self, log_probabilities: Tensor) -> Tensor:
        """Log-probabilities [B, C] from the members' [B, members, C]."""
        logits: Tensor = self.linear(stack_inputs(log_probabilities))
        return logits.log_softmax(dim=1)


def stack_inputs(log_probabilities: Tensor) -> Tensor:
    """Inputs [B, members * C] of stacking from log-probabilities [B, members, C], floored."""
    return log_probabilities.clamp_min(math.log(_SURE)).flatten(1)


class Ensemble(nn.Module):
    """Trained networks and how their answers are combined.

    Args:
        networks: Each network with the side in pixels of its input.
        combine: ``average``, ``weighted`` or ``stacked``.
        num_classes: C, the same for all.
    """

    def __init__(
        self, networks: Sequence[tuple[nn.Module, int]], combine: str, num_classes: int
    ) -> None:
        super().__init__()
        self.members = Members(Member(network, size, num_classes) for network, size in networks)
        self.combine: Mixture | Stack = (
            Stack(len(networks), num_classes) if combine == "stacked" else Mixture(len(networks))
        )

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities, usable as logits.

        Args:
            images: float [B, 3, S, S], normalised.

        Returns:
            float32 [B, C].
        """
        answer: Tensor = self.combine(self.members(images))
        return answer


def member_specs(spec: ModelSpec) -> list[tuple[ModelSpec, int]]:
    """Descriptions of an ensemble's members, each with the side in pixels of its input.

    Args:
        spec: Description of the ensemble, which may come from an untrusted checkpoint.

    Returns:
        One pair per member.

    Raises:
        ConfigError: The description is not one that Osprey writes.
    """
    wrong = ConfigError("an ensemble's description must name its members as Osprey writes them")
    members = spec.options.get("members")
    if (
        spec.name != "ensemble"
        or set(spec.options) != set(OPTIONS)
        or not isinstance(members, list)
    ):
        raise wrong
    if spec.options["combine"] not in COMBINES or not members:
        raise wrong
    found = []
    for member in members:
        if not isinstance(member, dict) or set(member) != _KEYS:
            raise wrong
        factory, name, options, size = (member[k] for k in ("factory", "name", "options", "size"))
        if not isinstance(factory, str) or not isinstance(name, str):
            raise wrong
        if not isinstance(options, dict) or type(size) is not int or not 8 <= size <= 4096:
            raise wrong
        if factory == "ensemble":
            raise ConfigError("an ensemble cannot be a member of an ensemble")
        found.append((ModelSpec(factory, name, options), size))
    return found
