"""API keys: who may ask."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from starlette.requests import Request

from osprey.errors import UserError
from osprey.serving.refusals import Refused

_WAYS = "send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
_CHALLENGE = {"www-authenticate": "Bearer"}


class Keys:
    """Keys, of which only digests are kept.

    Args:
        keys: Each a text.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    def check(self, request: Request) -> None:
        """Refuse a request without a key of ours.

        Raises:
            Refused: 401.
        """
        key = _sent(request)
        if key is None:
            raise Refused(401, f"an API key is needed: {_WAYS}", headers=_CHALLENGE)
        if not self.knows(key):
            raise Refused(401, "the API key is not one of this service's", headers=_CHALLENGE)

    def knows(self, key: bytes) -> bool:
        """Whether a key is ours."""
        digest = _digest(key)
        # Every key is compared, each in constant time: how long it takes tells nothing.
        return any([hmac.compare_digest(digest, known) for known in self._digests])


def read_keys(file: Path) -> Keys:
    """The keys of a file; see `key_lines`."""
    return Keys(key_lines(file))


def key_lines(file: Path) -> list[str]:
    """The keys of a file, one a line; empty lines and those that begin with # are passed over.

    Raises:
        UserError: It cannot be read, or holds none.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"--api-key-file: '{file}' cannot be read ({reason})") from None
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise UserError(f"--api-key-file: '{file}' holds no key: write one a line")
    return keys


def _sent(request: Request) -> bytes | None:
    """The key of a request, as it came over the line."""
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and key.strip():
        return key.strip().encode("latin-1")
    given = request.headers.get("x-api-key")
    return given.encode("latin-1") if given else None


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
