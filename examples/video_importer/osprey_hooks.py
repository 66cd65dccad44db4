"""A hook module for tnc-ca-geo's video importer: videos labelled by a running ``osprey serve``.

The importer walks through a folder of videos and calls ``register_camera`` for each camera and
``post_video_content`` for each video. Frames are sent to the service one by one, and what it says
becomes bookmarks: a place in time wherever the labels change.

    python import_video.py FOLDER examples/video_importer/osprey_hooks.py HOST --port 8080 \
        --hook_data_json '{"output": "bookmarks", "seconds": 1, "min_score": 0.5}'
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from osprey.errors import UnreadableImage, UserError
from osprey.imaging.encode import jpeg_bytes
from osprey.imaging.video import open_video
from osprey.inference.reader import UNKNOWN
from osprey.inference.recognised import named
from osprey.system.files import write_json
from osprey.system.posting import NoAnswer, Posted, post

KEY = "OSPREY_API_KEY"
ATTEMPTS = 6
_SECONDS = 60  # for one answer
_NAME = re.compile(r"[\w.-]{1,100}")
_KEYS = {"job_id", "earliest_date", "latest_date", "labels"}


class Failed(Exception):
    """Why a video has no labels."""


@dataclass
class Job:
    """What the videos of one call of the importer share.

    Attributes:
        job_id: Names the file of bookmarks. With the id of an earlier job its file is gone on with.
        output: The folder of that file.
        seconds: From one frame that is asked about to the next.
        min_score: A label below it, 0 to 1, is left out.
        model: Which of the service's models, or None for its first.
        log: Where failures are told.
    """

    job_id: str = field(default_factory=lambda: f"osprey-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    output: Path = Path("bookmarks")
    seconds: float = 1.0
    min_score: float = 0.5
    model: str | None = None
    log: logging.Logger = field(default_factory=logging.getLogger)

    @property
    def file(self) -> Path:
        """The bookmarks."""
        return self.output / f"{self.job_id}.json"


_job = Job()


def set_hook_data(data: dict[str, Any]) -> None:
    """Take what ``--hook_data_json`` says, and the importer's logger; other keys are passed over.

    Args:
        data: May hold the attributes of `Job`, and ``logger``.

    Raises:
        ValueError: A value makes no sense.
    """
    if "job_id" in data and not _NAME.fullmatch(str(data["job_id"])):
        raise ValueError(f"job_id: '{data['job_id']}' is no name for a file")
    for key, low, high in (("seconds", 0.04, 3600.0), ("min_score", 0.0, 1.0)):
        if not low <= float(data.get(key, high)) <= high:
            raise ValueError(f"{key}: {data[key]} is not from {low:g} to {high:g}")
    _job.job_id = str(data.get("job_id", _job.job_id))
    _job.output = Path(data.get("output", _job.output))
    _job.seconds = float(data.get("seconds", _job.seconds))
    _job.min_score = float(data.get("min_score", _job.min_score))
    _job.model = data.get("model", _job.model)
    _job.log = data.get("logger", _job.log)


def register_camera(
    camera_name: str, host: str | None = None, port: str | int | None = None
) -> dict[str, str]:
    """The service needs no registration: a camera's name is its id."""
    return {"camera_id": camera_name, "name": camera_name}


def post_video_content(
    host: str,
    port: str | int | None,
    camera_name: str,
    camera_id: str,
    filepath: str,
    timestamp: str,
    location: Any = None,
) -> bool:
    """Label a video, and add its bookmarks to the job's file.

    Args:
        host: Of the service: ``192.168.1.9``, or an address such as ``https://host``.
        port: Of the service.
        camera_name: As the bookmarks name it.
        camera_id: As `register_camera` gave it.
        filepath: The video.
        timestamp: Of its first frame, UTC: ``YYYY-mm-ddTHH:MM:SS.fff``.
        location: Of the camera; the bookmarks have no place for it.

    Returns:
        Whether all of it was labelled; if not, nothing of it is in the file and the importer ends.
    """
    try:
        start = datetime.fromisoformat(timestamp).replace(tzinfo=UTC)
        marks, length = _bookmarks(_address(host, port), Path(filepath), start)
        _add(camera_name, marks, start, start + timedelta(seconds=length))
    except (Failed, UserError, OSError, ValueError) as error:
        _job.log.error("%s: %s", filepath, error)
        return False
    _job.log.info("%s: %d bookmarks in %s", filepath, len(marks), _job.file)
    return True


