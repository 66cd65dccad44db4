"""A tiny bundle that needs no training, and the service in a process of its own."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import numpy as np
import onnx
from conftest import as_from_a_terminal, environment
from onnx import TensorProto, helper
from PIL import Image

from osprey.imaging.preprocess import Preprocess
from osprey.inference.card import Card
from osprey.inference.registry import find_bundle
from osprey.serving.app import create_app
from osprey.serving.fetching import Fetcher
from osprey.serving.limits import Limits
from osprey.serving.metrics import Metrics
from osprey.serving.models import Models
from osprey.serving.service import Service

READER = "osprey.tasks.classification.reader.ScoreReader"
CLASSES = ["red", "green", "blue"]
COLOURS = {"red": (220, 20, 20), "green": (20, 220, 20), "blue": (20, 20, 220)}


def write_bundle(
    folder: Path, classes: list[str] | None = None, reader: str = READER, work: int = 0
) -> Path:
    """A bundle whose logits are the mean of each channel, so that it names colours.

    Args:
        folder: Where to.
        classes: Names for red, green and blue.
        reader: Of its answers.
        work: Multiplications of large matrices that it does for nothing, so that it takes a while.
    """
    folder.mkdir(parents=True)
    nodes = [
        helper.make_node("Cast", ["photos"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
    ]
    constants = [helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])]
    last = "means"
    if work:
        constants.append(
            helper.make_tensor("zeros", TensorProto.FLOAT, [3, work], np.zeros(3 * work))
        )
        constants.append(helper.make_tensor("square", TensorProto.INT64, [2], [work, work]))
        nodes += [
            helper.make_node("ConstantOfShape", ["square"], ["large"]),
            helper.make_node("MatMul", ["means", "zeros"], ["wide"]),
            helper.make_node("ReduceMean", ["wide"], ["mean"], keepdims=0),
            helper.make_node("Add", ["large", "mean"], ["filled"]),
            helper.make_node("MatMul", ["filled", "filled"], ["product"]),
            helper.make_node("ReduceMax", ["product"], ["most"], keepdims=0),
            helper.make_node("Add", ["means", "most"], ["worked"]),
        ]
        last = "worked"
    nodes.append(helper.make_node("Identity", [last], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("photos", TensorProto.UINT8, ["n", 32, 32, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    (folder / "model.onnx").write_bytes(content)
    card = Card(
        task="classification",
        reader=reader,
        classes=classes or CLASSES,
        preprocess=json.loads(json.dumps(Preprocess(32).__dict__)),
        sha256=hashlib.sha256(content).hexdigest(),
        name="colours",
        model="means",
        created="2026-01-01T00:00:00",
        temperature=50.0,
    )
    (folder / "card.json").write_text(card.to_json())
    return folder


def photo(colour: str = "red", form: str = "JPEG", size: tuple[int, int] = (64, 48)) -> bytes:
    """A photo of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, COLOURS[colour]).save(file, form)
    return file.getvalue()


@dataclass
class Running:
    """A service that answers."""

    process: subprocess.Popen[str]
    port: int
    client: httpx2.Client
    stopped: tuple[int, str, str] | None = None

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """End it: exit code, standard output and error."""
        if self.stopped is None:
            self.process.send_signal(number)
            out, err = self.process.communicate(timeout=60)
            self.stopped = (self.process.returncode, out, err)
        return self.stopped


def is_listening(service: Running) -> bool:
    """Whether a new connection is taken."""
    try:
        socket.create_connection(("127.0.0.1", service.port), timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True


@contextmanager
def running(
    cwd: Path, *words: str | Path, key: str | None = None, before: Sequence[str] = ()
) -> Iterator[Running]:
    """The command in a process of its own, from when it is ready; it must say nothing wrong.

    Args:
        cwd: Where it runs.
        words: Its options.
        key: That the client sends.
        before: A command that starts it.
    """
    command = [*before, sys.executable, "-m", "osprey", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, *(str(word) for word in words)],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_from_a_terminal,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate(timeout=60)[1])
    port = int(line.rsplit(":", 1)[1])
    client = httpx2.Client(
        base_url=f"http://127.0.0.1:{port}",
        timeout=60,
        headers={"x-api-key": key} if key else {},
        trust_env=False,
    )
    service = Running(process, port, client)
    try:
        until = time.monotonic() + 60
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.02)
        yield service
    finally:
        client.close()
        _, _, err = service.stop()
        assert "Traceback" not in err, err


@asynccontextmanager
async def in_this_process(
    bundle: Path, fetcher: Fetcher | None = None, limits: Limits | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application alone, without a server; its bundle is still to be loaded."""
    limits, metrics = limits or Limits(), Metrics()
    find = partial(find_bundle, registry=bundle.parent, runs=bundle.parent)
    models = Models([str(bundle)], find, limits, metrics)
    service = Service(models, limits, metrics, fetcher)
    app = create_app(service, lambda: None)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x") as client,
    ):
        yield client
