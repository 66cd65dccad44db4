"""Weights of several epochs averaged into one network, kept only where validation agrees.

``swa``: the mean over the last quarter of training (Izmailov et al. 2018). ``soup``: the greedy
soup (Wortsman et al. 2022) over the best few epochs. While the run trains, what they need lies
in its checkpoints folder; it is removed when the run is finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from osprey.ensembling.ema import validated_weights
from osprey.models.checkpoint import METADATA_KEY, read_checkpoint, write_checkpoint
from osprey.tasks.base import Task
from osprey.tasks.registry import get_task

State = dict[str, Tensor]
AVERAGED = "averaging"  # key in a best.ckpt that is a mean; plain data for the summary
INGREDIENTS = 5  # epochs a soup is chosen from, and files kept while training


def mean_state(states: Sequence[State], weights: Sequence[float]) -> State:
    """The weighted mean of state dicts.

    Args:
        states: State dicts with equal keys and shapes.
        weights: One per state.

    Returns:
        The mean; integer tensors, such as counters, are the last state's.
    """
    total = sum(weights)
    mean = dict(states[-1])
    for key, value in mean.items():
        if value.is_floating_point():
            parts = (s[key].double() * (w / total) for s, w in zip(states, weights, strict=True))
            mean[key] = torch.stack(list(parts)).sum(0).to(value.dtype)
    return mean


def swa_file(folder: Path) -> Path:
    """File of the running mean."""
    return folder / "swa.ckpt"


def soup_files(folder: Path) -> list[Path]:
    """Files of the epochs kept for a soup.

    Args:
        folder: The run's checkpoints folder.

    Returns:
        Best first; of equals the earlier one.
    """
    return sorted(folder.glob("soup-*-*.ckpt"), key=lambda file: (-_score(file), file.name))


def _score(file: Path) -> float:
    """Validation macro-F1 from the file name: soup-EPOCH-SCORE.ckpt."""
    return float(file.stem.rpartition("-")[2])


def clear(folder: Path) -> None:
    """Remove the files kept during training."""
    for file in (swa_file(folder), *soup_files(folder)):
        file.unlink(missing_ok=True)


class _Gatherer(Callback):
    """Passes the validated weights to `gather` after every epoch, in one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Called before the epoch's ``last.ckpt``: what that file has seen is always gathered."""
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Task) and trainer.max_epochs is not None
        state = {
            key.removeprefix("model."): value.detach().cpu().clone()
            for key, value in validated_weights(trainer, pl_module).items()
            if key.startswith("model.")
        }
        content = {METADATA_KEY: pl_module.metadata.to_dict(), "state_dict": state}
        score = float(trainer.callback_metrics[get_task(pl_module.metadata.task).metrics[0].logged])
        self.gather(content, trainer.current_epoch + 1, trainer.max_epochs, score)

    def gather(self, content: dict[str, Any], epoch: int, epochs: int, score: float) -> None:
        raise NotImplementedError


class GatherSwa(_Gatherer):
    """Keeps the running mean of the weights at the end of each epoch of the last quarter.

    Args:
        folder: The run's checkpoints folder.
    """

    def gather(self, content: dict[str, Any], epoch: int, epochs: int, score: float) -> None:
        """Add this epoch's weights to the mean; an epoch repeated after a crash counts once.

        Args:
            content: Metadata and weights of the epoch.
            epoch: Number of the epoch, from 1.
            epochs: Epochs of the run.
            score: Not used.
        """
        first = epochs - max(2, -(-epochs // 4)) + 1
        if epoch < first:
            return
        file = swa_file(self.folder)
        before = read_checkpoint(file) if file.is_file() else None
        # A run resumed with more epochs has another last quarter.
        if before is not None and first <= min(before["epochs"]):
            done = before["epochs"]
            if epoch in done:
                return
            states = [before["state_dict"], content["state_dict"]]
            content["state_dict"] = mean_state(states, [len(done), 1])
            write_checkpoint({**content, "epochs": [*done, epoch]}, file)
        else:
            write_checkpoint({**content, "epochs": [epoch]}, file)


class GatherSoup(_Gatherer):
    """Keeps the weights of the best few epochs by validation macro-F1.

    Args:
        folder: The run's checkpoints folder.
    """

    def gather(self, content: dict[str, Any], epoch: int, epochs: int, score: float) -> None:
        """Write this epoch's weights if they are among the best, then drop the worst.

        Args:
            content: Metadata and weights of the epoch.
            epoch: Number of the epoch, from 1.
            epochs: Not used.
            score: Validation macro-F1.
        """
        for file in self.folder.glob(f"soup-{epoch:06d}-*.ckpt"):
            file.unlink()  # an epoch repeated after a crash
        kept = soup_files(self.folder)
        if len(kept) >= INGREDIENTS and score <= _score(kept[-1]):
            return
        write_checkpoint(
            {**content, "epochs": [epoch]}, self.folder / f"soup-{epoch:06d}-{score:.9f}.ckpt"
        )
        for file in kept[INGREDIENTS - 1 :]:
            file.unlink()


def gatherers(kind: str, folder: Path) -> list[Callback]:
    """The callbacks that ``callbacks.averaging`` needs during training.

    Args:
        kind: ``none``, ``swa`` or ``soup``.
        folder: The run's checkpoints folder.

    Returns:
        None or one.
    """
    if kind == "none":
        return []
    return [GatherSwa(folder) if kind == "swa" else GatherSoup(folder)]
