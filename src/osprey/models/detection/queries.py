"""RT-DETRv2 (Lv 2024) and D-FINE (Peng 2024): a set of queries, no anchors, no suppression."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import box_convert, clip_boxes_to_image

from osprey.errors import CheckpointError, ConfigError, reason_of
from osprey.models.detection.detector import Detector, Target
from osprey.models.detection.shares import share_of
from osprey.models.hub import check_hub, is_kept

# Names in transformers, and where the weights are from: ResNet-50 and HGNetV2-B4.
_KINDS = {
    "rtdetr": ("RTDetrV2", "PekingU/rtdetr_v2_r50vd"),
    "dfine": ("DFine", "ustc-community/dfine-large-coco"),
}
_BODY = "inner.model.backbone"
_SMALLEST = 128  # px; feature maps of fewer places than there are queries cannot be asked
_STAGES = {"stem": r"^model\.embedder\.", "blocks": r"^model\.encoder\.stages\.(\d+)\."}


class QueryNetwork(nn.Module):
    """A network of transformers', with the call signature of torchvision's detectors.

    Args:
        inner: Its boxes are centre, width and height, relative to the image (0 to 1).
    """

    score_thresh: float
    detections_per_img: int

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor, targets: list[Target] | None = None) -> Any:
        """Losses in training, detections otherwise.

        Args:
            images: Normalised float [B, 3, S, S].
            targets: One per image; needed in training only.

        Returns:
            In training, scalar loss parts by name; otherwise one dictionary per image with
            ``boxes`` [n, 4] in pixels, ``scores`` [n] and ``labels`` [n].
        """
        if self.training:
            assert targets is not None
            return self._losses(images, targets)
        answer = self.inner(pixel_values=images)
        side = images.shape[-1]
        pairs = zip(answer.logits.float(), answer.pred_boxes.float(), strict=True)
        return [self._found(logits, boxes, side) for logits, boxes in pairs]

    def raw(self, images: Tensor) -> Tensor:
        """The backbone's feature maps.

        Args:
            images: Normalised float [B, 3, S, S].

        Returns:
            Float [B, N], all maps flattened.
        """
        mask = torch.ones(images.shape[0], *images.shape[2:], device=images.device)
        maps = self.inner.model.backbone(images, mask)  # type: ignore[operator,union-attr]
        return torch.cat([values.flatten(1) for values, _ in maps], dim=1)

    def _losses(self, images: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        side = images.shape[-1]
        labels = [
            {
                "class_labels": target["labels"],
                "boxes": box_convert(target["boxes"], "xyxy", "cxcywh") / side,
            }
            for target in targets
        ]
        parts: dict[str, Tensor] = {}
        for key, value in self.inner(pixel_values=images, labels=labels).loss_dict.items():
            kind = "_".join(key.split("_")[:2])  # one sum over the layers that each add theirs
            parts[kind] = parts.get(kind, torch.zeros_like(value)) + value
        share = share_of(sum(len(target["labels"]) for target in targets), images.device)
        return {kind: value * share for kind, value in parts.items()}

    def _found(self, logits: Tensor, boxes: Tensor, side: int) -> dict[str, Tensor]:
        scores = logits.sigmoid().flatten()
        best = scores.topk(min(self.detections_per_img, len(scores)))
        kept = best.indices[best.values > self.score_thresh]
        corners = box_convert(boxes[kept // logits.shape[1]], "cxcywh", "xyxy") * side
        return {
            "boxes": clip_boxes_to_image(corners, (side, side)),
            "scores": scores[kept],
            "labels": kept % logits.shape[1],
        }


def query_detector(name: str, num_classes: int) -> Detector:
    """Build an untrained RT-DETRv2 or D-FINE; nothing is downloaded.

    Args:
        name: ``rtdetr`` or ``dfine``.
        num_classes: Number of classes; there is no background class.

    Returns:
        The detector.

    Raises:
        ConfigError: transformers, an optional dependency, is not installed.
    """
    kind = _KINDS[name][0]
    library = _library(name)
    # Osprey's own settings hold BatchNorm.
    config = getattr(library, f"{kind}Config")(
        num_labels=num_classes, freeze_backbone_batch_norms=False
    )
    inner = getattr(library, f"{kind}ForObjectDetection")(config)
    layers = [
        f"{place}.{n}"
        for place in ("model.decoder.class_embed", "class_embed")
        for n in range(config.decoder_layers)
    ]
    layers += ["model.enc_score_head", "model.denoising_class_embed"]
    named = [f"inner.{layer}" for layer in layers]
    return Detector(QueryNetwork(inner), _BODY, named, smallest=_SMALLEST, stages=_STAGES)


def load_queries(
    model: Detector, name: str, pretrained: bool | str, classes: Sequence[str] = ()
) -> str:
    """Fill a detector with COCO weights; of its classes, those that COCO has by name.

    Args:
        model: Detector to fill, in place.
        name: ``rtdetr`` or ``dfine``.
        pretrained: True to download the weights, or a folder that transformers wrote.
        classes: Names of its classes.

    Returns:
        One line that says what was loaded.

    Raises:
        CheckpointError: The weights cannot be obtained, or belong to another network.
    """
    kind, repository = _KINDS[name]
    source = pretrained if isinstance(pretrained, str) else repository
    here = isinstance(pretrained, str) or is_kept(repository, ("model.safetensors",))
    try:
        if not here:
            check_hub()
        theirs = getattr(_library(name), f"{kind}ForObjectDetection").from_pretrained(
            source, use_safetensors=True, local_files_only=here
        )
    except Exception as error:  # the hub's client and transformers raise many kinds
        reason = reason_of(error)
        raise CheckpointError(
            f"the pretrained weights of '{name}' could not be had from '{source}' ({reason}): "
            "give a folder that transformers wrote with model.pretrained=PATH, or start from "
            "nothing with model.pretrained=false"
        ) from None
    state = {f"network.inner.{key}": value for key, value in theirs.state_dict().items()}
    kept = {k: v for k, v in state.items() if not k.startswith(model.class_layers)}
    missing, unknown = model.load_state_dict(kept, strict=False)
    missing = [k for k in missing if not k.startswith(model.class_layers)]
    missing = [k for k in missing if not k.endswith("num_batches_tracked")]
    if missing or unknown:
        raise CheckpointError(
            f"model.pretrained: '{source}' does not fit '{name}': {len(missing)} keys missing, "
            f"{len(unknown)} unknown, first '{(missing or unknown)[0]}'"
        )
    from osprey.models.detection.weights import copy_named_classes

    known = [str(theirs.config.id2label[i]) for i in range(theirs.config.num_labels)]
    return f"weights: {source} ({copy_named_classes(model, state, classes, known)})"


def _library(name: str) -> Any:
    try:
        import transformers
    except ImportError:
        raise ConfigError(
            f"model={name} needs transformers: pip install 'osprey-vision[transformers]'"
        ) from None
    # torchao, which it brings in, makes torch warn of torch's own future.
    logging.getLogger("torch.utils._pytree").setLevel(logging.ERROR)
    return transformers
