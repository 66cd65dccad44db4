"""How a detector is checked, measured, filled with weights and reused for other classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from osprey.errors import ConfigError
from osprey.models.spec import ModelSpec
from osprey.models.traits import NetworkTraits, SharedClasses

if TYPE_CHECKING:
    from osprey.models.detection.detector import Detector


class DetectorTraits(NetworkTraits):
    """Traits of a `Detector`, whose outputs are boxes.

    Args:
        model: The detector.
    """

    model: Detector

    def raw(self, images: Tensor) -> Tensor:
        """All numbers that the boxes are read from (`Detector.raw`).

        Args:
            images: float [B, 3, S, S].

        Returns:
            Float [B, N].
        """
        return self.model.raw(images)

    def check_side(self, size: int) -> None:
        """Accept only multiples of the largest stride, 32 px.

        Args:
            size: Side in pixels.

        Raises:
            ConfigError: ``size`` is not a multiple of 32.
        """
        if size % 32:
            near = sorted({max(32, size // 32 * 32), size // 32 * 32 + 32})
            sizes = " or ".join(map(str, near))
            raise ConfigError(
                f"data.size: a detector takes multiples of 32 px, not {size}: {sizes}"
            )

    def try_photo(self, photo: Tensor) -> None:
        """Compute the raw outputs of one photo on the meta device.

        Args:
            photo: float [1, 3, S, S].

        Raises:
            ValueError: The photo is too small for every level to have a location.
        """
        if photo.shape[-1] < self.model.smallest:
            raise ValueError(f"photos of {photo.shape[-1]} px are too small")
        self.model.raw(photo)

    def run_layers(self, images: Tensor) -> None:
        """Run every layer once, a second stage on as many proposals as it would see.

        Args:
            images: float [B, 3, S, S], on the meta device.
        """
        network = cast(Any, self.model.network)
        if not hasattr(network, "roi_heads"):
            self.model.raw(images)
            return
        side = network.roi_heads.box_roi_pool.output_size
        places = torch.empty(
            network.rpn.post_nms_top_n(), network.backbone.out_channels, *side, device="meta"
        )
        network.rpn.head(list(network.backbone(images).values()))
        network.roi_heads.box_predictor(network.roi_heads.box_head(places))

    def class_layers(self) -> tuple[str, ...]:
        """Name prefixes of the layers that have outputs for each class."""
        return self.model.class_layers

    def copy_classes(self, key: str, own: Tensor, theirs: Tensor, shared: SharedClasses) -> None:
        """Copy each shared class's weights at every anchor, and the background's."""
        mine = self.model.by_class(key, own, shared.num_here)
        other = self.model.by_class(key, theirs, shared.num_there)
        if (mine.shape[0], mine.shape[2:]) == (other.shape[0], other.shape[2:]):
            first = mine.shape[1] - shared.num_here  # after the background
            mine[:, :first] = other[:, :first]
            mine[:, shared.here + first] = other[:, shared.there + first]

    def load_own_weights(
        self, spec: ModelSpec, pretrained: bool | str, classes: Sequence[str] = ()
    ) -> str | None:
        """Load the backbone's weights alone, or a whole detector's from COCO.

        Args:
            spec: Description it was built from.
            pretrained: See `load_detector`.
            classes: Names of its classes.

        Returns:
            One line that says what was loaded.

        Raises:
            CheckpointError: The weights cannot be obtained, or do not fit this network.
        """
        from osprey.models.detection.weights import load_detector

        return load_detector(self.model, spec, pretrained, classes)
