"""Photos of many requests, answered together: decoded in threads, then one batch after another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from osprey.imaging.size import announced_size, turn
from osprey.inference.predictor import Predictor, Prepared
from osprey.inference.reader import Answer
from osprey.serving.limits import Limits
from osprey.serving.metrics import Metrics
from osprey.serving.refusals import Refused

_WAIT = 0.003  # seconds that a batch waits for photos that are being decoded


class Batcher:
    """Asks one bundle about photos as they come in.

    A batch goes to the network as soon as that is free: full, or with all that is there once no
    further photo is being decoded or a few milliseconds have passed.

    Args:
        predictor: The bundle.
        limits: Of the service.
        decoders: Threads shared by all bundles.
        metrics: Where batches are counted.
    """

    def __init__(
        self, predictor: Predictor, limits: Limits, decoders: ThreadPoolExecutor, metrics: Metrics
    ) -> None:
        self.predictor = predictor
        self._limits = limits
        self._decoders = decoders
        self._metrics = metrics
        self._network = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._waiting: deque[tuple[Prepared, asyncio.Future[Answer]]] = deque()
        self._arrived = asyncio.Event()
        self._decoding = 0
        self._asked = 0
        self._worker = asyncio.create_task(self._work())

    async def ask(self, name: str, content: bytes) -> Answer:
        """The answer about one photo; about what cannot be read, with its failure.

        Args:
            name: What it is called in the answer.
            content: The whole file.

        Raises:
            Refused: 413, it has too many pixels.
            BundleError: The network cannot be computed.
        """
        self._asked += 1
        try:
            prepared = await self._prepared(name, content)
            if isinstance(prepared[0], str):  # it cannot be read
                return self.predictor.answers([prepared])[0]
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            self._waiting.append((prepared, future))
            self._arrived.set()
            return await future
        finally:
            self._asked -= 1

    async def close(self) -> None:
        """Answer what was asked, then end."""
        while self._asked:
            await asyncio.sleep(0.01)
        self._worker.cancel()
        with suppress(asyncio.CancelledError):
            await self._worker
        self._network.shutdown(wait=False)

    async def _prepared(self, name: str, content: bytes) -> Prepared:
        self._decoding += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._decoders, self._prepare, name, content)
        finally:
            self._decoding -= 1
            self._arrived.set()  # the worker need not wait for this one any more

    def _prepare(self, name: str, content: bytes) -> Prepared:
        """Decode and resize in a thread, within the limits of pixels and memory."""
        width, height = announced_size(content) or (0, 0)
        if width * height > self._limits.pixels:
            most = self._limits.pixels // 1_000_000
            raise Refused(
                413,
                f"{name}: {width} x {height} pixels is over the limit of {most} megapixels; "
                "shrink it first",
            )
        with turn(width, height):
            return self.predictor.prepare((name, content))

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._gather()
            count = min(len(self._waiting), self._limits.batch)
            taken = [self._waiting.popleft() for _ in range(count)]
            batch = [(photo, future) for photo, future in taken if not future.done()]
            if not batch:  # they waited too long, and nobody listens any more
                continue
            photos = [photo for photo, _ in batch]
            self._metrics.batch.observe(len(photos))
            try:
                found = await loop.run_in_executor(self._network, self.predictor.answers, photos)
            except Exception as error:
                _settle(batch, error)
            else:
                _settle(batch, found)

    async def _gather(self) -> None:
        """Wait for a first photo, and a moment for those that will be ready with it."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        loop = asyncio.get_running_loop()
        until = loop.time() + _WAIT
        while len(self._waiting) < self._limits.batch and self._decoding:
            left = until - loop.time()
            if left <= 0:
                return
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), left)


def _settle(
    batch: Sequence[tuple[Prepared, asyncio.Future[Answer]]],
    result: Sequence[Answer] | Exception,
) -> None:
    """Hand a batch its answers, or why there are none."""
    for place, (_, future) in enumerate(batch):
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result[place])
