"""A line an answer, by choice: when, about which photo (its hash), what, and by which bundle."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from osprey.errors import UserError
from osprey.serving.metrics import Metrics
from osprey.serving.models import Answered
from osprey.system.console import warn

_KEYS = {"time", "sha256", "answer", "bundle"}
_LONGEST_LINE = 1 << 20


class AnswerLog:
    """Adds lines to a file; a full disk costs lines, and no client its answer.

    Args:
        file: JSON lines, begun here or by a service before.
        metrics: Lines that could not be written are counted.

    Raises:
        UserError: It is another's file, or cannot be written.
    """

    def __init__(self, file: Path, metrics: Metrics) -> None:
        _refuse_foreign(file)
        self._metrics = metrics
        self._failing = False
        try:
            self._stream = file.open("ab", buffering=0)
        except OSError as error:
            raise UserError(f"--log: '{file}' cannot be written ({error.strerror})") from None

    def add(self, content: bytes, answered: Answered) -> None:
        """Write what was answered about a photo, and nothing of the photo itself."""
        line: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "sha256": hashlib.sha256(content).hexdigest(),
            "answer": _without_names(answered.record),
            "bundle": {"version": answered.version, "sha256": answered.sha256},
        }
        if answered.features is not None:
            line["features"] = [round(value, 4) for value in answered.features.tolist()]
        try:
            self._stream.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            self._failing = False
        except OSError as error:
            self._metrics.unlogged.inc()
            if not self._failing:
                warn(f"--log: answers are not written ({error.strerror})")
            self._failing = True

    def close(self) -> None:
        """Let the file go."""
        self._stream.close()


def _without_names(record: dict[str, Any]) -> dict[str, Any]:
    """A record without the photo's name or address, which reasons of a failure begin with."""
    if "failure" in record:
        return {"failure": "unreadable"}
    return {key: value for key, value in record.items() if key != "file"}


def _refuse_foreign(file: Path) -> None:
    """Refuse a file that is there and is no log of ours."""
    if not file.parent.is_dir():
        raise UserError(f"--log: there is no folder '{file.parent}'")
    if not file.exists():
        return
    if not file.is_file():
        raise UserError(f"--log: '{file}' is no file: name another")
    with file.open("rb") as stream:
        line = stream.readline(_LONGEST_LINE)
    if line and not _is_ours(line):
        raise UserError(f"--log: '{file}' is there and is no log of answers: name another")


def _is_ours(line: bytes) -> bool:
    try:
        content: Any = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and set(content) - {"features"} == _KEYS
