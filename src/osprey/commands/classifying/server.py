"""``classify --server``: a service that runs is asked instead of a bundle."""

from __future__ import annotations

import argparse
import os
import urllib.parse
from collections.abc import Iterator
from typing import Any

from osprey import __version__
from osprey.commands.classifying.fetch import fetch
from osprey.commands.classifying.named import is_address, is_pattern, on_web, photos_named
from osprey.errors import UnreadableImage, UserError
from osprey.imaging.decode import read_file
from osprey.inference.recognised import ranked_of
from osprey.system.console import counted, say, warn
from osprey.system.paths import existing_photo
from osprey.system.posting import NoAnswer, Posted, post

KEY = "OSPREY_API_KEY"
_SECONDS = 60
_CLASSIFY, _DETECT = "classify", "detect"


def ask_server(arguments: argparse.Namespace, piped: bytes | None) -> int:
    """Ask about the photos of ``--image``, and print as `classify` does.

    Args:
        arguments: The command line.
        piped: The photo on standard input, if that is asked about.

    Returns:
        The exit code: 1 with ``--strict`` if one of several could not be read, else 0.

    Raises:
        UserError: The service cannot be reached, or refuses.
        UnreadableImage: It cannot read the one photo.
    """
    if not on_web(arguments.server):
        raise UserError(
            f"--server: '{arguments.server}' is no address such as http://localhost:8080"
        )
    words = arguments.image
    if piped is not None or (len(words) == 1 and not is_pattern(words[0])):
        content = piped if piped is not None else _content(words[0])
        _say(arguments, _answer(arguments, content), "")
        return 0
    failed = 0
    for name in photos_named(words):
        try:
            _say(arguments, _answer(arguments, _content(name)), f"{name}: ")
        except UnreadableImage as error:
            failed += 1
            warn(f"{name}: {error}")
    if failed:
        warn(f"{counted(failed, 'photo')} could not be read, so without an answer")
    return 1 if failed and arguments.strict else 0


def _content(name: str) -> bytes:
    return fetch(name) if is_address(name) else read_file(existing_photo(name))


def _say(arguments: argparse.Namespace, record: dict[str, Any], before: str) -> None:
    boxes = record.get("detections")
    if boxes is None:
        short, full = [record["label"]], [[name, round(p, 4)] for name, p in record["top"]]
    else:
        full = ranked_of(record)
        short = [name for name, *_ in full]
    say(before + str(full if arguments.verbose else short))
    if arguments.verbose:
        warn(f"model: {record.get('model')} at {arguments.server}")


def _answer(arguments: argparse.Namespace, content: bytes) -> dict[str, Any]:
    """The service's record about one photo."""
    refusal = "the answer is not one of osprey serve's"
    for path in _paths(arguments):
        answer = _post(arguments.server, path, content)
        record = dict(answer.content)
        if answer.status == 200 and ("top" in record or "detections" in record):
            return record
        if 300 <= answer.status < 400:
            refusal = "it leads to another address, and a key is sent nowhere else: name that one"
        refusal = str(record.get("error", refusal))
        if answer.status == 422:
            raise UnreadableImage(refusal)
        if answer.status != 404:
            break
    raise UserError(f"--server: '{arguments.server}' refuses: {refusal}")


def _paths(arguments: argparse.Namespace) -> Iterator[str]:
    """Where a bundle may answer: one that finds boxes says so at the other path."""
    query = "" if arguments.model is None else f"?model={urllib.parse.quote(arguments.model)}"
    yield _CLASSIFY + query
    yield _DETECT + query


def _post(server: str, path: str, content: bytes) -> Posted:
    """The service's answer.

    Raises:
        UserError: There is none.
    """
    headers = {"User-Agent": f"osprey/{__version__}", "Content-Type": "application/octet-stream"}
    if os.environ.get(KEY):
        headers["X-API-Key"] = os.environ[KEY]
    try:
        return post(f"{server.rstrip('/')}/{path}", content, headers, _SECONDS)
    except NoAnswer as error:
        raise UserError(f"--server: '{server}' cannot be reached ({error})") from None
