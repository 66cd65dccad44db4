"""The bundles that a service answers from, each loaded again when its name points elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.errors import UserError, nearest
from osprey.imaging.encode import jpeg_bytes
from osprey.inference.card import CARD, Card, read_card
from osprey.inference.predictor import Predictor
from osprey.inference.reader import BOXES, reader_class
from osprey.inference.two_step import open_bundle
from osprey.serving.batching import Batcher
from osprey.serving.limits import Limits
from osprey.serving.metrics import Metrics
from osprey.serving.refusals import Refused
from osprey.system.console import say, warn
from osprey.system.memory import cores

_POLL = 2.0  # seconds between two looks at the registry
_PATIENCE = 20.0  # before a version that was refused is tried again
CLASSIFY, DETECT = "/classify", "/detect"

Find = Callable[[str], tuple[Path, str]]  # a bundle's folder, and what to call it
_Stamp = tuple[Path, int, int]


@dataclass(frozen=True)
class Loaded:
    """One version of a bundle, ready to answer.

    Attributes:
        version: What to call it, such as ``fish@3``; no path of this machine's.
        batcher: Asks it.
        stamp: Its folder, and size and time of its card.
    """

    version: str
    batcher: Batcher
    stamp: _Stamp

    @property
    def predictor(self) -> Predictor:
        """The bundle."""
        return self.batcher.predictor


@dataclass(frozen=True)
class Answered:
    """The answer about one photo.

    Attributes:
        record: As plain data: ``{"file", ...}``, or ``{"file", "failure"}``.
        version: Of the bundle that gave it.
        sha256: Of the bundle's network.
        features: Of the photo, where the bundle tells them, for the log.
    """

    record: dict[str, Any]
    version: str
    sha256: str
    features: NDArray[np.float32] | None = None

    @property
    def failure(self) -> str | None:
        """Why the photo cannot be read, or None."""
        return self.record.get("failure")


class Model:
    """A name that clients choose, and the bundle that stands behind it now.

    Args:
        name: As clients write it.
        word: As `Find` takes it.
        path: Where it answers: ``/classify`` or ``/detect``.
    """

    def __init__(self, name: str, word: str, path: str) -> None:
        self.name, self.word, self.path = name, word, path
        self.now: Loaded | None = None

    async def ask(self, name: str, content: bytes) -> Answered:
        """The answer about one photo; see `Batcher.ask`."""
        now = self.now
        if now is None:
            raise not_ready()
        answer = await now.batcher.ask(name, content)
        card = now.predictor.card
        features = getattr(answer, "features", None)
        return Answered(answer.record(card.classes), now.version, card.sha256, features)


class Models:
    """Every bundle of a service.

    Args:
        words: As ``--model`` names them; cards are read at once, networks by `load`.
        find: Finds a bundle.
        limits: Of the service.
        metrics: Where batches and reloads are counted.

    Raises:
        UserError: One is not there, or damaged; or two have one name.
    """

    def __init__(self, words: Sequence[str], find: Find, limits: Limits, metrics: Metrics) -> None:
        self._find = find
        self._limits = limits
        self._metrics = metrics
        self._decoders = ThreadPoolExecutor(cores(), thread_name_prefix="decode")
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._closing: set[asyncio.Task[None]] = set()
        self._told: dict[str, _Stamp] = {}  # versions whose refusal was printed
        self._again: dict[str, float] = {}  # and when to try them again
        self.all = [self._model(word) for word in words]
        names = [model.name for model in self.all]
        for name in names:
            if names.count(name) > 1:
                raise UserError(f"--model: two bundles are called '{name}': serve them one by one")

    @property
    def ready(self) -> bool:
        """Whether every bundle answers."""
        return all(model.now is not None for model in self.all)

    def choose(self, name: str | None, path: str) -> Model:
        """The bundle that a request means.

        Args:
            name: As the client wrote it; None: the first that answers at this path.
            path: Where the request came in.

        Raises:
            Refused: 404, there is none, or it answers at another path.
        """
        here = [model for model in self.all if model.path == path]
        if name is None and here:
            return here[0]
        model = self.named(name)
        if model.path == path:
            return model
        does = "finds boxes" if model.path == DETECT else "names what is on a photo, without boxes"
        raise Refused(404, f"model '{model.name}' {does}: POST to {model.path}, not {path}")

    def named(self, name: str | None) -> Model:
        """The bundle of a name, wherever it answers; the first without one.

        Raises:
            Refused: 404, there is none.
        """
        chosen = [model for model in self.all if name in (model.name, None)]
        if not chosen:
            names = [model.name for model in self.all]
            hint = nearest(name or "", names) or f" (there are {', '.join(names)})"
            raise Refused(404, f"there is no model '{name}'{hint}")
        return chosen[0]

    async def load(self) -> None:
        """Load every network, and ask it once, so that no client's request is the first.

        Raises:
            BundleError: One is damaged.
        """
        for model in self.all:
            model.now = await self._load(model.word)

    async def watch(self) -> None:
        """Load bundles again as their names point elsewhere, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_POLL)
            for model in self.all:
                try:
                    stamp, _ = await loop.run_in_executor(self._loader, self._where, model.word)
                except Exception:  # whatever lies there now, what is loaded goes on
                    continue
                if model.now is None or stamp == model.now.stamp:
                    continue
                if self._told.get(model.name) != stamp or loop.time() >= self._again[model.name]:
                    await self._reload(model, stamp)

    async def close(self) -> None:
        """Answer what was asked, then end."""
        for model in self.all:
            if model.now is not None:
                await model.now.batcher.close()
        for task in list(self._closing):
            await task
        self._decoders.shutdown(wait=False)
        self._loader.shutdown(wait=False)

    async def _reload(self, model: Model, stamp: _Stamp) -> None:
        """Let a new version answer; the one before answers what it was asked, and is let go.

        One that cannot be loaded is tried again: it may still be on its way.
        """
        before = model.now
        try:
            model.now = await self._load(model.word, model.path)
        except Exception as error:  # likewise
            self._again[model.name] = asyncio.get_running_loop().time() + _PATIENCE
            if self._told.get(model.name) != stamp:
                self._told[model.name] = stamp
                self._metrics.reloads.labels("failed").inc()
                warn(f"{model.name}: the new version is refused, the one before goes on ({error})")
            return
        self._metrics.reloads.labels("done").inc()
        say(f"{model.name}: {model.now.version} answers now")
        if before is not None:
            task = asyncio.create_task(before.batcher.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _load(self, word: str, path: str | None = None) -> Loaded:
        loop = asyncio.get_running_loop()
        stamp, version, predictor = await loop.run_in_executor(self._loader, self._opened, word)
        if path is not None and _path(predictor.answer_key) != path:
            raise UserError(f"it does not answer at {path}")
        batcher = Batcher(predictor, self._limits, self._decoders, self._metrics)
        return Loaded(version, batcher, stamp)

    def _opened(self, word: str) -> tuple[_Stamp, str, Predictor]:
        """A bundle, asked once with a batch of the usual size."""
        stamp, version = self._where(word)
        predictor = open_bundle(stamp[0])
        if version == str(stamp[0]):
            version = _name(predictor.card, stamp[0])
            version += f"@{predictor.card.run}" if predictor.card.run else ""
        photo = jpeg_bytes(np.zeros((64, 64, 3), np.uint8))
        predictor.answers([predictor.prepare(("first", photo))] * self._limits.batch)
        return stamp, version, predictor

    def _where(self, word: str) -> tuple[_Stamp, str]:
        """What stands behind a word at this moment, and what to call it."""
        folder, version = self._find(word)
        card = (folder / CARD).stat()
        return (folder, card.st_mtime_ns, card.st_size), version

    def _model(self, word: str) -> Model:
        folder, version = self._find(word)
        card = read_card(folder)
        name = _name(card, folder) if version == str(folder) else word
        return Model(name, word, _path(reader_class(card, f"bundle '{folder}'").answer_key))


def _name(card: Card, folder: Path) -> str:
    """What to call a bundle that lies in no registry."""
    return card.name or folder.name


def _path(answer_key: str) -> str:
    """Where answers of this kind are given."""
    return DETECT if answer_key == BOXES else CLASSIFY


def not_ready() -> Refused:
    """The refusal of a service that is still loading its bundles."""
    return Refused(503, "the service is loading its models; try again soon", retry_after=1)
