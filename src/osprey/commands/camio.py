"""``osprey camio``: tell Camio of a service that runs, so that its events are sent there."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from osprey import __version__
from osprey.commands.classifying.named import on_web
from osprey.commands.command_line import Parser
from osprey.commands.serve import refuse_without_packages
from osprey.errors import UserError
from osprey.system.console import say, warn
from osprey.system.posting import NoAnswer, post

HOOKS = "https://camio.com/api/users/me/hooks"
TOKEN = "CAMIO_OAUTH_TOKEN"  # as Camio's own scripts call it
_EVERYTHING = "1==1"
_SECONDS = 30
_MOST_SHOWN = 200


def main(argv: list[str]) -> int:
    """Register the hook."""
    arguments = _parser().parse_args(argv)
    if not on_web(arguments.url):
        raise UserError(f"--url: '{arguments.url}' is no address such as https://my.host:8080")
    refuse_without_packages()
    from osprey.serving.keys import key_lines

    key = key_lines(Path(arguments.api_key_file))[0]
    hook = f"{arguments.url.rstrip('/')}/tasks/{urllib.parse.quote(key, safe='')}"
    if arguments.model:
        hook += f"?model={urllib.parse.quote(arguments.model)}"
    token = _token(arguments.token_file)
    if _is_open(arguments.url):
        warn(
            f"--url: '{arguments.url}' is not encrypted: photos and the key can be read on the way"
        )
    content = {"callback_url": hook, "type": "query_match", "parsed_query": arguments.query}
    answer = _post(content, token, key)
    say(f"hook {answer['id']}: events that match {arguments.query} come to {arguments.url}")
    return 0


def _token(file: str | None) -> str:
    """The token, from a file or the environment."""
    token = os.environ.get(TOKEN, "")
    if file:
        try:
            token = Path(file).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise UserError(f"--token-file: '{file}' cannot be read ({reason})") from None
    token = token.strip()
    if not token:
        where = f"--token-file: '{file}' is empty" if file else f"{TOKEN} is not set"
        raise UserError(f"{where}: Camio's settings, under Integrations, generate a token")
    if not (token.isascii() and token.isprintable()):
        raise UserError("Camio's token must be one line of plain letters")
    return token


def _is_open(url: str) -> bool:
    """Whether what is sent to an address crosses the internet in the clear."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    try:
        private = not ipaddress.ip_address(host).is_global
    except ValueError:
        private = "." not in host or host.endswith((".local", ".localhost", ".internal"))
    return parts.scheme == "http" and not private


def _post(content: dict[str, str], token: str, key: str) -> Mapping[str, Any]:
    """What Camio answers.

    Args:
        content: The hook.
        token: Camio's.
        key: The service's own, in the hook's address: an answer may repeat it.

    Raises:
        UserError: It refuses, or cannot be reached.
    """
    headers = {
        "Authorization": f"token {token}",
        "Content-Type": "application/json",
        "User-Agent": f"osprey/{__version__}",
    }
    try:
        answer = post(HOOKS, json.dumps(content).encode(), headers, _SECONDS)
    except NoAnswer as error:
        raise UserError(f"Camio cannot be reached ({error})") from None
    if not 200 <= answer.status < 300:
        said = answer.text
        for secret in (urllib.parse.quote(key, safe=""), key, token):
            said = said.replace(secret, "***")
        said = " ".join(said.split())[:_MOST_SHOWN]
        raise UserError(f"Camio refuses: {answer.status} {answer.reason} {said}".rstrip())
    if "id" not in answer.content:
        raise UserError("Camio's answer holds no id: see its settings whether the hook is there")
    return answer.content


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="osprey camio",
        description="Register a service that runs ('osprey serve --allow-callback camio.com "
        "--api-key-file FILE') as a hook of Camio's: events that match are sent there, and come "
        f"back with labels. Camio's token is read from {TOKEN} or a file.",
    )
    parser.add_argument("--url", required=True, help="where Camio reaches the service")
    parser.add_argument(
        *("--api-key-file",),
        required=True,
        metavar="FILE",
        help="the service's own; the first key in it becomes the end of the hook's address",
    )
    parser.add_argument(
        *("--query",),
        default=_EVERYTHING,
        help=f"which events, in Camio's words: camera == 'boat' (default: {_EVERYTHING}, all)",
    )
    parser.add_argument("--model", metavar="NAME", help="which of the service's several models")
    parser.add_argument("--token-file", metavar="FILE", help=f"Camio's token, instead of {TOKEN}")
    return parser
