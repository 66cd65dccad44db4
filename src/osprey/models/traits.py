"""How a network is tried, measured, filled and taken over, where that is not every network's way.

Most networks answer one number a class: `NetworkTraits` are theirs. A network that answers
something else, such as a detector, subclasses `CustomNetwork` and brings traits of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn

from osprey.models.spec import ModelSpec


@dataclass(frozen=True)
class SharedClasses:
    """The K classes that two networks know.

    Attributes:
        here: Their places in the one, int64 [K].
        there: Their places in the other, int64 [K].
        num_here: How many classes the one knows.
        num_there: How many the other knows.
    """

    here: Tensor
    there: Tensor
    num_here: int
    num_there: int


class NetworkTraits:
    """Those of a network that answers [B, classes].

    Args:
        model: The network.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def raw(self, images: Tensor) -> Tensor:
        """All numbers [B, N] that the answer is read from, for float [B, 3, H, W]."""
        answer: Tensor = self.model(images)
        return answer

    def check_side(self, size: int) -> None:
        """Refuse photos of ``size`` pixels a side for a reason that can be given.

        Raises:
            ConfigError: One line that says what sizes there may be.
        """

    def try_photo(self, photo: Tensor) -> None:
        """Ask about a photo [1, 3, S, S] on the meta device.

        Raises:
            RuntimeError, AssertionError, ValueError: The network cannot take it.
        """
        self.model(photo)

    def run_layers(self, images: Tensor) -> None:
        """Run every layer as often as one answer does, to count operations."""
        self.model(images)

    def class_layers(self) -> tuple[str, ...]:
        """What the names of the parameters begin with that are learnt class by class."""
        return head_prefixes(self.model)

    def copy_classes(self, key: str, own: Tensor, theirs: Tensor, shared: SharedClasses) -> None:
        """Take over the weights of classes that another network of this kind knows as well.

        Args:
            key: Name of the weights, which begins with one of `class_layers`.
            own: The network's, changed in place where the other's fit.
            theirs: The other's.
            shared: The classes.
        """
        if len(shared.here) and own.shape[1:] == theirs.shape[1:]:
            own[shared.here] = theirs[shared.there]

    def load_own_weights(self, spec: ModelSpec, pretrained: bool | str) -> str | None:
        """Fill the network with pretrained weights in a way of its own.

        Args:
            spec: What it was built from.
            pretrained: True to download them, or a file's path.

        Returns:
            One line that says what was loaded; None: such weights are loaded as timm's are.

        Raises:
            CheckpointError: The weights cannot be had, or do not belong to this network.
        """
        return None


class CustomNetwork(nn.Module):
    """A network that answers something else than one number a class."""

    def traits(self) -> NetworkTraits:
        """How it is tried, measured, filled and taken over."""
        raise NotImplementedError


def traits_of(model: nn.Module) -> NetworkTraits:
    """The traits of any network."""
    return model.traits() if isinstance(model, CustomNetwork) else NetworkTraits(model)


def head_prefixes(model: nn.Module) -> tuple[str, ...]:
    """What the parameter names of the classifying layers start with; the rest is the backbone.

    None of a network of the user's own that has no ``get_classifier()``.
    """
    if not hasattr(model, "get_classifier"):
        return ()
    head = cast(Any, model).get_classifier()
    heads = head if isinstance(head, tuple) else (head,)  # distilled transformers have two
    return tuple(f"{name}." for name, module in model.named_modules() if module in heads)
