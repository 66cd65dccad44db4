"""Bytes posted to an address, and the JSON that comes back; what holds a key goes nowhere else."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

_MOST_BYTES = 1 << 26  # of an answer


class NoAnswer(Exception):
    """There is none; says why."""


@dataclass(frozen=True)
class Posted:
    """An answer.

    Attributes:
        status: Of HTTP; 300 to 399 is an address elsewhere, which was not followed.
        reason: The status in words.
        text: The body.
        content: The JSON object in it; empty where there is none.
    """

    status: int
    reason: str
    text: str
    content: Mapping[str, Any]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The headers hold a key or a token, which is sent nowhere else."""

    def redirect_request(self, *words: Any, **more: Any) -> None:
        return None


def post(address: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Posted:
    """Post once; redirects are not followed.

    Args:
        address: Of http or https.
        body: What to post.
        headers: Beside the usual ones.
        seconds: That a step may take.

    Returns:
        The answer, whatever its status.

    Raises:
        NoAnswer: There is none, or not a whole one.
    """
    try:
        request = urllib.request.Request(address, body, dict(headers))
        try:
            answer = urllib.request.build_opener(_NoRedirects).open(request, timeout=seconds)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            content = answer.read(_MOST_BYTES)
            left: int | None = getattr(answer, "length", None)
            if left and len(content) < _MOST_BYTES:
                raise NoAnswer("the answer breaks off")
            status, reason = int(answer.status or 0), str(answer.reason)
    except (OSError, ValueError, HTTPException) as error:
        raise NoAnswer(str(getattr(error, "reason", None) or error)) from None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    text = content.decode("utf-8", "replace")
    return Posted(status, reason, text, found if isinstance(found, dict) else {})
