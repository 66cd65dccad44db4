"""Whether a detector is better than boxes that are the same in every photo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def chance_line(figures: Mapping[str, Any]) -> str:
    """What to say of a result at chance level, with the next thing to try; empty of a better one.

    Args:
        figures: Of one split: ``ap50`` with ``ap50_interval``, and ``blind``.

    Returns:
        One line, or nothing.
    """
    blind, ends = figures.get("blind"), figures.get("ap50_interval")
    if not blind or figures["ap50"] is None:  # no boxes among the tested photos
        return ""
    # Of one photo, or one group, nothing says how sure its figure is.
    if (ends[0] if ends else figures["ap50"]) > blind["ap50"]:
        return ""
    boxes = "boxes that are the same in every photo"
    sure = f" ({ends[0]:.3f} to {ends[1]:.3f})" if ends else ""
    scores = f"AP50 {figures['ap50']:.3f}{sure}, and theirs {blind['ap50']:.3f}"
    if figures["ap50"] > blind["ap50"]:
        return f"too few photos to tell the network from {boxes}: {scores}; label more for testing"
    return (
        f"no better than {boxes}: {scores}; try more epochs, pretrained weights, or a larger "
        "data.size"
    )


def blind_line(figures: Mapping[str, Any]) -> str:
    """What fixed boxes score on a split, and how sure the network's APs are; empty without any."""
    blind, ends = figures.get("blind"), figures.get("ap50_interval")
    if not blind:
        return ""
    sure = f"; the network's AP50 is {ends[0]:.3f} to {ends[1]:.3f}" if ends else ""
    if of_map := figures.get("map_interval"):
        sure += f", its mAP {of_map[0]:.3f} to {of_map[1]:.3f}"
    sure += " (95%)" if sure else ""
    return (
        f"AP50 {blind['ap50']:.3f}, AP75 {blind['ap75']:.3f}, mAP {blind['map']:.3f}: what the "
        f"same boxes score in every photo{sure}"
    )
