"""Answers about photos: ``/classify``, ``/detect``, ``/classify/batch``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from osprey.serving.models import CLASSIFY, DETECT, Answered
from osprey.serving.photos import Photo, Question, read_many, read_one
from osprey.serving.refusals import Refused, as_json
from osprey.serving.service import Service, service_of, when_ready, with_key


class Refusal(BaseModel):
    """What is said instead of an answer."""

    error: str


_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": what}
    for status, what in (
        (400, "The request makes no sense"),
        (401, "No API key, or a wrong one"),
        (403, "The address may not be fetched"),
        (404, "No such model here"),
        (408, "The body came too slowly"),
        (413, "Too many bytes, pixels or photos"),
        (422, "The photo cannot be read"),
        (429, "Too much is waiting; see Retry-After"),
        (503, "Models are loading"),
    )
}
_IN_JSON = {
    "type": "object",
    "properties": {
        "image": {"type": "string", "format": "byte", "description": "the file in base64"},
        "url": {"type": "string", "description": "where the photo lies, if that is allowed"},
        "model": {"type": "string"},
    },
}
_FILE = {"type": "string", "format": "binary"}


def _body(raw: bool, form: dict[str, Any], in_json: dict[str, Any]) -> dict[str, Any]:
    """The body of a request as OpenAPI says it."""
    kinds: dict[str, Any] = {"image/*": {"schema": _FILE}} if raw else {}
    kinds["multipart/form-data"] = {"schema": {"type": "object", "properties": form}}
    kinds["application/json"] = {"schema": in_json}
    return {"requestBody": {"required": True, "content": kinds}}


_ONE = _body(True, {"image": _FILE, "model": {"type": "string"}}, _IN_JSON)
_MANY = _body(
    False, {"images": {"type": "array", "items": _FILE}}, {"type": "array", "items": _IN_JSON}
)

router = APIRouter(
    tags=["answers"],
    dependencies=[Depends(with_key), Depends(when_ready)],
    responses=_REFUSALS,
)
Here = Annotated[Service, Depends(service_of)]
Name = Annotated[str | None, Query(description="which of several models; see /models")]


@router.post(CLASSIFY, summary="What is on a photo", openapi_extra=_ONE)
async def classify(request: Request, service: Here, model: Name = None) -> Response:
    """A photo as the raw body, in a form, or in JSON as base64 or by its address."""
    return await _one(request, service, model, CLASSIFY)


@router.post(DETECT, summary="What is where on a photo", openapi_extra=_ONE)
async def detect(request: Request, service: Here, model: Name = None) -> Response:
    """Boxes are [x, y, width, height] in pixels of the upright photo."""
    return await _one(request, service, model, DETECT)


@router.post(f"{CLASSIFY}/batch", summary="What is on several photos", openapi_extra=_MANY)
async def classify_batch(request: Request, service: Here, model: Name = None) -> Response:
    """Answers in order; a photo that cannot be read has a ``failure`` instead."""
    service.models.choose(model, CLASSIFY)
    with service.room.bodies() as held:
        question = await read_many(request, service.intake(held))
        chosen = service.models.choose(_named(model, question), CLASSIFY)
        found = await service.many(chosen, question.photos)
    return as_json({"answers": [_record(answer) for answer in found]})


async def _one(request: Request, service: Service, model: str | None, path: str) -> Response:
    service.models.choose(model, path)  # refused before the body is read
    with service.room.bodies() as held:
        question = await read_one(request, service.intake(held))
        chosen = service.models.choose(_named(model, question), path)
        answer = await service.one(chosen, question.photos[0])
    return as_json(_record(answer))


def _named(model: str | None, question: Question) -> str | None:
    """The model that address or body names."""
    if model is not None and question.model not in (None, model):
        raise Refused(400, f"the address names model '{model}', the body '{question.model}'")
    return model if model is not None else question.model


def _record(answer: Answered | Photo) -> dict[str, Any]:
    if isinstance(answer, Photo):
        return {"file": answer.name, "failure": answer.failure}
    return answer.record if answer.failure else {**answer.record, "model": answer.version}
