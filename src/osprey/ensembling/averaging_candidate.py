"""After training: the averaged network is validated, and becomes the best if it is no worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from osprey.data.manifest import Manifest
from osprey.ensembling.averaging import (
    AVERAGED,
    State,
    mean_state,
    soup_files,
    swa_file,
)
from osprey.ensembling.batchnorm import estimate_batchnorm
from osprey.models.checkpoint import read_checkpoint, write_checkpoint
from osprey.runs.folder import RunFolder
from osprey.system.console import say
from osprey.system.launcher import is_first
from osprey.tasks.classification.evaluate import ask_network, compute_metrics
from osprey.tasks.classification.module import Classification
from osprey.tasks.classification.temperature import fit_temperature
from osprey.tasks.settings import EvaluationSettings


@dataclass(frozen=True)
class Score:
    """Validation macro-F1; the log loss, at the network's own temperature, breaks ties."""

    macro_f1: float
    log_loss: float

    def no_worse(self, other: Score) -> bool:
        """Whether this is at least as good as ``other``."""
        return (self.macro_f1, -self.log_loss) >= (other.macro_f1, -other.log_loss)


class CandidateEvaluator:
    """Evaluates weights of one run's network on validation.

    Args:
        module: Of the run's best checkpoint, from `load_for_testing`.
        settings: Batches and devices.
        manifest: Its samples.
    """

    def __init__(
        self, module: Classification, settings: EvaluationSettings, manifest: Manifest
    ) -> None:
        self.module = module
        self.settings = settings
        self.manifest = manifest
        self.best = self.score()

    def score(self, state: State | None = None) -> Score:
        """Validate weights.

        Args:
            state: State dict of the network; None for its current weights.

        Returns:
            The score.
        """
        if state is not None:
            self.module.model.load_state_dict(state)
        outputs = ask_network(self.module, self.settings, self.manifest, "val")
        temperature = fit_temperature(outputs.logits, outputs.targets)
        values = compute_metrics(outputs, temperature, self.module.metadata.classes)
        return Score(values["macro_f1"], values["log_loss"])

    def blend(self, states: list[State], weights: list[float]) -> State:
        """Average weights and re-estimate BatchNorm statistics.

        Args:
            states: State dicts of the network.
            weights: One per state.

        Returns:
            State dict on the CPU.
        """
        network = self.module.model
        network.load_state_dict(mean_state(states, weights))
        estimate_batchnorm(self.module, self.settings, self.manifest)
        return {key: value.cpu().clone() for key, value in network.state_dict().items()}


def average_weights(
    run: RunFolder, kind: str, evaluator: CandidateEvaluator
) -> tuple[dict[str, Any], bool]:
    """Average the kept weights, validate, and write them to ``best.ckpt`` if no worse.

    In a distributed run every process calls this; rank 0 writes and prints.

    Args:
        run: The run.
        kind: ``swa`` or ``soup``.
        evaluator: Of its best checkpoint.

    Returns:
        Plain data for the summary: ``kind``, ``epochs``, ``val_macro_f1``, ``best_val_macro_f1``,
        ``kept``, whether ``best.ckpt`` is that mean; and whether it was replaced just now.
    """
    # A resumed run may hold an earlier mean, if no later epoch was better.
    earlier: dict[str, Any] | None = read_checkpoint(run.best).get(AVERAGED)
    found = _swa(evaluator, run) if kind == "swa" else _soup(evaluator, run)
    metadata: dict[str, Any] = {"kind": kind, "epochs": found[1] if found else [], "kept": False}
    if found is None:
        line = f"fewer than two {'new ' if earlier else ''}epochs to average"
    elif len(found[1]) == 1:
        line = f"no epoch makes epoch {found[1][0]} better"
    else:
        state, epochs, score = found
        metadata["val_macro_f1"], metadata["best_val_macro_f1"] = (
            score.macro_f1,
            evaluator.best.macro_f1,
        )
        metadata["kept"] = score.no_worse(evaluator.best)
        verdict = "kept" if metadata["kept"] else "not kept"
        line = f"{_verdict(epochs, score, evaluator.best)}, {verdict}"
        if metadata["kept"] and is_first():
            _replace_best(run, state, metadata)
    stays = f"the {kind} of epochs {_listed(earlier['epochs'])}" if earlier else "as it is"
    if is_first():
        say(f"{kind:<7} {line}" + ("" if metadata["kept"] else f": best.ckpt stays {stays}"))
    kept = bool(metadata["kept"])
    return (metadata if kept or earlier is None else earlier), kept


def _swa(evaluator: CandidateEvaluator, run: RunFolder) -> tuple[State, list[int], Score] | None:
    file = swa_file(run.best.parent)
    content = read_checkpoint(file) if file.is_file() else {"epochs": []}
    if len(content["epochs"]) < 2:
        return None
    state = evaluator.blend([content["state_dict"]], [1.0])
    return state, content["epochs"], evaluator.score(state)


def _soup(evaluator: CandidateEvaluator, run: RunFolder) -> tuple[State, list[int], Score] | None:
    """Best epoch first, each next one added if validation gets no worse by it."""
    contents = [read_checkpoint(file) for file in soup_files(run.best.parent)]
    if len(contents) < 2:
        return None
    chosen = contents[:1]
    state: State = contents[0]["state_dict"]
    score = evaluator.score(state)
    for content in contents[1:]:
        trial = evaluator.blend(
            [c["state_dict"] for c in [*chosen, content]], [1.0] * (len(chosen) + 1)
        )
        trial_score = evaluator.score(trial)
        if trial_score.no_worse(score):
            chosen, state, score = [*chosen, content], trial, trial_score
    return state, sorted(epoch for c in chosen for epoch in c["epochs"]), score


def _replace_best(run: RunFolder, state: State, metadata: dict[str, Any]) -> None:
    """Write the averaged weights to best.ckpt."""
    content = read_checkpoint(run.best)
    averaged = any(key.startswith("ema.module.") for key in content["state_dict"])
    prefix = "ema.module." if averaged else "model."
    content["state_dict"] |= {f"{prefix}{key}": value for key, value in state.items()}
    content[AVERAGED] = metadata
    write_checkpoint(content, run.best)


def _listed(epochs: list[int]) -> str:
    return ", ".join(map(str, epochs))


def _verdict(epochs: list[int], score: Score, best: Score) -> str:
    text = f"epochs {_listed(epochs)}: val macro-F1 {score.macro_f1:.3f}"
    if score.macro_f1 != best.macro_f1:
        return f"{text} {'>' if score.macro_f1 > best.macro_f1 else '<'} {best.macro_f1:.3f}"
    sign = "<=" if score.log_loss <= best.log_loss else ">"
    return f"{text} = {best.macro_f1:.3f}, log loss {score.log_loss:.3f} {sign} {best.log_loss:.3f}"
