"""What every detector answers to, whoever wrote the network inside."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypedDict, cast

import torch
from torch import Tensor, nn

from osprey.models.traits import CustomNetwork, NetworkTraits


class Target(TypedDict):
    """The truth of one photo: boxes float32 [n, 4] (x, y, x2, y2 in input pixels), labels int64."""

    boxes: Tensor
    labels: Tensor


class Found(TypedDict):
    """What was found on one photo, highest score first: a target with scores float32 [n]."""

    boxes: Tensor
    labels: Tensor
    scores: Tensor


class Detector(CustomNetwork):
    """A network of torchvision's detection family, with class ids counted from 0.

    Args:
        network: Takes (images, targets); its own resizing and normalising is taken out.
        body: Name within ``network`` of the pretrained part, which ``freeze`` holds.
        class_layers: Names within ``network`` of the layers that have outputs for each class.
        background: The network keeps its class 0 for the background.
        smallest: Side in pixels of the smallest photos it takes.
        stages: How the body's layers are numbered, in timm's terms; None: as the body says.
    """

    def __init__(
        self,
        network: nn.Module,
        body: str,
        class_layers: Sequence[str],
        *,
        background: bool = False,
        smallest: int = 32,
        stages: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.network.transform = _AsGiven()
        self.body_name = f"network.{body}"
        self.class_layers = tuple(f"network.{name}." for name in class_layers)
        self._offset = int(background)
        self._stages = stages
        self.smallest = smallest
        for name in ("backbone", "head", "rpn.head", "roi_heads.box_predictor"):
            if any(name == known for known, _ in network.named_modules()):
                network.get_submodule(name).register_forward_hook(_in_full_precision)

    @property
    def body(self) -> nn.Module:
        """The pretrained part."""
        return self.get_submodule(self.body_name)

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """The parts of the training loss; their sum is minimised.

        Args:
            images: Normalised float [B, 3, S, S].
            targets: One per image; an image may have no boxes. Boxes without area are skipped.

        Returns:
            Each part by name, a scalar tensor.
        """
        kept = []
        for target in targets:
            boxes = target["boxes"]
            solid = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
            labels = target["labels"][solid] + self._offset
            kept.append({"boxes": boxes[solid], "labels": labels})
        self._learn(True)
        return cast("dict[str, Tensor]", self.network(images, kept))

    def forward(self, images: Tensor) -> list[Found]:
        """Detect objects.

        Args:
            images: Normalised float [B, 3, S, S].

        Returns:
            One `Found` per image, boxes in pixels of the input.
        """
        self._learn(False)
        return [
            Found(
                boxes=found["boxes"],
                labels=found["labels"] - self._offset,
                scores=found["scores"],
            )
            for found in self.network(images)
        ]

    def raw(self, images: Tensor) -> Tensor:
        """All numbers [B, N] that the boxes are read from, before thresholds and NMS.

        Of a two-stage detector (Faster R-CNN), the feature maps of the backbone alone.
        """
        if hasattr(self.network, "raw"):
            return cast(Tensor, self.network.raw(images))  # type: ignore[operator]
        features: dict[str, Tensor] = self.network.backbone(images)  # type: ignore[operator]
        outputs = features
        if hasattr(self.network, "head"):
            outputs = self.network.head(list(features.values()))  # type: ignore[operator]
        return torch.cat([value.flatten(1) for value in outputs.values()], dim=1)

    def get_classifier(self) -> tuple[nn.Module, ...]:
        """Every module outside the body: what is trained while the backbone is frozen."""
        beside: list[nn.Module] = []
        module: nn.Module = self
        for part in self.body_name.split("."):
            beside += [child for name, child in module.named_children() if name != part]
            module = cast(nn.Module, getattr(module, part))
        return tuple(child for child in beside if any(True for _ in child.parameters()))

    def traits(self) -> NetworkTraits:
        """Traits of a detector."""
        from osprey.models.detection.traits import DetectorTraits

        return DetectorTraits(self)

    def by_class(self, key: str, values: Tensor, num_classes: int) -> Tensor:
        """View a class layer's weights as [anchors, classes, values per class, ...].

        The background class comes first if the network has one. Box regressors hold 4 values per
        class, other layers 1.
        """
        each = 4 if ".bbox_pred." in key else 1
        total = (num_classes + self._offset) * each
        whole = values[: len(values) // total * total]  # an embedding's padding comes last
        return whole.view(-1, num_classes + self._offset, each, *values.shape[1:])

    def group_matcher(self, coarse: bool = False) -> Callable[[str], float]:
        """Layer numbers for layer-wise decay, as in timm: the body's stages, then all else."""
        from timm.models import group_parameters

        body = cast(Any, self.body)
        matcher = self._stages or body.group_matcher(coarse=coarse)
        stages: dict[str, int] = group_parameters(body, matcher, reverse=True)
        prefix = f"{self.body_name}."
        return lambda name: stages.get(name.removeprefix(prefix), float("inf"))

    def tell(self, score_threshold: float, nms_iou: float, max_detections: int) -> None:
        """Set which boxes are returned.

        Args:
            score_threshold: Lowest score, 0 to 1.
            nms_iou: IoU above which NMS drops the lower-scored box, 0 to 1.
            max_detections: Most boxes per image.
        """
        network: Any = self.network
        chooser = getattr(network, "roi_heads", network)
        chooser.score_thresh = score_threshold
        chooser.nms_thresh = nms_iou
        chooser.detections_per_img = max_detections

    def _learn(self, learning: bool) -> None:
        """Switch the network between losses and boxes. Layers keep the mode they were put in."""
        self.network.training = learning
        for name in ("rpn", "roi_heads"):
            if hasattr(self.network, name):
                self.network.get_submodule(name).training = learning


class _AsGiven(nn.Module):
    """Stands where torchvision resizes and normalises: Osprey's batches are ready."""

    def forward(self, images: Tensor, targets: Any = None) -> tuple[Any, Any]:
        from torchvision.models.detection.image_list import ImageList

        height, width = images.shape[-2:]
        return ImageList(images, [(height, width)] * len(images)), targets

    def postprocess(self, found: Any, shapes: Any, originals: Any) -> Any:
        return found


def _in_full_precision(module: nn.Module, inputs: Any, output: Any) -> Any:
    """Half precision is for convolutions: anchors and boxes would be pixels off in it."""
    if isinstance(output, Tensor):
        return output.float() if output.dtype in (torch.float16, torch.bfloat16) else output
    if isinstance(output, dict):
        pairs = [(key, _in_full_precision(module, inputs, v)) for key, v in output.items()]
        return OrderedDict(pairs)
    return type(output)(_in_full_precision(module, inputs, value) for value in output)
