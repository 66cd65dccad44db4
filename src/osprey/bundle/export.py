"""A run's best checkpoint as a bundle: written, compared with PyTorch, then put in its place."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from torch import nn

from osprey import __version__
from osprey.bundle.check import Parity, compare, refuse_unlike, refuse_worse
from osprey.bundle.formats import FILES, FORMATS
from osprey.bundle.source import FromBytes, Source
from osprey.data.manifest import Manifest
from osprey.errors import BundleError, UserError
from osprey.imaging import Preprocess
from osprey.inference.card import CARD, DETECTOR, Card
from osprey.inference.predictor import Predictor
from osprey.inference.reader import reader_of, refuse_unknown
from osprey.models.checkpoint import CheckpointMetadata, load_model
from osprey.runs.folder import RunFolder
from osprey.system.files import atomic_path, write_text
from osprey.tasks.plugin import TaskPlugin
from osprey.tasks.registry import get_task

MAX_DROP = 0.01  # of the main metric, by int8


def export_run(
    run: RunFolder,
    folder: Path,
    form: str = "onnx",
    root: str | None = None,
    max_drop: float = MAX_DROP,
    unknown_below: float | None = None,
    complete: Callable[[Path, Card], Card] | None = None,
    *,
    features: int = 0,
) -> tuple[Card, Parity]:
    """Export a run's best checkpoint.

    Args:
        run: A run with a checkpoint.
        folder: The bundle's; one of Osprey's that is there gives way.
        form: One of `FORMATS`.
        root: Where the photos of its validation are, if not where they were.
        max_drop: What int8 may lose of the main metric.
        unknown_below: A score below which the bundle's answer is "unknown", or None.
        complete: Adds to the bundle, given its folder and its card, before it takes its place;
            returns the card of the whole.
        features: Directions from which the network tells its features, for ``osprey drift``.

    Returns:
        The bundle's card, and how it compares with PyTorch.

    Raises:
        BundleError: The network cannot be exported, or the bundle answers otherwise.
        UserError: The run is damaged, or its validation photos are not there.
    """
    refuse_foreign(folder)
    config = run.load_config()
    if config.data.is_foreign:
        raise BundleError(
            "a run with a DataModule of your own has no validation photos by name to compare a "
            "bundle on: it is not exported"
        )
    model, metadata = load_model(run.best)
    task = get_task(metadata.task)
    network, names, options = _exported(task, model, metadata, features)
    manifest = run.load_manifest(root or config.data.root)
    val = manifest.split("val")
    if val.table.empty:
        raise BundleError("the run has no validation photos to compare a bundle on")
    preprocess = Preprocess.from_dict(metadata.preprocess)
    whole = FromBytes(network, preprocess).eval()
    photos = _inputs_of(manifest.split("train"), preprocess)
    kind = FORMATS[form]
    with atomic_path(folder) as partial:
        partial.mkdir()
        kind.write(Source(whole, preprocess.size, names, photos), partial / kind.file)
        card = _card(run, task, metadata, partial / kind.file, kind.precision)
        card = replace(card, options=options)
        if unknown_below is not None:
            refuse_unknown(reader_of(card, "the bundle"), card)
        write_text(partial / CARD, card.to_json())
        parity = compare(opened(partial, form), whole, task, val)
        _refuse(parity, kind.precision, task, folder, max_drop)
        card = replace(card, check=asdict(parity), unknown_below=unknown_below)
        if complete is not None:
            card = complete(partial, card)
        write_text(partial / CARD, card.to_json())
        clear(folder)
    return card, parity


def _exported(
    task: TaskPlugin, model: nn.Module, metadata: CheckpointMetadata, features: int
) -> tuple[nn.Module, tuple[str, ...], dict[str, Any]]:
    """The network to write, its outputs' names, and the options of what reads them."""
    network, names = task.exported(model, metadata), tuple(task.output_names)
    options = dict(task.reader_options(network))
    if features:
        network, names = task.with_features(network, metadata, features), (*names, "features")
        options["features"] = features
    return network, names, options


def _refuse(
    parity: Parity, precision: str, task: TaskPlugin, folder: Path, max_drop: float
) -> None:
    """Refuse what answers otherwise than PyTorch."""
    if precision == "float32":
        refuse_unlike(parity, folder)
    else:
        refuse_worse(parity, task.metrics[0].higher_is_better, max_drop)


def opened(folder: Path, form: str) -> Predictor:
    """A bundle of any format, ready to answer; its network is opened by what will run it."""
    kind = FORMATS[form]
    return Predictor(folder, outputs=None if kind.open is None else kind.open(folder / kind.file))


def _card(
    run: RunFolder, task: TaskPlugin, metadata: CheckpointMetadata, file: Path, precision: str
) -> Card:
    summary: dict[str, Any] = {}
    if (run.path / "summary.json").is_file():
        summary = run.read_json("summary.json")
    keys = [*(metric.key for metric in task.metrics), *task.compared]
    metrics: dict[str, Any] = {
        split: {
            **{key: summary[split][key] for key in keys if key in summary[split]},
            "per_class": {row["label"]: row["f1"] for row in summary[split].get("per_class", [])},
        }
        for split in ("val", "test")
        if split in summary
    }
    return Card(
        task=task.name,
        reader=task.reader,
        classes=metadata.classes,
        preprocess=metadata.preprocess,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        name=str(summary.get("name", run.path.parent.name)),
        run=run.path.name,
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        model=metadata.model.name,
        precision=precision,
        temperature=metadata.temperature,
        thresholds=metadata.thresholds,
        metrics=metrics,
        lineage={"osprey": __version__, "data": _data_digest(run)},
    )


def _data_digest(run: RunFolder) -> str:
    try:
        return str(run.read_json("environment.json").get("data_sha256") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def _inputs_of(train: Manifest, preprocess: Preprocess) -> Iterable[Any]:
    """Training photos as the network sees them, to measure the range of its numbers by."""
    from osprey.bundle.check import spaced
    from osprey.errors import UnreadableImage

    for path in spaced(train, _CALIBRATION).table["path"]:
        try:
            photo = preprocess.open(train.root / path)
        except UnreadableImage:
            continue
        yield preprocess(photo)[None]


_CALIBRATION = 128  # photos


def clear(folder: Path) -> bool:
    """Take away a bundle that is there; anything else stays.

    Returns:
        Whether there was one.

    Raises:
        UserError: There is something else.
    """
    refuse_foreign(folder)
    if not folder.exists():
        return False
    shutil.rmtree(folder)
    return True


def refuse_foreign(folder: Path) -> None:
    """Refuse a place where something else than a bundle is.

    Raises:
        UserError: There is.
    """
    if not os.path.lexists(folder):
        return
    inner = folder / DETECTOR
    inside = {path.name for path in folder.iterdir()} if folder.is_dir() else {""}
    within = {path.name for path in inner.iterdir()} if inner.is_dir() else set()
    links = folder.is_symlink() or inner.is_symlink()
    if links or not (inside <= {*FILES, DETECTOR} and within <= FILES):
        raise UserError(f"'{folder}' is there and is no bundle: name another folder with --output")
