"""Clients of the benchmarks of the service: a process of its own, whose processor time is known.

Each client keeps one connection and asks one question after another, written beforehand.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

CLIENTS = 16


@dataclass(frozen=True)
class Question:
    """What is asked, and how it may be answered.

    Attributes:
        name: What it is called where it goes wrong.
        request: The whole of it, as it goes over the line.
        expected: Statuses.
    """

    name: str
    request: bytes
    expected: tuple[int, ...] = (200,)


@dataclass
class Asked:
    """What the clients saw.

    Attributes:
        seconds: From the first question to the last answer.
        cpu: Processor seconds of the clients.
        latencies: Seconds of every answer.
        statuses: Answers by status.
        wrong: What was not expected, by its words.
        closed: Connections that ended before a byte of the answer.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    closed: int = 0

    def rate(self, cores: int) -> float:
        """Answers a second, the clients' share of the cores taken off."""
        return len(self.latencies) / (self.seconds - self.cpu / cores)


def post(path: str, body: bytes, kind: str = "application/octet-stream") -> bytes:
    """A request as it goes over the line."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def start_clients(
    port: int, questions: Sequence[Question], count: int | None, seconds: float = 0.0
) -> subprocess.Popen[bytes]:
    """Clients in a process of their own; they write what they saw to standard output.

    Args:
        port: On this machine.
        questions: Asked in turn, from the first again after the last.
        count: Of all questions; None: until the seconds are over, or the service ends.
        seconds: See ``count``; 0: until the service ends.
    """
    with tempfile.NamedTemporaryFile(delete=False) as file:
        pickle.dump((port, list(questions), count, seconds), file)
    command = [sys.executable, __file__, file.name]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def ask(port: int, questions: Sequence[Question], count: int) -> Asked:
    """Ask so many questions by `CLIENTS` clients at once."""
    return seen(start_clients(port, questions, count))


def seen(process: subprocess.Popen[bytes]) -> Asked:
    """What clients saw, once they have ended."""
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("the clients broke")
    found = json.loads(out)
    statuses = Counter({int(status): count for status, count in found["statuses"].items()})
    return Asked(**{**found, "statuses": statuses, "wrong": Counter(found["wrong"])})


async def _client(asked: Asked, port: int, turns: _Turns) -> None:
    """One client; ends where the questions do, or nobody listens any more."""
    line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while (question := turns.next()) is not None:
        try:
            line = line or await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            turns.over = True
            break
        reader, writer = line
        began = time.perf_counter()
        status, keep = 0, False
        try:
            writer.write(question.request)
            head = await reader.readuntil(b"\r\n\r\n")
            status, length, keep = _parsed(head)
            await reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            if status or error.partial:
                asked.wrong[f"{question.name}: the answer broke off"] += 1
            else:
                asked.closed += 1
        except ConnectionError:
            asked.closed += 1
        else:
            asked.latencies.append(time.perf_counter() - began)
            asked.statuses[status] += 1
            if status not in question.expected:
                asked.wrong[f"{question.name}: {status}"] += 1
        if not keep:
            writer.close()
            line = None
    if line is not None:
        line[1].close()


def _parsed(head: bytes) -> tuple[int, int, bool]:
    """Status, length of the body, and whether the connection is kept."""
    lines = head.lower().split(b"\r\n")
    fields = dict(line.split(b": ", 1) for line in lines[1:] if line)
    keep = fields.get(b"connection") != b"close"
    return int(lines[0].split()[1]), int(fields.get(b"content-length", b"0")), keep


class _Turns:
    """Hands out the questions."""

    def __init__(self, questions: Sequence[Question], count: int | None, seconds: float) -> None:
        self._questions, self._count = questions, count
        self._until = time.perf_counter() + seconds if seconds else None
        self._given = 0
        self.over = False

    def next(self) -> Question | None:
        late = self._until is not None and time.perf_counter() > self._until
        if self.over or late or self._given == self._count:
            return None
        self._given += 1
        return self._questions[(self._given - 1) % len(self._questions)]


async def _all(
    port: int, questions: Sequence[Question], count: int | None, seconds: float
) -> Asked:
    asked, turns = Asked(), _Turns(questions, count, seconds)
    began, before = time.perf_counter(), time.process_time()
    await asyncio.gather(*(_client(asked, port, turns) for _ in range(CLIENTS)))
    asked.seconds, asked.cpu = time.perf_counter() - began, time.process_time() - before
    return asked


if __name__ == "__main__":
    given = Path(sys.argv[1])
    words = pickle.loads(given.read_bytes())
    os.unlink(given)
    print(json.dumps(vars(asyncio.run(_all(*words)))))
