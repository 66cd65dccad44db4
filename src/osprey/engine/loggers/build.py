"""TensorBoard and Weights & Biases, by choice. metrics.csv is written without any of this."""

from __future__ import annotations

import importlib.util
import netrc
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse

from omegaconf import OmegaConf
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger

from osprey.config.schema import TrainConfig
from osprey.errors import UserError
from osprey.runs.folder import RunFolder
from osprey.system.console import say


def make_loggers(config: TrainConfig, run: RunFolder) -> list[Logger]:
    """The loggers that ``logger.use`` names.

    Raises:
        UserError: TensorBoard is asked for and not installed.
    """
    makers = {"tensorboard": _tensorboard, "wandb": _wandb}
    return [makers[name](config, run) for name in config.logger.use]


@contextmanager
def closing_loggers() -> Iterator[None]:
    """End Weights & Biases' run with the block; as failed where an exception leaves it.

    The next trial of a sweep must not write into it.
    """
    code = 1
    try:
        yield
        code = 0
    finally:
        wandb = sys.modules.get("wandb")
        if wandb is not None and wandb.run is not None:
            wandb.run.finish(exit_code=code)


def log_results(run: RunFolder, config: TrainConfig, summary: dict[str, Any]) -> None:
    """Add test figures, pictures, predictions and the best checkpoint to the W&B run.

    Training left it open, save where it ran in processes of its own or no epoch was trained.
    """
    import wandb

    from osprey.engine.loggers.wandb_media import log_media

    # The trainer has said already where the run goes; only an ensemble has had none.
    again = config.model.factory != "ensemble"
    experiment = wandb.run or cast(WandbLogger, _wandb(config, run, quiet=again)).experiment
    log_media(experiment, run, summary)


def _tensorboard(config: TrainConfig, run: RunFolder) -> Logger:
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError(
            "logger=tensorboard needs a package: pip install 'osprey-vision[tensorboard]'"
        )
    return TensorBoardLogger(run.path, name="", version="tensorboard", default_hp_metric=False)


def _wandb(config: TrainConfig, run: RunFolder, *, quiet: bool = False) -> Logger:
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    why = "logger.offline=true" if config.logger.offline else _why_offline(wandb)
    if why and not quiet and os.environ.get("RANK", "0") == "0":
        say(f"wandb   offline ({why}); to upload later: wandb sync {run.path}/wandb/offline-run-*")
    plain: Any = OmegaConf.to_container(OmegaConf.structured(config))
    return WandbLogger(
        save_dir=run.path,
        project=config.logger.project,
        entity=config.logger.entity,
        name=f"{config.name}/{run.path.name}",
        id=run.path.name,  # the same on resume, so that the curves go on
        resume="allow",
        mode=os.environ.get("WANDB_MODE") or ("offline" if why else "online"),
        config=plain,
    )


def _why_offline(wandb: Any) -> str | None:
    """Why Weights & Biases cannot be reached, or None if it can."""
    if os.environ.get("WANDB_MODE"):  # the user has decided
        return None
    address = urlparse(wandb.setup().settings.base_url)
    host = address.hostname or ""
    if not os.environ.get("WANDB_API_KEY") and not _netrc_key(host):
        return "no API key: set WANDB_API_KEY or run 'wandb login'"
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        socket.create_connection((host, port), timeout=3).close()
    except OSError:
        return f"'{host}' cannot be reached"
    return None


def _netrc_key(host: str) -> bool:
    for name in (os.environ.get("NETRC"), "~/.netrc", "~/_netrc"):
        file = Path(name).expanduser() if name else None
        if file is not None and file.is_file():
            try:
                return netrc.netrc(file).authenticators(host) is not None
            except (netrc.NetrcParseError, OSError):
                return False
    return False
