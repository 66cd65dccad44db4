"""Losses of several processes add up to those of one: of FCOS, SSD and, by boxes, of queries.

RetinaNet divides photo by photo, and Faster R-CNN by what it samples: theirs add up already, or
differ by what is drawn. So does the denoising part of queries: a mean over noisy copies of each
box, of which a process makes the more the fewer boxes its photos have.

A detector's loss is a sum over matched places, divided by how many there are. With each process
dividing by its own, photos of few boxes would weigh more in a process of few.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from osprey.system.processes import is_shared


def mean_count(count: int, device: torch.device) -> float:
    """A count's mean over processes; of less than one in all of them, as if it were one.

    Args:
        count: Of this process, which may have none.
        device: Where the processes meet: that of the loss.
    """
    if not is_shared():
        return float(max(1, count))
    total = torch.tensor(float(count), device=device)
    dist.all_reduce(total)
    return max(1.0, float(total)) / dist.get_world_size()


def share_of(count: int, device: torch.device) -> float:
    """How many times `mean_count` a count is, at least one counted; 1 in a single process.

    Args:
        count: What a loss of this process was divided by, unless there was none.
        device: Where the processes meet: that of the loss.
    """
    return max(1, count) / mean_count(count, device)


def matched_places(matched_idxs: list[Tensor]) -> int:
    """Number of places matched with a box.

    Args:
        matched_idxs: Per image int64 [A]: index of the matched box, negative for background.
    """
    return int(torch.stack([(indices >= 0).sum() for indices in matched_idxs]).sum())


def shared(
    losses: dict[str, Tensor], logits: Tensor, matched_idxs: list[Tensor]
) -> dict[str, Tensor]:
    """Losses that were divided by this process's matched places, times its share of them.

    Args:
        losses: Scalars by name.
        logits: Of the same device.
        matched_idxs: See `matched_places`.

    Returns:
        Divided by the mean number of places over processes.
    """
    if not is_shared():
        return losses
    share = share_of(matched_places(matched_idxs), logits.device)
    return {name: loss * share for name, loss in losses.items()}
