"""Every format of a run's bundle beside the others: size, speed and accuracy."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from osprey.bundle.export import export_run, opened
from osprey.bundle.formats import FORMATS
from osprey.config.bundle_formats import BUNDLE_FORMATS, refuse_uninstalled
from osprey.errors import UserError
from osprey.inference.predictor import Predictor
from osprey.runs.folder import RunFolder

_BATCH = 16
_SECONDS = 2.0  # of each measurement, after one batch that is not counted


@dataclass(frozen=True)
class FormatRow:
    """One format.

    Attributes:
        form: One of `FORMATS`.
        megabytes: Of its network.
        rate: Images a second in batches of 16, on ready pixels.
        milliseconds: Of one image alone.
        value: The main metric on validation.
        failure: Why there is no such bundle, or empty.
    """

    form: str
    megabytes: float = 0.0
    rate: float = 0.0
    milliseconds: float = 0.0
    value: float = 0.0
    failure: str = ""


def compare_formats(run: RunFolder, root: str | None = None) -> tuple[str, list[FormatRow]]:
    """Export a run in every format to a folder that goes away, and measure each.

    Args:
        run: A run with a checkpoint.
        root: Where the photos of its validation are, if not where they were.

    Returns:
        The main metric's key, and a row a format.

    Raises:
        BundleError: It cannot be exported at all.
    """
    rows, metric = [], ""
    with TemporaryDirectory(prefix="osprey-") as name:
        for form in BUNDLE_FORMATS:
            folder = Path(name) / form
            try:
                refuse_uninstalled(form, "--format")
                _, parity = export_run(run, folder, form, root, max_drop=1.0)
            except UserError as error:
                if form == BUNDLE_FORMATS[0]:
                    raise
                rows.append(FormatRow(form, failure=str(error)))
                continue
            metric = parity.metric
            predictor = opened(folder, form)
            size = (folder / FORMATS[form].file).stat().st_size / 1e6
            many, one = (_seconds(predictor, count) for count in (_BATCH, 1))
            rows.append(FormatRow(form, size, _BATCH / many, 1e3 * one, parity.theirs))
    return metric, rows


def _seconds(predictor: Predictor, count: int) -> float:
    """Median seconds of one batch."""
    side = predictor.preprocess.size
    draw = np.random.default_rng(0)
    inputs = draw.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    predictor.outputs(inputs)
    found: list[float] = []
    while sum(found) < _SECONDS:
        started = time.perf_counter()
        predictor.outputs(inputs)
        found.append(time.perf_counter() - started)
    return statistics.median(found)
