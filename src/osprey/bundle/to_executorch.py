"""A PyTorch network as an ExecuTorch program, for a phone: one photo at a time, in as bytes."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from osprey.bundle.source import Source
from osprey.bundle.to_onnx import quiet
from osprey.errors import BundleError, reason_of
from osprey.inference.network import Outputs
from osprey.models.folding import unfold_batchnorm

_BACKEND = "XnnpackBackend"  # fast kernels on the processors of phones and computers


def write_executorch(source: Source, file: Path) -> None:
    """Write a network as a program of ExecuTorch, its layers by XNNPACK.

    Args:
        source: The network; ``executorch`` is installed.
        file: Where to write.

    Raises:
        BundleError: ExecuTorch cannot lower it.
    """
    unfold_batchnorm(source.whole)  # XNNPACK folds it itself, and takes constant weights alone
    photo = torch.zeros(1, source.size, source.size, 3, dtype=torch.uint8)
    try:
        with torch.inference_mode(), quiet(), _without_remarks():
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import (
                XnnpackPartitioner,
            )
            from executorch.exir import to_edge_transform_and_lower

            traced = torch.export.export(source.whole, (photo,), strict=False)
            lowered = to_edge_transform_and_lower(traced, partitioner=[XnnpackPartitioner()])
            content: bytes = lowered.to_executorch().buffer
    except Exception as error:  # its passes raise many kinds
        reason = reason_of(error, 160)
        raise BundleError(
            f"ExecuTorch {_version()} cannot lower this network with torch {torch.__version__} "
            f"({reason}): export onnx instead"
        ) from None
    file.write_bytes(content)


def open_executorch(file: Path) -> Outputs:
    """A program that was just written, in ExecuTorch's own runtime.

    Args:
        file: The program.

    Returns:
        What computes its outputs, a photo after the other.

    Raises:
        BundleError: The runtime refuses it, or has no XNNPACK.
    """
    try:
        with quiet(), _without_remarks():
            from executorch.runtime import Runtime

            runtime = Runtime.get()
            if _BACKEND not in runtime.backend_registry.registered_backend_names:
                raise BundleError(
                    f"ExecuTorch {_version()} has no XNNPACK on this system, so the bundle cannot "
                    "be compared with PyTorch: export it on another"
                )
            program: Any = runtime.load_program(file.read_bytes())
            method = program.load_method("forward")
            side = method.metadata.input_tensor_meta(0).sizes()[1]
            method.execute([torch.zeros(1, side, side, 3, dtype=torch.uint8)])  # its first remarks
    except (ImportError, RuntimeError) as error:
        raise BundleError(
            f"ExecuTorch {_version()} cannot run its own program with torch {torch.__version__} "
            f"({reason_of(error, 160)}): export onnx instead"
        ) from None

    def outputs(photos: NDArray[np.uint8]) -> list[NDArray[Any]]:
        method = program.load_method("forward")  # loaded once; the program holds its bytes
        found = [
            [values.numpy() for values in method.execute([torch.from_numpy(photo)])]
            for photo in np.split(photos, len(photos))
        ]
        return [np.concatenate(values) for values in zip(*found, strict=True)]

    return outputs


def _version() -> str:
    from importlib.metadata import version

    return version("executorch")


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Without what C++ says about the processor, through Python's standard error or past it."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
