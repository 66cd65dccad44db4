"""Weights & Biases; offline by itself where there is no key or no network."""

from __future__ import annotations

import netrc
import os
import shlex
import socket
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlparse

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import Logger, WandbLogger

from osprey.runs.folder import RunFolder
from osprey.system.console import say
from osprey.system.launcher import is_first
from osprey.system.paths import home_path


def log_results(
    run: RunFolder,
    node: Mapping[str, Any],
    hyperparameters: Mapping[str, Any],
    summary: dict[str, Any],
    *,
    quiet: bool,
) -> None:
    """Add test metrics, pictures, predictions and the best checkpoint to the W&B run.

    It is still open after training, except where that ran in other processes or no epoch was
    trained.

    Args:
        run: The finished run.
        node: The setting ``logger.wandb``.
        hyperparameters: The run's settings as a plain tree.
        summary: Content of ``summary.json``.
        quiet: The trainer has printed already where the run is logged.
    """
    import wandb

    from osprey.engine.loggers.wandb_media import log_media

    given = {k: v for k, v in node.items() if k != "_target_"}
    opened = wandb.run
    if opened is None:
        logger = create(run, hyperparameters, quiet=quiet, **given)
        opened = cast(WandbLogger, logger).experiment
    log_media(opened, run, summary)


def create(
    run: RunFolder,
    hyperparameters: Mapping[str, Any],
    project: str = "osprey",
    entity: str | None = None,
    offline: bool = False,
    quiet: bool = False,
) -> Logger:
    """Lightning's logger for W&B, whose run has the run folder's name, also on resume.

    Args:
        run: The run folder.
        hyperparameters: Its settings as a plain tree, stored with the W&B run.
        project: Of W&B.
        entity: Of W&B; None for the user's own.
        offline: Never use the network.
        quiet: Do not print where the run is logged.

    Returns:
        The logger.
    """
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    if not os.environ.get("WANDB_MODE", "-"):
        del os.environ["WANDB_MODE"]  # set and empty, which W&B takes for a wrong word
    import wandb

    why = "logger.offline=true" if offline else why_offline(wandb.setup().settings.base_url)
    if why and not quiet:
        _say_offline(run, why)
    return _FallingBack(
        run,
        save_dir=run.path,
        project=project,
        entity=entity,
        name=f"{hyperparameters['name']}/{run.path.name}",
        id=run.path.name,  # the same on resume, so that the curves go on
        resume="allow",
        mode=os.environ.get("WANDB_MODE") or ("offline" if why else "online"),
        tags=list(hyperparameters["tags"]) or None,
        config=dict(hyperparameters),
    )


class _FallingBack(WandbLogger):
    """Goes offline where W&B refuses: a wrong key, or none, although it is to be online.

    Args:
        run: The run folder.
        **more: What Lightning's logger takes.
    """

    def __init__(self, run: RunFolder, **more: Any) -> None:
        super().__init__(**more)
        self.run = run

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """W&B's run, begun when it is first asked for."""
        from wandb.errors import Error

        try:
            return super().experiment
        except Error as error:
            if self._wandb_init.get("mode") == "offline":
                raise
            self._wandb_init["mode"] = "offline"
            _say_offline(self.run, " ".join(str(error).split())[:120].rstrip("."))
            return super().experiment


def _say_offline(run: RunFolder, why: str) -> None:
    if is_first():
        where = shlex.quote(str(run.path / "wandb"))
        say(f"wandb   offline ({why}); to upload later: wandb sync {where}/offline-run-*")


def why_offline(base_url: str) -> str | None:
    """Why Weights & Biases cannot be reached, or None if it can.

    Args:
        base_url: Of its server.
    """
    if os.environ.get("WANDB_MODE"):  # the user has decided
        return None
    address = urlparse(base_url)
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
        file = home_path(name) if name else None
        if file is not None and file.is_file():
            try:
                return netrc.netrc(file).authenticators(host) is not None
            except (netrc.NetrcParseError, OSError):
                return False
    return False
