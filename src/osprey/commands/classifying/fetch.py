"""A photo by its address, as somebody at the keyboard names it."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException

from osprey import __version__
from osprey.errors import UnreadableImage
from osprey.system.buckets import file_system, in_bucket, reason_in_words, split_address

_SECONDS = 20  # without an answer
_MOST_BYTES = 1 << 28


def fetch(address: str) -> bytes:
    """The bytes behind an address of http, https, s3 or gs.

    Args:
        address: As it was typed.

    Returns:
        At most 256 MB.

    Raises:
        UnreadableImage: There is no answer, it is an error, or it is too large.
        UserError: A package for addresses of this kind is not installed.
    """
    content = _in_bucket(address) if in_bucket(address) else _on_web(address)
    if len(content) > _MOST_BYTES:
        raise UnreadableImage(f"{address}: is larger than 256 MB; shrink it first")
    return content


def _in_bucket(address: str) -> bytes:
    parts = split_address(address)
    if parts is None or not parts[2]:
        raise UnreadableImage(f"{address}: is no address such as s3://bucket/folder/photo.jpg")
    scheme, bucket, key = parts
    system = file_system(scheme, "--image")
    try:
        size = int(system.info(f"{bucket}/{key}")["size"])
        if not size:
            return b""
        content: bytes = system.cat_file(f"{bucket}/{key}", start=0, end=min(size, _MOST_BYTES + 1))
    except Exception as error:  # of two libraries' dozens
        raise UnreadableImage(f"{address}: {reason_in_words(error)}") from None
    return content


def _on_web(address: str) -> bytes:
    headers = {"User-Agent": f"osprey/{__version__}"}
    try:
        request = urllib.request.Request(address, headers=headers)
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            content: bytes = answer.read(_MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise UnreadableImage(f"{address}: the answer is {error.code} {error.reason}") from None
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise UnreadableImage(f"{address}: cannot be fetched ({reason})") from None
    return content
