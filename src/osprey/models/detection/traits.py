"""How a detector is tried, measured, filled and taken over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from osprey.errors import ConfigError
from osprey.models.spec import ModelSpec
from osprey.models.traits import NetworkTraits, SharedClasses

if TYPE_CHECKING:
    from osprey.models.detection.detector import Detector


class DetectorTraits(NetworkTraits):
    """Those of a `Detector`, whose answer is boxes.

    Args:
        model: The detector.
    """

    model: Detector

    def raw(self, images: Tensor) -> Tensor:
        """All numbers [B, N] the boxes are read from."""
        return self.model.raw(images)

    def check_side(self, size: int) -> None:
        """Only multiples of the largest stride."""
        if size % 32:
            near = sorted({max(32, size // 32 * 32), size // 32 * 32 + 32})
            sizes = " or ".join(map(str, near))
            raise ConfigError(
                f"data.size: a detector takes multiples of 32 px, not {size}: {sizes}"
            )

    def try_photo(self, photo: Tensor) -> None:
        """The raw answer, which needs no values; photos must not be too small for all levels."""
        if photo.shape[-1] < self.model.smallest:
            raise ValueError(f"photos of {photo.shape[-1]} px are too small")
        self.model.raw(photo)

    def run_layers(self, images: Tensor) -> None:
        """Of a detector that looks twice, the second look at as many places as it would."""
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
        """The layers that have outputs for each class."""
        return self.model.class_layers

    def copy_classes(self, key: str, own: Tensor, theirs: Tensor, shared: SharedClasses) -> None:
        """Each class's weights at every anchor, and the background's."""
        mine = self.model.by_class(key, own, shared.num_here)
        other = self.model.by_class(key, theirs, shared.num_there)
        if (mine.shape[0], mine.shape[2:]) == (other.shape[0], other.shape[2:]):
            first = mine.shape[1] - shared.num_here  # after the background
            mine[:, :first] = other[:, :first]
            mine[:, shared.here + first] = other[:, shared.there + first]

    def load_own_weights(self, spec: ModelSpec, pretrained: bool | str) -> str | None:
        """The backbone's alone, or a whole detector's from COCO."""
        from osprey.models.detection.weights import load_detector

        return load_detector(self.model, spec, pretrained)
