"""The photos of a request: raw bytes, a form, or JSON with base64 or an address."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from osprey.imaging.decode import IMAGE_SUFFIXES
from osprey.imaging.decode_errors import one_line
from osprey.serving.bodies import Intake
from osprey.serving.refusals import Refused

_NAME = "photo"  # of one that comes without
_LONGEST_NAME = 200
_LONGEST_WORDS = 4096  # bytes of a body that may be a path
_MOST_PARTS = 5_000  # of JSON: its lists and objects take fifty times their bytes in memory
_DATA_ADDRESS = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,")
_AS_JSON = '{"image": "BASE64"} or {"url": "https://..."}'


@dataclass(frozen=True)
class Photo:
    """One photo of a request.

    Attributes:
        name: What it is called in the answer.
        content: The whole file; empty with a failure.
        failure: Why there is none: it fails alone.
    """

    name: str
    content: bytes
    failure: str | None = None


@dataclass
class Question:
    """What a request asks.

    Attributes:
        photos: In order.
        model: As the body names it, or None.
    """

    photos: list[Photo] = field(default_factory=list)
    model: str | None = None


async def read_one(request: Request, intake: Intake) -> Question:
    """The photo of a request for one answer.

    Args:
        request: With a body of any of the three kinds.
        intake: Reads bodies and addresses within the limits.

    Returns:
        With one photo.

    Raises:
        Refused: There is none, there are several, or they are not to be had.
    """
    kind = _kind(request)
    if kind == "multipart/form-data":
        question = await _form(request, intake)
        if len(question.photos) > 1:
            raise Refused(400, "the form holds several files: POST them to /classify/batch")
        return question
    body = await intake.body(request)
    if kind != "application/json":
        _refuse_words(body)
        return Question([Photo(_NAME, body)])
    content = await parsed_json(body, _AS_JSON)
    if isinstance(content, list):
        raise Refused(400, "the body is a list: POST it to /classify/batch")
    photo = await _photo(content, _NAME, intake)
    return Question([photo], _model(content))


async def read_many(request: Request, intake: Intake) -> Question:
    """The photos of a request for several answers; one that is not to be had fails alone.

    Args:
        request: With a form of files, or a JSON list.
        intake: As for `read_one`.

    Returns:
        With one photo or more.

    Raises:
        Refused: There is none, or the body is of another kind.
    """
    kind = _kind(request)
    if kind == "multipart/form-data":
        return await _form(request, intake)
    if kind != "application/json":
        raise Refused(
            415, f"several photos come as multipart/form-data, or as a JSON list of {_AS_JSON}"
        )
    content = await parsed_json(await intake.body(request), _AS_JSON)
    if not isinstance(content, list) or not content:
        raise Refused(400, f"the body must be a JSON list of {_AS_JSON}")
    intake.check_count(len(content))
    named = [(item, f"{_NAME} {place}") for place, item in enumerate(content, 1)]
    try:
        async with asyncio.timeout(intake.seconds):
            return Question([await _or_failure(item, name, intake) for item, name in named])
    except TimeoutError:
        raise Refused(
            408, f"the photos could not be fetched within {intake.seconds:g} seconds"
        ) from None


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _form(request: Request, intake: Intake) -> Question:
    question = Question()
    form = await intake.form(request)
    try:
        for key, value in form.multi_items():
            if isinstance(value, UploadFile):
                name = one_line(value.filename or _NAME)[:_LONGEST_NAME]
                question.photos.append(Photo(name, await value.read()))
            elif key == "model":
                question.model = value
            else:
                raise Refused(
                    400,
                    f"the form's field '{key[:50]}' is the text '{value[:100]}', not a photo: "
                    f"write @ before the file's name (-F {key[:50]}=@{value[:100]})",
                )
    finally:
        await form.close()
    if not question.photos:
        raise Refused(400, "the form holds no file: send one (-F image=@PHOTO)")
    return question


async def parsed_json(body: bytes, wanted: str) -> Any:
    """The body's JSON.

    Args:
        body: The whole of it.
        wanted: What should have been sent, for the message.

    Raises:
        Refused: 400, it is none, or has too many parts to be held.
    """
    if sum(body.count(mark) for mark in (b"[", b"{", b",")) > _MOST_PARTS:
        raise Refused(400, f"the body's JSON has more than {_MOST_PARTS} parts")
    try:
        return await asyncio.to_thread(json.loads, body)
    except (ValueError, RecursionError):
        raise Refused(400, f"the body is no JSON: send {wanted}") from None


async def _or_failure(item: Any, name: str, intake: Intake) -> Photo:
    try:
        return await _photo(item, name, intake)
    except Refused as refusal:
        if refusal.status == 429:
            raise
        return Photo(name, b"", refusal.reason)


async def _photo(item: Any, name: str, intake: Intake) -> Photo:
    """The photo of a JSON object."""
    if not isinstance(item, Mapping) or ("image" in item) == ("url" in item):
        raise Refused(400, f"{name}: send {_AS_JSON}")
    unknown = sorted(set(item) - {"image", "url", "model"})
    if unknown:
        raise Refused(400, f"{name}: there is no field '{unknown[0][:50]}': send {_AS_JSON}")
    value = item.get("image", item.get("url"))
    if not isinstance(value, str):
        raise Refused(400, f"{name}: send {_AS_JSON}")
    if "url" in item:
        return Photo(one_line(value)[:_LONGEST_NAME], await intake.fetched(value))
    prefix = _DATA_ADDRESS.match(value[:100])
    text = value[prefix.end() :] if prefix else value
    try:
        return Photo(name, await asyncio.to_thread(base64.b64decode, text, validate=True))
    except (binascii.Error, ValueError):
        raise Refused(400, f"{name}: its image is not base64 (base64 -w0 PHOTO)") from None


def _model(content: Mapping[str, Any]) -> str | None:
    model = content.get("model")
    if model is not None and not isinstance(model, str):
        raise Refused(400, "the field 'model' must be a text")
    return model


def _refuse_words(body: bytes) -> None:
    """Refuse a body that is no photo but what should have led to one.

    Raises:
        Refused: 400: it is empty, a path, an address or JSON; the line says how to send it.
    """
    if not body.strip():
        raise Refused(400, "the body is empty: send the photo's bytes (--data-binary @PHOTO)")
    try:
        text = body[:_LONGEST_WORDS].decode("utf-8").strip()
    except UnicodeDecodeError:
        return
    if len(body) > _LONGEST_WORDS or not text.isprintable():
        return
    if text.startswith(("http://", "https://")):
        raise Refused(
            400, 'the body is an address: send it as JSON, {"url": "..."}, content type '
            "application/json"
        )  # fmt: skip
    if text[0] in "{[":
        raise Refused(400, "the body is JSON: add -H 'content-type: application/json'")
    if "/" in text or "\\" in text or text.lower().endswith(tuple(IMAGE_SUFFIXES)):
        raise Refused(
            400,
            f"the body is the text '{text[:100]}', not a photo: write @ before the file's name "
            f"(--data-binary @{text[:100]})",
        )
