"""Weights & Biases; offline by itself where there is no key or no network."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import Logger, WandbLogger

from osprey.engine.loggers.wandb_server import why_offline, why_unreachable
from osprey.engine.loggers.wandb_sync import GROUP, SENT, id_of
from osprey.runs.folder import RunFolder
from osprey.system.console import say
from osprey.system.launcher import is_first

_BOUNDS = {"init_timeout": 10, "finish_timeout": 10}  # seconds, unless the user's WANDB_... says
_UPLOAD = 10.0  # minutes that the checkpoint may take to a server that answers


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
    trained. Where the server was lost meanwhile, they are kept offline.

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
    if opened is not None and _online(opened) and why_unreachable(opened.settings.base_url):
        with suppress(TimeoutError):
            opened.finish(exit_code=0)
        opened, quiet = None, False
    if opened is None:
        logger = create(run, hyperparameters, quiet=quiet, **given)
        opened = cast(WandbLogger, logger).experiment
    best = log_media(opened, run, summary)
    if _online(opened):
        _wait_for(best, opened.settings.base_url)


def _online(opened: Any) -> bool:
    return not (opened.offline or opened.disabled)


def _wait_for(artifact: Any, base_url: str) -> None:
    """Let a large upload take its time, as long as the server answers."""
    from wandb.sdk.artifacts.exceptions import WaitTimeoutError

    until = time.monotonic() + 60 * _UPLOAD
    while time.monotonic() < until:
        try:
            artifact.wait(timeout=5)
            return
        except WaitTimeoutError:
            if why_unreachable(base_url):
                return


def finish(run: RunFolder, exit_code: int) -> None:
    """End the open W&B run, if there is one; what cannot be sent soon is left to `osprey sync`.

    Args:
        run: The run folder.
        exit_code: 0, or 1 for a run that failed.
    """
    wandb = sys.modules.get("wandb")
    if wandb is None or (opened := wandb.run) is None:
        return
    log = Path(opened.settings.sync_file)
    try:
        opened.finish(exit_code=exit_code)
    except TimeoutError:
        _say_later(run, "not everything could be sent in time")
    else:
        if _online(opened) and log.resolve().is_relative_to(run.path.resolve()):
            log.with_suffix(SENT).touch()


def create(
    run: RunFolder,
    hyperparameters: Mapping[str, Any],
    project: str = "osprey",
    entity: str | None = None,
    offline: bool = False,
    quiet: bool = False,
) -> Logger:
    """Lightning's logger for W&B, whose run has the run folder's name, also on resume.

    A run that W&B's own agent began keeps the id that the agent gave it.

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
        _say_later(run, f"offline ({why})")
    return _FallingBack(
        run,
        save_dir=run.path,
        project=project,
        entity=entity,
        name=f"{hyperparameters['name']}/{run.path.name}",
        id=id_of(run.path),  # the same on resume, so that the curves go on
        group=os.environ.get(GROUP) or None,
        resume="allow",
        mode=os.environ.get("WANDB_MODE") or ("offline" if why else "online"),
        tags=list(hyperparameters["tags"]) or None,
        config=dict(hyperparameters),
        settings=wandb.Settings(finish_timeout_raises=True, **_bounds()),
    )


def _bounds() -> dict[str, Any]:
    return {k: v for k, v in _BOUNDS.items() if f"WANDB_{k.upper()}" not in os.environ}


class _FallingBack(WandbLogger):
    """Goes offline where W&B refuses, or does not answer, although it is to be online.

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
        import wandb

        try:
            return super().experiment
        except (wandb.errors.Error, TimeoutError) as error:
            if self._wandb_init.get("mode") == "offline":
                raise
            self._wandb_init["mode"] = "offline"
            why = " ".join(str(error).split())[:120].rstrip(".")
            _say_later(self.run, f"offline ({why})")
            wandb.teardown()  # its process holds the run's id
            return super().experiment


def _say_later(run: RunFolder, what: str) -> None:
    if is_first():
        say(f"wandb   {what}; to send it later: osprey sync {shlex.quote(str(run.path))}")
