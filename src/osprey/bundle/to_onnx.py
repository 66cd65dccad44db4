"""A PyTorch network as ONNX, photos in as bytes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from osprey.bundle.source import Source
from osprey.errors import BundleError, reason_of

_OPSET = 18
_INT32, _BOOL = 6, 9  # ONNX's numbers of these types
_EXAMPLES = 2  # photos; of one, the number of photos would become a constant


def write_onnx(source: Source, file: Path) -> None:
    """Write a network as ONNX, for batches of any size.

    Args:
        source: The network.
        file: Where to write.

    Raises:
        BundleError: PyTorch's exporter cannot write it.
    """
    photos = torch.zeros(_EXAMPLES, source.size, source.size, 3, dtype=torch.uint8)
    try:
        with torch.inference_mode(), quiet():
            torch.onnx.export(
                _traced(source.whole, photos),
                (),
                file,
                input_names=["photos"],
                output_names=list(source.names),
                opset_version=_OPSET,
                external_data=False,
                dynamo=True,
                verbose=False,
                custom_translation_table={torch.ops.aten._is_all_true.default: _is_all_true},
            )
    except Exception as error:  # the exporter and its translators raise many kinds
        reason = reason_of(error, 160)
        raise BundleError(
            f"PyTorch cannot export this network ({reason}): predict and eval go on with its "
            "checkpoint"
        ) from None


def _traced(whole: nn.Module, photos: Tensor) -> torch.export.ExportedProgram:
    """The network's operations, for batches of any size."""
    shapes = ({0: torch.export.Dim("count", min=1)},)
    try:
        return torch.export.export(whole, (photos,), dynamic_shapes=shapes, strict=False)
    except Exception:  # of the many kinds, some stand for a `len(batch)`, which became a constant
        return torch.export.export(whole, (photos,), dynamic_shapes=shapes, strict=True)


def _is_all_true(values: Any) -> Any:
    """In ONNX, what the exporter lacks: transformers checks its shapes by it."""
    from onnxscript import opset18

    op: Any = opset18
    lowest = op.ReduceMin(op.Cast(values, to=_INT32), keepdims=0)
    return op.Cast(lowest, to=_BOOL)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporter's remarks about its own workings."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
