"""What is refused, as ``{"error": "one line"}`` with the HTTP status that fits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from osprey.errors import UserError, nearest
from osprey.imaging.decode_errors import one_line


class Refused(Exception):
    """A request, or one photo of it, that gets no answer.

    Args:
        status: Of HTTP.
        reason: One line for whoever sent it.
        retry_after: Seconds after which it may be tried again, or None.
        headers: Further ones of the response.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        *,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = one_line(reason)
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["retry-after"] = str(retry_after)


def as_json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response with plain data."""
    text = json.dumps(content, ensure_ascii=False)
    return Response(text.encode("utf-8", "replace"), status, headers, media_type="application/json")


def error_json(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal as a response."""
    return as_json({"error": reason}, status, headers)


def add_handlers(app: FastAPI) -> None:
    """Let every failure be answered in one form."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return error_json(error.status, error.reason, error.headers)

    @app.exception_handler(HTTPException)
    async def by_starlette(request: Request, error: HTTPException) -> Response:
        return error_json(error.status_code, _in_words(request, error), error.headers)

    @app.exception_handler(UserError)
    async def by_osprey(request: Request, error: UserError) -> Response:
        """A network that cannot be computed: nothing that the client could mend."""
        return error_json(503, one_line(str(error)))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return error_json(400, "the body ended early")

    @app.exception_handler(Exception)
    async def mistake(request: Request, error: Exception) -> Response:
        """A mistake of ours; the server prints where."""
        return error_json(500, "the service made a mistake; its log says which")


def _in_words(request: Request, error: HTTPException) -> str:
    """What Starlette says in a word or two, with what to do."""
    path = one_line(request.url.path)[:100]
    if error.status_code == 404:
        hint = nearest(path, request.app.state.paths)
        return f"there is nothing at '{path}'{hint or '; /docs tells all there is'}"
    if error.status_code == 405:
        allowed = Headers(error.headers).get("allow", "another method")
        return f"{path} takes {allowed}, not {request.method}"
    return one_line(str(error.detail))
