"""Camio's hook: events at ``/tasks/{api_key}``, their labels to where each names."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse

from osprey.serving.camio.events import read_event
from osprey.serving.camio.hook import Hook
from osprey.serving.refusals import Refused, as_json
from osprey.serving.service import Service, service_of

_EVENT = {
    "type": "object",
    "required": ["images", "callback_url"],
    "properties": {
        "images": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["timestamp", "image_b64"],
                "properties": {
                    "type": {"type": "string"},
                    "size": {"type": "array", "items": {"type": "integer"}},
                    "timestamp": {"type": "string"},
                    "image_b64": {"type": "string", "format": "byte"},
                },
            },
        },
        "callback_url": {"type": "string"},
        "user_id": {"type": "string"},
        "camera": {"type": "string"},
    },
}
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": _EVENT}}}
}
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"example": "ok"}}, "description": "Taken"},
    400: {"description": "Invalid API Key, or no event"},
}


async def hook_of(service: Annotated[Service, Depends(service_of)]) -> Hook:
    """The hook, where it is on; for FastAPI's ``Depends``."""
    if service.hook is None:
        raise Refused(
            403, "events are not taken: 'osprey serve --allow-callback HOST' turns the hook on"
        )
    return service.hook


router = APIRouter(prefix="/tasks", tags=["Camio's hook"])
Here = Annotated[Service, Depends(service_of)]
On = Annotated[Hook, Depends(hook_of)]
Key = Annotated[str, Path(description="one of the service's API keys")]
Name = Annotated[str | None, Query(description="which of several models; see /models")]


@router.get("/", summary="Whether the hook is alive", response_class=PlainTextResponse)
async def alive(hook: On) -> Response:
    """No key is needed."""
    return PlainTextResponse("ok")


@router.get("/{api_key:path}", summary="Which events are pending")
async def pending(api_key: Key, service: Here, hook: On) -> Response:
    """User and camera of each, the oldest first."""
    if not _is_key(service, api_key):
        return _refusal()
    return as_json(hook.pending)


@router.post(
    *("/{api_key:path}",),
    summary="An event to be labelled",
    openapi_extra=_BODY,
    responses=_TEXT,
)
async def take(
    request: Request, api_key: Key, service: Here, hook: On, model: Name = None
) -> Response:
    """Its labels are posted to its ``callback_url``."""
    if not _is_key(service, api_key):
        return _refusal()
    chosen = service.models.named(model)
    with ExitStack() as memory:
        held = memory.enter_context(service.room.bodies())
        intake = service.intake(held)
        event = await read_event(await intake.body(request))
        intake.check_count(len(event.photos))
        hook.callbacks.check(event.callback_url)
        hook.take(event, partial(service.many, chosen), memory)
    return PlainTextResponse("ok")


def _is_key(service: Service, key: str) -> bool:
    """Whether the address ends in a key of ours; without keys there is no hook."""
    return service.keys is not None and service.keys.knows(key.encode("utf-8", "replace"))


def _refusal() -> Response:
    return PlainTextResponse("Invalid API Key", 400)
