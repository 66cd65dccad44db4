"""The service for ten minutes under load with bad inputs mixed in, then SIGTERM under load.

    python benchmarks/soak.py [--bundle FOLDER] [--seconds 600]

Every fifth question is one that must be refused, each of its own kind; what is answered otherwise
is counted and printed, and is to be nothing. Memory is looked at every second.
Not part of ``make bench``.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import Row, finish, row
from http_clients import CLIENTS, Question, post, seen, start_clients
from service import bundle_of, jpegs, resident_mb, serving

PHOTOS = 40


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it has side x side pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checked

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def bad(photo: bytes) -> list[Question]:
    """What must be refused, and how."""
    kind = "application/json"
    many = json.dumps([{"image": base64.b64encode(photo).decode()}, {"image": "no base64"}])
    form = b"--x\r\nContent-Disposition: form-data; name=image\r\n\r\ntext\r\n--x--\r\n"
    large = b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    return [
        Question("truncated", post("/classify", photo[: len(photo) // 2]), (422,)),
        Question("empty", post("/classify", b""), (400,)),
        Question("noise", post("/classify", bytes(range(256)) * 40), (422,)),
        Question("path", post("/classify", b"photos/boat.jpg"), (400,)),
        Question("large photo", post("/classify", bomb(12_000)), (413,)),
        Question("bomb", post("/classify", bomb(40_000)), (422,)),
        Question("no JSON", post("/classify", b"{", kind), (400,)),
        Question("address", post("/classify", b'{"url": "http://127.0.0.1/"}', kind), (403,)),
        Question("nested", post("/classify", b"[" * 9000, kind), (400,)),
        Question(
            "form of text", post("/classify", form, "multipart/form-data; boundary=x"), (400,)
        ),
        Question("model", post("/classify?model=no-such", photo), (404,)),
        Question("nowhere", post("/no/such/path", b"x"), (404,)),
        Question("method", b"DELETE /classify HTTP/1.1\r\nHost: x\r\n\r\n", (405,)),
        Question("too large", large, (413,)),
        Question("no HTTP", b"\x16\x03\x01\x02\x00 hello\r\n\r\n", (400,)),
        Question("batch with one bad", post("/classify/batch", many.encode(), kind), (200,)),
        Question("probe", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", (200,)),
    ]


def mixed(good: list[bytes]) -> list[Question]:
    """Four photos, then something bad, until all that is bad has had its turn."""
    questions, turn = [], 0
    for wrong in bad(good[0]):
        for _ in range(4):
            questions.append(Question("photo", post("/classify", good[turn % len(good)])))
            turn += 1
        questions.append(wrong)
    return questions


def watched(process: subprocess.Popen[str], clients: subprocess.Popen[bytes]) -> list[float]:
    """Memory every second until the clients are done.

    What they print is longer than a pipe holds, so it is read beside this (`seen`).
    """
    held = []
    while clients.poll() is None:
        held.append(resident_mb(process))
        time.sleep(1)
    return held


def main() -> list[Row]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="a classifier's")
    parser.add_argument("--seconds", type=int, default=600)
    arguments = parser.parse_args()
    questions = mixed(jpegs(PHOTOS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = bundle_of(folder, arguments.bundle)
        with serving(folder, "--model", bundle) as (process, port):
            clients = start_clients(port, questions, None, arguments.seconds)
            with ThreadPoolExecutor(1) as reader:
                said = reader.submit(seen, clients)
                held = watched(process, clients)
            soaked = said.result()
            clients = start_clients(port, questions, None)  # until the service ends
            time.sleep(min(5, arguments.seconds))
            process.terminate()
            _, err = process.communicate(timeout=120)
            drained = seen(clients)
    for asked in (soaked, drained):
        for what, count in asked.wrong.items():
            print(f"not expected, {count} times: {what}", file=sys.stderr)
    tenth = max(1, len(held) // 10)
    before, after = (
        statistics.median(held[tenth : 2 * tenth] or held),
        statistics.median(held[-tenth:]),
    )
    clean = (process.returncode, err) == (143, "osprey serve: stopped\n")
    if not clean:
        print(process.returncode, err, file=sys.stderr)
    wrong = sum(soaked.wrong.values()) + soaked.closed
    note = f"{len(soaked.latencies)} answers in {soaked.seconds:.0f} s, {dict(soaked.statuses)}"
    # A connection that is kept may be asked in the moment in which it is closed: once a client.
    lost = sum(drained.wrong.values()) + max(0, drained.closed - CLIENTS) + (not clean)
    return [
        row("soak, answers that were not expected", [wrong], "answers", 0, at_most=True, note=note),
        row("soak, memory at the end over after a tenth", [after / before], "x", 1.05,
            at_most=True, note=f"{before:.0f} MB to {after:.0f} MB"),
        row("soak, answers lost by SIGTERM", [lost], "answers", 0, at_most=True,
            note=f"{len(drained.latencies)} answers until the end, exit code {process.returncode}"),
    ]  # fmt: skip


if __name__ == "__main__":
    finish(main())
