"""The network of a bundle in ONNX Runtime."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from osprey.errors import BundleError, reason_of
from osprey.inference.card import NETWORK, PROGRAM, Card
from osprey.system.memory import cores

# How a tensor outside the file begins in ONNX (StringStringEntryProto with the key "location"):
# it would have the runtime read a file that the bundle names.
_EXTERNAL = b"\n\x08location\x12"
_MOST_BYTES = 2 << 30  # of one protocol buffer


# A network's outputs, each [N, ...], about photos uint8 [N, S, S, 3].
Outputs = Callable[[NDArray[np.uint8]], list[NDArray[Any]]]


def open_network(folder: Path, card: Card, threads: int | None = None) -> ort.InferenceSession:
    """Open a bundle's network, once its bytes are those that the card names.

    Args:
        folder: The bundle.
        card: Its card.
        threads: Of one computation; None for every core that this process may use.

    Returns:
        The session, on CUDA where this ONNX Runtime has it.

    Raises:
        BundleError: The file is missing, another than the card's, refers to others, or is refused
            by ONNX Runtime.
    """
    return session_of(network_bytes(folder, card), str(folder), threads)


def network_bytes(folder: Path, card: Card) -> bytes:
    """The network's bytes, which are those that the card names and refer to no other file.

    Raises:
        BundleError: They are not.
    """
    file = folder / NETWORK
    if not file.exists() and (folder / PROGRAM).is_file():
        raise BundleError(
            f"bundle '{folder}' is ExecuTorch's, for phones: write one to answer from here with "
            "'osprey export RUN'"
        )
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise BundleError(f"bundle '{folder}': its {NETWORK} is larger than 2 GiB")
        content = file.read_bytes()
    except OSError as error:
        raise BundleError(
            f"bundle '{folder}': its {NETWORK} cannot be read ({error.strerror}): copy the bundle "
            "again, whole"
        ) from None
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise BundleError(
            f"bundle '{folder}': its {NETWORK} is not the one that its card was written for: "
            "copy the bundle again, whole"
        )
    if _EXTERNAL in content:
        raise BundleError(f"bundle '{folder}': its {NETWORK} refers to other files")
    return content


def session_of(content: bytes, where: str, threads: int | None = None) -> ort.InferenceSession:
    """A session on a network's bytes; see `open_network`."""
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    options.intra_op_num_threads = threads or cores()
    # Threads that wait for the next batch leave their core to those that decode it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in ort.get_available_providers()]
    try:
        session = ort.InferenceSession(content, options, providers=providers)
    except Exception as error:  # ONNX Runtime raises a dozen kinds of its own
        raise BundleError(
            f"bundle '{where}': {NETWORK} is refused ({reason_of(error, 160)})"
        ) from None
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(uint8)" or len(inputs[0].shape) != 4:
        raise BundleError(f"bundle '{where}': {NETWORK} does not take photos as Osprey's do")
    return session


def run(session: ort.InferenceSession, inputs: NDArray[np.uint8]) -> list[NDArray[Any]]:
    """The network's outputs.

    Args:
        session: From `open_network`.
        inputs: Preprocessed photos, uint8 [N, S, S, 3].

    Returns:
        Its outputs, each [N, ...].

    Raises:
        BundleError: The network cannot be computed.
    """
    try:
        found: Sequence[Any] = session.run(None, {session.get_inputs()[0].name: inputs})
    except Exception as error:  # likewise
        raise BundleError(f"the bundle's network failed ({reason_of(error, 160)})") from None
    return cast("list[NDArray[Any]]", list(found))
