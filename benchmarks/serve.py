"""The service under load, beside the Predictor alone and beside LitServe.

    python benchmarks/serve.py [--bundle FOLDER] [--litserve PYTHON]

Without --bundle a probe on clothing is trained first, which takes a minute or two. LitServe runs
in an environment of its own, which needs litserve, numpy, onnxruntime, opencv-python-headless,
pillow and simplejpeg; without --litserve it is not measured. The service, the clients and the
peer share the cores: the clients' processor time is taken off each service's seconds alike.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common import Row, compare, environment, finish, row
from http_clients import CLIENTS, Asked, Question, ask, post
from service import bundle_of, jpegs, resident_mb, serving, wait_for

from osprey.inference.predictor import Predictor

BATCH, PHOTOS = 16, 64


def answered(port: int, questions: list[Question], count: int) -> Asked:
    """The answers, all of them right."""
    asked = ask(port, questions, count)
    assert not asked.wrong and not asked.closed, (asked.wrong, asked.closed)
    return asked


def beside_predictor(
    bundle: Path, port: int, raw: list[bytes], arguments: argparse.Namespace
) -> list[Row]:
    """Throughput over the Predictor's own, and the slowest answers over a full batch."""
    cores = len(os.sched_getaffinity(0))
    questions = [Question("photo", post("/classify", content)) for content in raw]
    predictor = Predictor(bundle)
    count = arguments.photos
    named = [(str(number), raw[number % len(raw)]) for number in range(count)]
    slowest: list[float] = []
    rates: list[float] = []

    def service() -> float:
        asked = answered(port, questions, count)
        slowest.append(statistics.quantiles(asked.latencies, n=100)[98])
        return asked.rate(cores)

    def alone() -> float:
        started = time.perf_counter()
        assert sum(a.failure is None for a in predictor.predict(named, BATCH)) == count
        rates.append(count / (time.perf_counter() - started))
        return rates[-1]

    first = compare(
        f"service over the Predictor, {CLIENTS} clients", service, alone, arguments.turns, 0.85
    )
    batches = [BATCH / rate for rate in rates]
    waits = [wait / batch for wait, batch in zip(slowest[1:], batches[1:], strict=True)]
    note = f"p99 {1e3 * statistics.median(slowest[1:]):.0f} ms, clients' time included"
    second = row("service, p99 over a full batch's time", waits, "x", 3, at_most=True, note=note)
    return [first, second]


def memory(
    process: subprocess.Popen[str], port: int, raw: list[bytes], arguments: argparse.Namespace
) -> Row:
    """Memory after all requests over memory after the first tenth."""
    questions = [Question("photo", post("/classify", content)) for content in raw]
    most = arguments.requests
    answered(port, questions, most // 10)
    held = [resident_mb(process)]
    for _ in range(9):
        answered(port, questions, most // 10)
        held.append(resident_mb(process))
    note = f"{held[0]:.0f} MB to {held[-1]:.0f} MB"
    growth = [held[-1] / held[0]]
    return row(f"service, memory over {most} requests", growth, "x", 1.05, at_most=True, note=note)


@contextmanager
def litserve(python: Path, bundle: Path, workers: int) -> Iterator[tuple[int, int]]:
    """LitServe with a bundle, stopped until it is asked: its group of processes, and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(__file__).with_name("litserve_server.py")
    command = [str(python), str(script), str(bundle), str(port), str(BATCH), str(workers)]
    process = subprocess.Popen(
        command, env=environment(), text=True, start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        os.killpg(process.pid, signal.SIGSTOP)
        yield process.pid, port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def beside_litserve(
    bundle: Path, port: int, raw: list[bytes], arguments: argparse.Namespace
) -> list[Row]:
    """Requests a second over LitServe's; it has one worker, then one a core."""
    cores = len(os.sched_getaffinity(0))
    bodies = [json.dumps({"image": base64.b64encode(x).decode()}).encode() for x in raw]
    questions = [Question("photo", post("/classify", x, "application/json")) for x in bodies]
    rows = []
    for workers in sorted({1, cores}):
        with litserve(arguments.litserve, bundle, workers) as (group, other):

            def peer(group: int = group, other: int = other) -> float:
                os.killpg(group, signal.SIGCONT)
                rate = answered(other, questions, arguments.photos).rate(cores)
                os.killpg(group, signal.SIGSTOP)
                return rate

            what = f"service over LitServe, {CLIENTS} clients, its workers: {workers}"
            mine = lambda: answered(port, questions, arguments.photos).rate(cores)  # noqa: E731
            rows.append(compare(what, mine, peer, arguments.turns, 2.0, "requests/s"))
    return rows


def main() -> list[Row]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="a classifier's")
    parser.add_argument("--litserve", type=Path, metavar="PYTHON", help="of its environment")
    parser.add_argument("--photos", type=int, default=1024, help="of a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--requests", type=int, default=20_000, help="while memory is watched")
    arguments = parser.parse_args()
    raw = jpegs(PHOTOS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = bundle_of(folder, arguments.bundle)
        words = ("--model", bundle, "--batch-size", str(BATCH))
        with serving(folder, *words) as (process, port):
            rows = beside_predictor(bundle, port, raw, arguments)
            if arguments.litserve:
                rows += beside_litserve(bundle, port, raw, arguments)
            rows.append(memory(process, port, raw, arguments))
    return rows


if __name__ == "__main__":
    finish(main())
