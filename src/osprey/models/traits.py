"""How a network is checked, measured, filled with weights and reused for other classes.

Most networks output one number per class: `NetworkTraits` are theirs. A network that outputs
something else, such as a detector, subclasses `CustomNetwork` and brings traits of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from osprey.models.spec import ModelSpec


@dataclass(frozen=True)
class SharedClasses:
    """The K classes that two networks have in common.

    Attributes:
        here: Their indices in this network, int64 [K].
        there: Their indices in the other, int64 [K].
        num_here: Number of classes of this network.
        num_there: Number of classes of the other.
    """

    here: Tensor
    there: Tensor
    num_here: int
    num_there: int

    @classmethod
    def between(cls, here: Sequence[str], there: Sequence[str]) -> SharedClasses:
        """The classes of the same name.

        Args:
            here: Class names of this network, in the order of its outputs.
            there: Those of the other.
        """
        known = [(i, there.index(name)) for i, name in enumerate(here) if name in there]
        pairs = torch.tensor(known, dtype=torch.long).reshape(-1, 2)
        return cls(pairs[:, 0], pairs[:, 1], len(here), len(there))


class NetworkTraits:
    """Traits of a network that outputs [B, classes].

    Args:
        model: The network.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def raw(self, images: Tensor) -> Tensor:
        """All numbers that the prediction is read from.

        Args:
            images: float [B, 3, H, W], normalised.

        Returns:
            Float [B, N]; the logits by default.
        """
        answer: Tensor = self.model(images)
        return answer

    def check_side(self, size: int) -> None:
        """Check the input's side where a precise reason can be given.

        Args:
            size: Side in pixels.

        Raises:
            ConfigError: The size is not possible; the message names sizes that are.
        """

    def try_photo(self, photo: Tensor) -> None:
        """Run a photo on the meta device.

        Args:
            photo: float [1, 3, S, S].

        Raises:
            RuntimeError, AssertionError, ValueError: The network cannot take it.
        """
        self.model(photo)

    def run_layers(self, images: Tensor) -> None:
        """Run every layer as often as one prediction does, to count operations.

        Args:
            images: float [B, 3, S, S], on the meta device.
        """
        self.model(images)

    def class_layers(self) -> tuple[str, ...]:
        """Name prefixes of the parameters that are learnt per class."""
        return head_prefixes(self.model)

    def copy_classes(self, key: str, own: Tensor, theirs: Tensor, shared: SharedClasses) -> None:
        """Copy the weights of shared classes from another network of the same architecture.

        Args:
            key: Parameter name, which begins with one of `class_layers`.
            own: This network's parameter, changed in place where the shapes fit.
            theirs: The other network's.
            shared: Indices of the shared classes.
        """
        if len(shared.here) and own.shape[1:] == theirs.shape[1:]:
            own[shared.here] = theirs[shared.there]

    def load_own_weights(
        self, spec: ModelSpec, pretrained: bool | str, classes: Sequence[str] = ()
    ) -> str | None:
        """Load pretrained weights in a way particular to this network.

        Args:
            spec: Description it was built from.
            pretrained: True to download them, or a file's path.
            classes: Names of its classes, where those of the weights are known too.

        Returns:
            One line that says what was loaded; None to load them as timm's.

        Raises:
            CheckpointError: The weights cannot be obtained, or do not fit this network.
        """
        return None


class CustomNetwork(nn.Module):
    """A network whose output is not one number per class."""

    def traits(self) -> NetworkTraits:
        """How it is checked, measured, filled with weights and reused for other classes."""
        raise NotImplementedError


def traits_of(model: nn.Module) -> NetworkTraits:
    """The traits of a network.

    Args:
        model: Any network.

    Returns:
        Its own for a `CustomNetwork`, else those of a classifier.
    """
    return model.traits() if isinstance(model, CustomNetwork) else NetworkTraits(model)


def head_prefixes(model: nn.Module) -> tuple[str, ...]:
    """Name prefixes of the classification layers' parameters; the rest is the backbone.

    Args:
        model: Any network; distilled transformers have two classification layers.

    Returns:
        Prefixes that end with a dot; empty for a network without ``get_classifier()``.
    """
    if not hasattr(model, "get_classifier"):
        return ()
    head = cast(Any, model).get_classifier()
    heads = head if isinstance(head, tuple) else (head,)  # distilled transformers have two
    return tuple(f"{name}." for name, module in model.named_modules() if module in heads)
