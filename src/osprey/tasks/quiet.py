"""Libraries' chatter kept away from our few lines."""

from __future__ import annotations

import logging
import warnings

import pytorch_lightning  # noqa: F401  its import sets the levels that are changed here


def quieten(warnings_too: bool = True) -> None:
    """Keep libraries' chatter away from our few lines; their errors still come through.

    Args:
        warnings_too: Their warnings as well.
    """
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR if warnings_too else logging.WARNING)
    if not warnings_too:
        return
    warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning_fabric|torch\.optim")
    warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")