def _bookmarks(
    service: str, video: Path, start: datetime
) -> tuple[dict[datetime, list[str]], float]:
    """Where the labels change, and the seconds to the last frame."""
    marks: dict[datetime, list[str]] = {}
    before: list[str] = []
    last = 0.0
    for seconds, content in _frames(video):
        labels = _labels(_ask(service, content))
        if labels and labels != before:
            marks[start + timedelta(seconds=seconds)] = labels
        before, last = labels, seconds
    return marks, last


def _frames(path: Path) -> Iterator[tuple[float, bytes]]:
    """A frame every so many seconds as a JPEG.

    Raises:
        UnreadableImage: There is none.
    """
    video = open_video(path)
    due, count = 0.0, 0
    try:
        for frame in video:
            if frame.time >= due:
                yield frame.time, jpeg_bytes(frame.pixels)
                due, count = frame.time + _job.seconds, count + 1
    finally:
        video.close()
    if not count:
        raise UnreadableImage(f"{path}: not one frame can be read")


def _labels(answer: dict[str, Any]) -> list[str]:
    """The labels of an answer that are sure enough, in the order of the alphabet."""
    boxes = answer.get("detections", [])
    found = [named(box) for box in boxes if not box.get("unknown")]
    whole = [(answer["label"], answer["score"])] if "label" in answer else []
    if "top" in answer and answer["label"] in dict(answer["top"]):  # "unknown" is no label
        found = whole
    elif "top" not in answer and not boxes and answer.get("score", 0) > 0:
        found = [pair for pair in whole if pair[0] != UNKNOWN]  # two steps named it as a whole
    return sorted({label for label, score in found if score >= _job.min_score})


def _address(host: str, port: str | int | None) -> str:
    address = host if host.startswith(("http://", "https://")) else f"http://{host}"
    return f"{address.rstrip('/')}:{port}" if port else address.rstrip("/")


def _ask(service: str, content: bytes) -> dict[str, Any]:
    """The service's answer about a frame.

    Raises:
        Failed: There is none.
    """
    query = f"?model={urllib.parse.quote(_job.model)}" if _job.model else ""
    reason = ""
    for attempt in range(ATTEMPTS):
        for path in ("classify", "detect"):  # each model answers at one of them
            answer = _post(f"{service}/{path}{query}", content)
            if answer.status != 404:
                break
        if answer.status == 200:
            return dict(answer.content)
        reason = str(answer.content.get("error", f"answer {answer.status}"))
        if answer.status not in (429, 503):
            break
        time.sleep(min(2**attempt, 30))  # it is busy, or still loading
    raise Failed(f"{service}: {reason}")


def _post(address: str, content: bytes) -> Posted:
    headers = {"Content-Type": "application/octet-stream"}
    if os.environ.get(KEY):
        headers["X-API-Key"] = os.environ[KEY]
    try:
        return post(address, content, headers, _SECONDS)
    except NoAnswer as error:
        raise Failed(f"{address}: cannot be reached ({error})") from None


def _add(camera: str, marks: dict[datetime, list[str]], start: datetime, end: datetime) -> None:
    """Write the bookmarks of a video beside those before, whole or not at all."""
    content: dict[str, Any] = {"job_id": _job.job_id, "labels": {}}
    if _job.file.exists():
        content = json.loads(_job.file.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or set(content) != _KEYS:
            raise Failed(f"{_job.file} is there and holds no bookmarks: name another job_id")
    labels = content["labels"]
    for moment, names in marks.items():
        at = _written(moment)
        while at in labels and labels[at]["camera"]["name"] != camera:  # another camera's
            moment += timedelta(milliseconds=1)
            at = _written(moment)
        labels[at] = {"camera": {"name": camera}, "labels": names}
    content["earliest_date"] = min(content.get("earliest_date", _written(start)), _written(start))
    content["latest_date"] = max(content.get("latest_date", _written(end)), _written(end))
    _job.output.mkdir(parents=True, exist_ok=True)
    write_json(_job.file, {key: content[key] for key in sorted(_KEYS)})


def _written(moment: datetime) -> str:
    """A time as bookmarks have it: ``2026-10-09T06:17:36.923-0000``."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}-0000"
