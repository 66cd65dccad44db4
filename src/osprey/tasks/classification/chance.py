"""Whether a classifier is better than an answer that looks at nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_TRY = "try other pretrained weights (experiment=probe is quick), more photos a class, "
_SURE = 2.0  # standard errors


def chance_line(figures: Mapping[str, Any]) -> str:
    """What to say of a result at chance level, with the next thing to try; empty of a better one.

    Args:
        figures: Of one split: ``n``, ``top1`` and ``per_class`` with each class's ``n``.

    Returns:
        One line, or nothing.
    """
    count, rows = int(figures["n"]), figures["per_class"]
    common = max(rows, key=lambda row: int(row["n"]))
    share = int(common["n"]) / count
    error = math.sqrt(share * (1 - share) / count)
    if float(figures["top1"]) > share + _SURE * error:
        return ""
    scores = (
        f"always '{common['label']}' is right for {share:.3f} of these {count}, and the network "
        f"for {float(figures['top1']):.3f}"
    )
    if float(figures["top1"]) > share:
        return f"hardly better than chance: {scores}; {_TRY}more epochs, or more photos to test on"
    return f"no better than chance: {scores}; {_TRY}or more epochs"


def blind_line(figures: Mapping[str, Any]) -> str:
    """What class frequencies score on a split, by its ``blind`` figures; empty without any."""
    blind = figures.get("blind")
    if not blind:
        return ""
    return (
        f"top-1 {blind['top1']:.3f}, macro-F1 {blind['macro_f1']:.3f}, log loss "
        f"{blind['log_loss']:.3f}: what class frequencies score, whatever the photo"
    )
