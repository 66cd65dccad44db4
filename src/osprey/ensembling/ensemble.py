"""Build an ensemble of finished runs. Only the combination is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from osprey import __version__
from osprey.config.schema import TrainConfig
from osprey.data.manifest import Manifest
from osprey.ensembling.combine import fit_stack, mixture_weights
from osprey.ensembling.members import find_members
from osprey.errors import ConfigError
from osprey.imaging import Preprocess
from osprey.models.checkpoint import METADATA_KEY, CheckpointMetadata, load_model, write_checkpoint
from osprey.models.ensemble import Ensemble, Member, Stack
from osprey.models.registry import ModelSpec, check_spec
from osprey.runs.folder import RunFolder
from osprey.system.console import say
from osprey.tasks.classification.evaluate import Outputs, ask_network, compute_metrics
from osprey.tasks.classification.module import Classification
from osprey.tasks.evaluation import EvaluationSettings, testing_module


@dataclass(frozen=True)
class Combined:
    """Outputs of a new ensemble on validation, and plain data for the summary.

    Attributes:
        val: Its log-probabilities; for a stack those of photos it was not fitted on.
        metadata: ``combine`` and, for each of ``members``, ``run``, ``weight`` (None in a stack)
            and validation's ``macro_f1`` and ``log_loss``.
    """

    val: Outputs
    metadata: dict[str, Any]


def combine_runs(run: RunFolder, config: TrainConfig, manifest: Manifest) -> Combined:
    """Build the ensemble of ``model.runs``, fit its weights, write its ``best.ckpt``.

    Args:
        run: The ensemble's run folder.
        config: Its settings.
        manifest: Its samples.

    Returns:
        Its outputs on validation.

    Raises:
        ConfigError: The members do not fit together.
        DataError: Validation is too small to fit a stack.
    """
    members = find_members(config.model.runs, Path(config.paths.runs), config.task.name)
    kind = config.model.combine
    network, metadata = join([load_model(member.best) for member in members], kind)
    size = metadata.preprocess["size"]
    parameters = sum(p.numel() for p in network.parameters())
    say(f"osprey  {__version__}, torch {torch.__version__}")
    say(
        f"model   ensemble of {len(members)} runs, {kind}, {parameters / 1e6:.2f} M parameters, "
        f"{size} x {size} px {metadata.preprocess['resize']}"
    )
    say(f"run     {run.path}")
    module = cast(Classification, testing_module(network.members, metadata, config))
    settings = EvaluationSettings(config.data, config.trainer, config.seed)
    asked = ask_network(module, settings, manifest, "val")
    network.cpu()
    val = replace(asked, logits=_learn(network, kind, asked, manifest, config.seed))
    state = {f"model.{key}": value for key, value in network.state_dict().items()}
    write_checkpoint({METADATA_KEY: metadata.to_dict(), "state_dict": state}, run.best)
    rows = [
        {"run": str(member.path), **_alone(network, asked, number, metadata.classes)}
        for number, member in enumerate(members)
    ]
    return Combined(val, {"combine": kind, "members": rows})


def _alone(network: Ensemble, asked: Outputs, number: int, classes: list[str]) -> dict[str, Any]:
    """One member's weight and its own validation metrics."""
    combine = network.combine
    weight = None if isinstance(combine, Stack) else round(float(combine.weights[number]), 6)
    values = compute_metrics(replace(asked, logits=asked.logits[:, number]), 1.0, classes)
    return {"weight": weight, "macro_f1": values["macro_f1"], "log_loss": values["log_loss"]}


def join(
    loaded: Sequence[tuple[nn.Module, CheckpointMetadata]], combine: str
) -> tuple[Ensemble, CheckpointMetadata]:
    """An ensemble of trained networks, with equal weights.

    Photos are preprocessed as for the first, at the largest size of all; classes are in the first's
    order.

    Args:
        loaded: Networks with the metadata of their checkpoints.
        combine: ``average``, ``weighted`` or ``stacked``.

    Returns:
        The ensemble and the metadata of its checkpoint.

    Raises:
        ConfigError: The networks were trained on different parts of a photo (resize mode or crop).
    """
    prepared = [Preprocess.from_dict(metadata.preprocess) for _, metadata in loaded]
    shared = replace(prepared[0], size=max(p.size for p in prepared))
    for p in prepared:
        if _part(p) != _part(shared):
            raise ConfigError(
                "model.runs: the members of an ensemble see the same part of a photo; these were "
                f"trained with {_part(shared)} and {_part(p)}"
            )
    described = [
        {**metadata.model.to_dict(), "size": p.size}
        for (_, metadata), p in zip(loaded, prepared, strict=True)
    ]
    spec = ModelSpec("ensemble", "ensemble", {"members": described, "combine": combine})
    first = loaded[0][1]
    check_spec(spec)
    networks = [(model, p.size) for (model, _), p in zip(loaded, prepared, strict=True)]
    network = Ensemble(networks, combine, len(first.classes))
    for member, (_, metadata), p in zip(network.members, loaded, prepared, strict=True):
        assert isinstance(member, Member)
        order = [metadata.classes.index(name) for name in first.classes]
        member.align((p.mean, p.std), (shared.mean, shared.std), metadata.temperature, order)
    return network.eval(), CheckpointMetadata(first.task, spec, first.classes, shared.to_dict())


def _part(preprocess: Preprocess) -> str:
    """Which part of a photo it keeps."""
    share = f" of {preprocess.crop_pct:g}" if preprocess.resize == "crop" else ""
    return f"data.resize={preprocess.resize}{share}"


def _learn(network: Ensemble, kind: str, asked: Outputs, manifest: Manifest, seed: int) -> Tensor:
    """Fit what combines the members, in place; returns log-probabilities [N, C] to judge it by."""
    combine = network.combine
    if isinstance(combine, Stack):
        part = manifest.split("val")
        part = part.where(part.table.index < len(asked.targets))  # type: ignore[arg-type]
        weight, bias, held_out = fit_stack(asked.logits, asked.targets, part, seed)
        with torch.no_grad():
            combine.linear.weight.copy_(weight)
            combine.linear.bias.copy_(bias)
        return held_out
    if kind == "weighted":
        combine.weights.copy_(mixture_weights(asked.logits, asked.targets))
    answers: Tensor = combine(asked.logits)
    return answers


def describe(combined: Combined, val: dict[str, Any]) -> None:
    """Print each member's validation metrics beside the ensemble's.

    Args:
        combined: From `combine_runs`.
        val: The ensemble's metrics on validation.
    """
    rows = combined.metadata["members"]
    say()
    say("val macro-F1  log loss  weight  member")
    for row in rows:
        weight = "     -" if row["weight"] is None else f"{row['weight']:6.3f}"
        say(f"{row['macro_f1']:>12.3f}  {row['log_loss']:>8.3f}  {weight}  {row['run']}")
    note = {
        "stacked": ", cross-validated",
        "weighted": ", weights chosen on these photos",
    }.get(combined.metadata["combine"], "")
    say(f"{val['macro_f1']:>12.3f}  {val['log_loss']:>8.3f}          ensemble{note}")
    best = max(rows, key=lambda row: float(row["macro_f1"]))
    if val["macro_f1"] <= best["macro_f1"]:
        say(
            f"no better than its best member by validation macro-F1: {best['run']} alone is "
            "smaller and quicker"
        )
