"""The formats of a bundle: a file writes each, and a line here names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from osprey.bundle.int8 import write_int8
from osprey.bundle.source import Source
from osprey.bundle.to_executorch import open_executorch, write_executorch
from osprey.bundle.to_onnx import write_onnx
from osprey.inference.card import CARD, NETWORK, PROGRAM
from osprey.inference.network import Outputs
from osprey.runs.folder import RunFolder


@dataclass(frozen=True)
class Format:
    """How a network is written.

    Attributes:
        file: Name of the network's file.
        precision: ``float32``, which must answer as PyTorch does, or ``int8``.
        write: Writes the file.
        open: Opens the file to be checked; None: ONNX Runtime does, as in `Predictor`.
    """

    file: str
    precision: str
    write: Callable[[Source, Path], None]
    open: Callable[[Path], Outputs] | None = None


# Their names, and the packages that they need: `osprey.config.bundle_formats`.
FORMATS = {
    "onnx": Format(NETWORK, "float32", write_onnx),
    "onnx-int8": Format(NETWORK, "int8", write_int8),
    "executorch": Format(PROGRAM, "float32", write_executorch, open_executorch),
}
FILES = {CARD, *(form.file for form in FORMATS.values())}  # of any bundle


def bundle_folder(run: RunFolder, form: str = "onnx") -> Path:
    """Where a run's bundle of a format lies."""
    return run.path / ("bundle" if form == "onnx" else f"bundle-{form.removeprefix('onnx-')}")
