"""The losses of FCOS (Tian et al. 2019, arXiv:1904.01355) with every box weighing alike."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot
from torchvision.models.detection.fcos import FCOSHead
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from osprey.models.detection.detector import Target
from osprey.models.detection.shares import mean_count


class EvenFCOSHead(FCOSHead):  # type: ignore[misc]
    """An FCOS head whose losses are means over boxes; it may take a head's place by ``__class__``.

    torchvision's are means over places, of which a large box has nine and a small one down to one:
    where small boxes are of a rare class, that class is learned last. The same parts otherwise.
    """

    def compute_loss(
        self,
        targets: list[Target],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        matched_idxs: list[Tensor],
    ) -> dict[str, Tensor]:
        """The parts of the loss, each divided by its mean count over processes.

        Args:
            targets: One per image; an image may have no boxes.
            head_outputs: ``cls_logits`` [B, A, classes], ``bbox_regression`` [B, A, 4] and
                ``bbox_ctrness`` [B, A, 1].
            anchors: Per image [A, 4], corners in pixels.
            matched_idxs: Per image int64 [A]: index of the matched box, negative for background.

        Returns:
            ``classification``, ``bbox_regression`` and ``bbox_ctrness``, scalars.
        """
        logits, centres = head_outputs["cls_logits"], head_outputs["bbox_ctrness"].squeeze(2)
        inside = torch.stack(matched_idxs) >= 0
        boxes, labels, weights = _matched(targets, matched_idxs)
        weights = weights / _over_processes(weights.sum())
        truth = torch.zeros_like(logits)
        truth[inside] = one_hot(labels, logits.shape[-1]).to(truth.dtype)
        focal = sigmoid_focal_loss(logits, truth).sum(dim=2)
        background = focal[~inside].sum() / _over_processes(inside.sum())
        points = torch.stack(anchors)[inside]
        found = self.box_coder.decode(head_outputs["bbox_regression"][inside], points)
        central = _centrality(self.box_coder.encode(points, boxes))
        away = binary_cross_entropy_with_logits(centres[inside], central, reduction="none")
        return {
            "classification": background + (focal[inside] * weights).sum(),
            "bbox_regression": (generalized_box_iou_loss(found, boxes) * weights).sum(),
            "bbox_ctrness": (away * weights).sum(),
        }


def _matched(targets: list[Target], matched_idxs: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The box, class and weight of each matched place; a box's weights add up to 1."""
    boxes, labels, weights = [], [], []
    for target, indices in zip(targets, matched_idxs, strict=True):
        rows = indices[indices >= 0]
        places = torch.bincount(rows, minlength=len(target["boxes"]))
        boxes.append(target["boxes"][rows])
        labels.append(target["labels"][rows])
        weights.append(1 / places[rows])
    return torch.cat(boxes), torch.cat(labels), torch.cat(weights)


def _over_processes(count: Tensor) -> float:
    return mean_count(round(float(count)), count.device)


def _centrality(sides: Tensor) -> Tensor:
    """How near its box's middle a place is, 0 to 1, by its distances to the four sides."""
    across, down = sides[:, [0, 2]], sides[:, [1, 3]]
    least = across.amin(dim=1) * down.amin(dim=1)
    return torch.sqrt(least / (across.amax(dim=1) * down.amax(dim=1)))
