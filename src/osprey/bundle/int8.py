"""A network in eight-bit integers: static quantisation, measured on training photos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.bundle.source import Source
from osprey.bundle.to_onnx import write_onnx
from osprey.errors import BundleError, reason_of


class _Photos:
    """Photos as ONNX Runtime's calibration asks for them, one after the other."""

    def __init__(self, inputs: Iterable[NDArray[np.uint8]]) -> None:
        self._inputs: Iterator[NDArray[np.uint8]] = iter(inputs)

    def get_next(self) -> dict[str, Any] | None:
        """The next one, or None at the end."""
        photo = next(self._inputs, None)
        return None if photo is None else {"photos": photo}


_LAYERS = ("Conv", "Gemm", "MatMul")


def _outside_the_layers(file: Path) -> list[str]:
    """Names of the nodes before the first layer with weights, and of those that none follows.

    Before are bytes made to numbers; after is what a detector's boxes are decoded by, which of 256
    places on 640 px would each be 2.5 px wide.
    """
    import onnx

    nodes = onnx.load(file).graph.node
    made: set[str] = set()  # values that a layer has had a part in
    early = []
    for node in nodes:
        if node.op_type in _LAYERS or made.intersection(node.input):
            made.update(node.output)
        else:
            early.append(node.name)
    into: set[str] = set()  # values that a layer is computed from
    late = []
    for node in reversed(nodes):
        if node.op_type in _LAYERS or into.intersection(node.output):
            into.update(node.input)
        else:
            late.append(node.name)
    return [*early, *late]


def write_int8(source: Source, file: Path) -> None:
    """Write a network as ONNX in eight-bit integers.

    Args:
        source: The network, and the photos that ranges are measured on.
        file: Where to write.

    Raises:
        BundleError: PyTorch's exporter or ONNX Runtime's quantiser cannot treat this network.
    """
    write_onnx(source, file)
    file.write_bytes(_quantised(file.read_bytes(), source.photos))


def _quantised(content: bytes, inputs: Iterable[NDArray[np.uint8]]) -> bytes:
    """Weights and activations of the layers as int8, weights with a scale a channel.

    Everything between two layers is quantised with them: ReLU6 left in float32 between convolutions
    costs MobileNetV2 accuracy, and all that int8 gains in time.

    Args:
        content: An ONNX file that takes uint8 [N, S, S, 3].
        inputs: Photos to measure the range of activations by, each [1, S, S, 3].

    Returns:
        The smaller file.

    Raises:
        BundleError: ONNX Runtime's quantiser cannot treat this network.
    """
    import onnxruntime.quantization as library
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory(prefix="osprey-") as name:
        source, ready, target = (Path(name, part) for part in ("a.onnx", "b.onnx", "c.onnx"))
        source.write_bytes(content)
        try:
            quant_pre_process(source, ready, skip_symbolic_shape=True)
            library.quantize_static(
                ready,
                target,
                _Photos(inputs),
                nodes_to_exclude=_outside_the_layers(ready),
                quant_format=library.QuantFormat.QDQ,
                per_channel=True,
                weight_type=library.QuantType.QInt8,
                activation_type=library.QuantType.QUInt8,
            )
        except Exception as error:  # its passes raise many kinds
            reason = reason_of(error, 160)
            raise BundleError(f"ONNX Runtime cannot quantise this network ({reason})") from None
        return target.read_bytes()
