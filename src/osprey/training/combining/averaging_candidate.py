"""After training: the averaged network is tried on validation and, if no worse, becomes the best.

BatchNorm statistics of averaged weights are neither epoch's own. They are computed anew on the
training photos, prepared as in production: that is how the network will be shown photos from
then on (Touvron et al. 2019 gain by the same), and one pass without augmentation repeats itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from osprey.config.schema import TrainConfig
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.imaging import Preprocess
from osprey.models.checkpoint import Facts, load_model, read_checkpoint, write_checkpoint
from osprey.models.registry import first_stages
from osprey.training.callbacks import Progress
from osprey.training.checkpoints import BestAndLast
from osprey.training.combining.averaging import State, mean_state, soup_files, swa_file
from osprey.training.console import say
from osprey.training.devices import pick_device
from osprey.training.evaluate import figures, run_network
from osprey.training.run_folder import RunFolder
from osprey.training.temperature import fit_temperature

_ENOUGH = 100  # batches for BatchNorm statistics: thousands of photos say what all would say


@dataclass(frozen=True)
class Score:
    """How good a network is on validation; the log loss, at its own temperature, breaks ties."""

    macro_f1: float
    log_loss: float

    def no_worse(self, other: Score) -> bool:
        """Whether choosing this over ``other`` costs nothing."""
        return (self.macro_f1, -self.log_loss) >= (other.macro_f1, -other.log_loss)


class Bench:
    """One run's network and validation photos, to try weights on."""

    def __init__(self, run: RunFolder, config: TrainConfig, manifest: Manifest) -> None:
        """Args: the run, its settings, its photos."""
        self.config = config
        self.manifest = manifest
        self.network, self.facts = load_model(run.best)
        self.best = self.score()

    def score(self, state: State | None = None) -> Score:
        """Validation figures of ``state``, or of the network as it stands."""
        if state is not None:
            self.network.load_state_dict(state)
        limit = self.config.trainer.limit_eval_batches
        outputs = run_network(self.network, self.facts, self.manifest, "val", self.config, limit)
        temperature = fit_temperature(outputs.logits, outputs.targets)
        values = figures(outputs, temperature, self.facts.classes)
        return Score(values["macro_f1"], values["log_loss"])

    def blend(self, states: list[State], weights: list[float]) -> State:
        """The mean of ``states`` with BatchNorm statistics of its own."""
        self.network.load_state_dict(mean_state(states, weights))
        estimate_batchnorm(self.network, self.facts, self.manifest, self.config)
        return {key: value.cpu().clone() for key, value in self.network.state_dict().items()}


def average_weights(
    run: RunFolder, config: TrainConfig, manifest: Manifest
) -> dict[str, Any] | None:
    """Average what was gathered, try it on validation, keep it as ``best.ckpt`` if no worse.

    Returns:
        Plain data for the summary: ``kind``, ``epochs``, ``val_macro_f1``, ``best_val_macro_f1``,
        ``kept``; None where none is asked for.
    """
    kind = config.callbacks.averaging
    if kind == "none":
        return None
    bench = Bench(run, config, manifest)
    found = _swa(bench, run) if kind == "swa" else _soup(bench, run)
    if found is None:
        say(f"{kind:<7} fewer than two epochs to average: best.ckpt stays as it is")
        return {"kind": kind, "epochs": [], "kept": False}
    state, epochs, score = found
    if len(epochs) == 1:
        say(f"{kind:<7} no epoch makes epoch {epochs[0]} better: best.ckpt stays as it is")
        return {"kind": kind, "epochs": epochs, "kept": False}
    kept = score.no_worse(bench.best)
    if kept:
        _replace_best(run, state, score.macro_f1)
    say(f"{kind:<7} {_verdict(epochs, score, bench.best)}, {'kept' if kept else 'not kept'}")
    return {
        "kind": kind,
        "epochs": epochs,
        "val_macro_f1": score.macro_f1,
        "best_val_macro_f1": bench.best.macro_f1,
        "kept": kept,
    }


