"""An event as Camio posts it, and its labels as Camio takes them back."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from osprey.imaging.decode_errors import one_line
from osprey.imaging.size import upright_size
from osprey.inference.reader import BOXES, UNKNOWN
from osprey.inference.recognised import named
from osprey.serving.models import Answered
from osprey.serving.photos import Photo, parsed_json
from osprey.serving.refusals import Refused

_LONGEST = 200  # of names and timestamps
_FORM = '{"images": [{"timestamp", "image_b64"}], "callback_url", "user_id", "camera"}'

Labels = dict[str, dict[str, Any]]  # {label: {"probability", "polygon"}}


@dataclass(frozen=True)
class Event:
    """What happened before a camera.

    Attributes:
        name: User and camera: ``7/boat``.
        callback_url: Where its labels go.
        photos: Each named after its time; one that is no base64 has a failure.
    """

    name: str
    callback_url: str
    photos: list[Photo]


async def read_event(body: bytes) -> Event:
    """The event of a request's body; fields that are not known are passed over.

    Raises:
        Refused: 400, it is none.
    """
    content = await parsed_json(body, _FORM)
    images = content.get("images") if isinstance(content, Mapping) else None
    if not isinstance(images, list) or not isinstance(content.get("callback_url"), str):
        raise Refused(400, f"the body is no event: send {_FORM}")
    name = "/".join(_word(content.get(key)) for key in ("user_id", "camera"))
    photos = [await asyncio.to_thread(_photo, image) for image in images]
    return Event(name, content["callback_url"], photos)


def labels_of(photos: Sequence[Photo], found: Sequence[Answered | Photo]) -> dict[str, Labels]:
    """The labels of every photo that could be read, by its time.

    Args:
        photos: Of the event.
        found: The answer about each.

    Returns:
        Of photos of one time, and of boxes of one class, the label of the highest probability.
    """
    labels: dict[str, Labels] = {}
    for photo, answer in zip(photos, found, strict=True):
        if isinstance(answer, Photo) or answer.failure is not None:
            continue
        of_photo = labels.setdefault(photo.name, {})
        for label, probability, polygon in _found(answer.record, photo.content):
            if probability >= of_photo.get(label, {"probability": 0})["probability"]:
                of_photo[label] = {"probability": probability, "polygon": polygon}
    return labels


def polygon_of(box: Sequence[float], width: int, height: int) -> list[list[float]]:
    """A box as Camio draws it.

    Camio's description leaves open how the polygon's numbers are nested; this is the one place
    that says it.

    Args:
        box: ``[x, y, width, height]`` in pixels from the photo's top left.
        width: Of the photo in pixels.
        height: Likewise.

    Returns:
        Its corners as ``[x, y]``, fractions of the photo, counted from its BOTTOM left, in turn
        from the box's own bottom left against the clock.
    """
    x, y, w, h = box
    left, right = (_fraction(value / width) for value in (x, x + w))
    top, bottom = (_fraction(1 - value / height) for value in (y, y + h))
    return [[left, bottom], [right, bottom], [right, top], [left, top]]


def _found(record: Mapping[str, Any], content: bytes) -> list[tuple[str, float, list[list[float]]]]:
    """Label, probability and polygon of everything on a photo."""
    if BOXES not in record:
        # "unknown" is no class: the best of them, too improbable to be told.
        names = [name for name, _ in record["top"]]
        told = record["label"] in names
        return [(record["label"], record["score"], [])] if told else []
    if not record[BOXES] and record.get("score", 0) > 0:  # two steps named the photo as a whole
        told = record["label"] != UNKNOWN
        return [(record["label"], record["score"], [])] if told else []
    size = upright_size(content)
    return [
        (*named(box), polygon_of(box["box"], *size) if size else [])
        for box in record[BOXES]
        if not box.get("unknown")
    ]


def _photo(image: Any) -> Photo:
    """One of an event's images."""
    time = image.get("timestamp") if isinstance(image, Mapping) else None
    if not isinstance(time, str) or not 0 < len(time) <= _LONGEST:
        raise Refused(400, f"an image has no timestamp: send {_FORM}")
    text = image.get("image_b64")
    try:
        if isinstance(text, str):
            return Photo(time, base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        pass
    return Photo(time, b"", f"{one_line(time)}: its image_b64 is not base64")


def _word(value: Any) -> str:
    """A name or number of Camio's, safe to print."""
    return one_line(str(value)[:_LONGEST]) if isinstance(value, str | int) else ""


def _fraction(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 6)
