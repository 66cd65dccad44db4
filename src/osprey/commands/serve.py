"""``osprey serve``: bundles that answer over HTTP."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.commands.command_line import Parser, use_plugins
from osprey.errors import UserError

if TYPE_CHECKING:
    from osprey.serving.camio.hook import Hook
    from osprey.serving.keys import Keys
    from osprey.serving.limits import Limits
    from osprey.serving.metrics import Metrics
    from osprey.serving.service import Service

_NEEDED = ("fastapi", "uvicorn", "httptools", "python_multipart", "prometheus_client", "httpx2")


def main(argv: list[str]) -> int:
    """Serve until a signal ends it."""
    arguments = _parser().parse_args(argv)
    refuse_without_packages()
    use_plugins(arguments)
    from osprey.serving.server import serve

    serve(_service(arguments), arguments.host, arguments.port)
    return 0


def refuse_without_packages() -> None:
    """Refuse where the extra ``serve`` is not installed.

    Raises:
        UserError: It is not.
    """
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        raise UserError("serving needs more packages: pip install 'osprey-vision[serve]'")


def _service(arguments: argparse.Namespace) -> Service:
    """What the options describe."""
    from osprey.inference.registry import find_bundle
    from osprey.serving.answer_log import AnswerLog
    from osprey.serving.buckets import Buckets
    from osprey.serving.fetching import Fetcher
    from osprey.serving.keys import read_keys
    from osprey.serving.limits import Limits
    from osprey.serving.metrics import Metrics
    from osprey.serving.models import Models
    from osprey.serving.service import Service

    find = partial(find_bundle, registry=Path(arguments.registry), runs=Path(arguments.runs))
    words = arguments.model
    if not words:
        folder, name = find(None)
        # A name goes on meaning its champion; a newer run does not step in by itself.
        words = [str(folder) if name == str(folder) else name.partition("@")[0]]
    limits = Limits(
        bytes=arguments.max_mb * 1_000_000,
        pixels=arguments.max_megapixels * 1_000_000,
        seconds=arguments.timeout,
        photos=arguments.queue,
        batch=arguments.batch_size,
    )
    keys = read_keys(Path(arguments.api_key_file)) if arguments.api_key_file else None
    metrics = Metrics()
    models = Models(words, find, limits, metrics)
    log = AnswerLog(Path(arguments.log), metrics) if arguments.log else None
    fetcher = Fetcher(arguments.allow_url, limits.bytes) if arguments.allow_url else None
    hook = _hook(arguments.allow_callback, keys, limits, metrics)
    buckets = Buckets(arguments.allow_bucket, limits.bytes) if arguments.allow_bucket else None
    return Service(models, limits, metrics, fetcher, keys, log, hook, buckets)


def _hook(hosts: list[str], keys: Keys | None, limits: Limits, metrics: Metrics) -> Hook | None:
    """Camio's hook, where a host of its callbacks is allowed."""
    if not hosts:
        return None
    if keys is None:
        raise UserError(
            "--allow-callback: the hook's address ends in a key: add --api-key-file FILE"
        )
    from osprey.serving.camio.callbacks import Callbacks
    from osprey.serving.camio.hook import Hook

    return Hook(Callbacks(hosts), limits, metrics)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="osprey serve",
        description="Answer about photos over HTTP, from bundles, without PyTorch: POST a photo to "
        "/classify or /detect; /docs tells all there is.",
    )
    parser.add_argument(
        "--model",
        action="append",
        metavar="BUNDLE",
        help="a name such as fish@champion, a run or a bundle's folder; may be given several times",
    )
    parser.add_argument("--host", default="127.0.0.1", help="(default: 127.0.0.1, this machine)")
    parser.add_argument("--port", type=_whole(0, 65535), default=8080, help="(default: 8080)")
    parser.add_argument("--api-key-file", metavar="FILE", help="keys, one a line; without: none")
    parser.add_argument(
        *("--allow-url",),
        action="append",
        default=[],
        metavar="HOST",
        help="fetch photos from this host (HOST:PORT for an unusual port) when a request names "
        "their address; may be given several times",
    )
    parser.add_argument(
        *("--allow-bucket",),
        action="append",
        default=[],
        metavar="BUCKET",
        help="likewise from this bucket, s3://NAME or gs://NAME; may be given several times",
    )
    parser.add_argument(
        *("--allow-callback",),
        action="append",
        default=[],
        metavar="HOST",
        help="take Camio's events at /tasks/KEY and post their labels to this host (HOST:PORT for "
        "an unusual port); may be given several times",
    )
    parser.add_argument(
        "--log", metavar="FILE", help="add a JSON line an answer: time, hash, answer, bundle"
    )
    _add_limits(parser)
    parser.add_registry()
    parser.add_runs()
    parser.add_plugins()
    return parser


def _add_limits(parser: argparse.ArgumentParser) -> None:
    for name, default, low, high, what in (
        ("--batch-size", 16, 1, 1024, "photos that a network is asked about at once"),
        ("--queue", 256, 1, 100_000, "photos that may wait; further ones get 429"),
        ("--max-mb", 32, 1, 1000, "of a request's body"),
        ("--max-megapixels", 100, 1, 178, "of a photo"),
        ("--timeout", 30, 1, 3600, "seconds for a body, and again for its answer"),
    ):
        parser.add_argument(
            name,
            type=_whole(low, high),
            default=default,
            metavar="N",
            help=f"{what} (default: {default})",
        )


def _whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number within limits, for argparse."""

    def parse(text: str) -> int:
        value = int(text) if text.isdecimal() and len(text) < 10 else -1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {low} to {high}")
        return value

    return parse
