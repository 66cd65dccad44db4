"""TensorBoard events in the run folder."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.errors import UserError

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger


def create(save_dir: Path) -> Logger:
    """Lightning's logger, writing to the run folder's ``tensorboard``.

    Args:
        save_dir: The run folder.

    Returns:
        The logger.

    Raises:
        UserError: The package is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError(
            "logger=tensorboard needs a package: pip install 'osprey-vision[tensorboard]'"
        )
    from pytorch_lightning.loggers import TensorBoardLogger

    return TensorBoardLogger(save_dir, name="", version="tensorboard", default_hp_metric=False)
