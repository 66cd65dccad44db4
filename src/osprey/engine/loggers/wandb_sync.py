"""What W&B has kept in run folders, to send it later. No torch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

GROUP = "WANDB_RUN_GROUP"  # W&B's own variable: the sweep that a run is a trial of
SENT = ".wandb.synced"  # W&B's own mark, beside a log that was sent
_LOGS = "wandb/*run-*/run-*.wandb"  # a log for each time that training went on
_OURS_ALONE = ("WANDB_MODE", "WANDB_SILENT")  # what a training is told, and sending is not


def id_of(run: Path) -> str:
    """W&B's id of a run: that of before where it goes on, that of W&B's agent, or its name.

    Args:
        run: The run folder.
    """
    earlier = {log.stem.removeprefix("run-") for log in run.glob(_LOGS)}
    if earlier:  # among them may be those of a logger of the user's
        return run.name if run.name in earlier else min(earlier)
    by_agent = os.environ.get("WANDB_SWEEP_ID") and os.environ.get("WANDB_RUN_ID")
    return by_agent or run.name


def unsent(run: Path) -> list[Path]:
    """The logs of a run that were not sent to the end, oldest first.

    Args:
        run: The run folder.
    """
    return [log for log in sorted(run.glob(_LOGS)) if not log.with_suffix(SENT).exists()]


def send(logs: Sequence[Path]) -> str:
    """Have W&B's own command send logs; it marks each that has arrived.

    Args:
        logs: From `unsent`.

    Returns:
        The last that W&B said.
    """
    environment = {k: v for k, v in os.environ.items() if k not in _OURS_ALONE}
    done = subprocess.run(
        [sys.executable, "-m", "wandb", "sync", "--include-online", *map(str, logs)],
        env={**environment, "WANDB_ERROR_REPORTING": "false"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return (done.stdout.strip().splitlines() or [""])[-1].removeprefix("wandb: ")