def _swa(bench: Bench, run: RunFolder) -> tuple[State, list[int], Score] | None:
    file = swa_file(run.best.parent)
    content = read_checkpoint(file) if file.is_file() else {"epochs": []}
    if len(content["epochs"]) < 2:
        return None
    state = bench.blend([content["state_dict"]], [1.0])
    return state, content["epochs"], bench.score(state)


def _soup(bench: Bench, run: RunFolder) -> tuple[State, list[int], Score] | None:
    """Best epoch first, each next one added if validation gets no worse by it."""
    contents = [read_checkpoint(file) for file in soup_files(run.best.parent)]
    if len(contents) < 2:
        return None
    chosen = contents[:1]
    state: State = contents[0]["state_dict"]
    score = bench.score(state)
    for content in contents[1:]:
        trial = bench.blend(
            [c["state_dict"] for c in [*chosen, content]], [1.0] * (len(chosen) + 1)
        )
        trial_score = bench.score(trial)
        if trial_score.no_worse(score):
            chosen, state, score = [*chosen, content], trial, trial_score
    return state, sorted(epoch for c in chosen for epoch in c["epochs"]), score


def estimate_batchnorm(
    network: nn.Module, facts: Facts, manifest: Manifest, config: TrainConfig
) -> None:
    """Set BatchNorm statistics to those of the training photos, in place; dropout is off.

    Layers whose statistics training held (``freeze_batchnorm``, ``freeze_stages``, a backbone at
    rest) keep theirs.
    """
    layers = _moving_batchnorm(network, config)
    if not layers:
        return
    preprocess = Preprocess.from_dict(facts.preprocess)
    data = DataModule(manifest, facts.classes, preprocess, config.data, seed=config.seed)
    device = pick_device(config.trainer.accelerator)
    mean = 255 * torch.tensor(preprocess.mean, device=device).view(1, 3, 1, 1)
    std = 255 * torch.tensor(preprocess.std, device=device).view(1, 3, 1, 1)
    network.to(device).eval()
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over all batches
        layer.train()
    with torch.inference_mode():
        for number, batch in enumerate(data.train_dataloader()):
            if number == min(_ENOUGH, config.trainer.limit_train_batches or _ENOUGH):
                break
            pixels: Tensor = batch["image"].to(device).permute(0, 3, 1, 2).float()
            network((pixels - mean) / std)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    network.eval()


def _moving_batchnorm(network: nn.Module, config: TrainConfig) -> list[_BatchNorm]:
    if config.model.freeze == "backbone" or config.model.freeze_batchnorm:
        return []
    held = first_stages(network, config.model.freeze_stages)
    return [
        module
        for name, module in network.named_modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
        if f"{name}.weight" not in held
    ]


def _replace_best(run: RunFolder, state: State, macro_f1: float) -> None:
    """Put the averaged weights where they are looked for; a later epoch must beat them too."""
    content = read_checkpoint(run.best)
    averaged = any(key.startswith("ema.module.") for key in content["state_dict"])
    prefix = "ema.module." if averaged else "model."
    content["state_dict"] |= {f"{prefix}{key}": value for key, value in state.items()}
    write_checkpoint(content, run.best)
    last = read_checkpoint(run.last)
    for watcher, key in ((BestAndLast, "score"), (Progress, "best")):
        seen = last["callbacks"][watcher.__qualname__]
        seen[key] = max(seen[key], macro_f1)
    write_checkpoint(last, run.last)


def _verdict(epochs: list[int], score: Score, best: Score) -> str:
    text = f"epochs {', '.join(map(str, epochs))}: val macro-F1 {score.macro_f1:.3f}"
    if score.macro_f1 != best.macro_f1:
        return f"{text} {'>' if score.macro_f1 > best.macro_f1 else '<'} {best.macro_f1:.3f}"
    sign = "<=" if score.log_loss <= best.log_loss else ">"
    return f"{text} = {best.macro_f1:.3f}, log loss {score.log_loss:.3f} {sign} {best.log_loss:.3f}"
