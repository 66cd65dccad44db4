"""What the service takes at most, and what it holds at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from osprey.serving.refusals import Refused

_BODIES = 8  # largest ones held at once; decoding takes memory of its own
_RETRY_SECONDS = 1


@dataclass(frozen=True)
class Limits:
    """What one client may ask for, and all together.

    Attributes:
        bytes: Of a body, or of a photo behind an address.
        pixels: Of a photo.
        seconds: For a body to arrive, and again for its answer.
        photos: Accepted and not yet answered, of all clients; further ones are refused with 429.
        batch: Photos that a network is asked about at once.
    """

    bytes: int = 32_000_000
    pixels: int = 100_000_000
    seconds: float = 30.0
    photos: int = 256
    batch: int = 16


class Room:
    """Counts what is held, and refuses what would be too much.

    Args:
        limits: Of the service.

    Attributes:
        photos: Accepted and not yet answered.
        bytes: Of bodies in memory.
    """

    def __init__(self, limits: Limits) -> None:
        self.photos = 0
        self._limits = limits
        self.bytes = 0

    @contextmanager
    def places(self, count: int) -> Iterator[None]:
        """Hold places in the queue for photos.

        Raises:
            Refused: 429, so many are not left; 413, so many never are.
        """
        most = self._limits.photos
        if count > most:
            raise Refused(413, f"{count} photos are more than the {most} that are taken at once")
        if self.photos + count > most:
            raise busy(f"{self.photos} photos are waiting")
        self.photos += count
        try:
            yield
        finally:
            self.photos -= count

    @contextmanager
    def bodies(self) -> Iterator[HeldBytes]:
        """Hold memory for what one request brings."""
        held = HeldBytes(self)
        try:
            yield held
        finally:
            self.bytes -= held.count

    def take(self, count: int) -> None:
        """Take memory for bytes; `HeldBytes` gives it back."""
        if self.bytes + count > _BODIES * self._limits.bytes:
            raise busy("other requests hold all memory set aside for photos")
        self.bytes += count


class HeldBytes:
    """The memory that one request holds.

    Args:
        room: Where it is counted.

    Attributes:
        count: Bytes so far.
    """

    def __init__(self, room: Room) -> None:
        self.count = 0
        self._room = room

    def add(self, count: int) -> None:
        """Hold more.

        Raises:
            Refused: 429, there is not so much left.
        """
        self._room.take(count)
        self.count += count


def busy(why: str) -> Refused:
    """The refusal of a service that has enough to do."""
    return Refused(
        429, f"the service is busy: {why}; try again in a second", retry_after=_RETRY_SECONDS
    )
