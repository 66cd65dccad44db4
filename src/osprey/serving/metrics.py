"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PHOTOS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one service.

    Attributes:
        requests: By path and status.
        seconds: A request takes, by path.
        photos: By bundle, answered or failed.
        batch: Photos that a network was asked about at once.
        reloads: Of bundles, done or failed.
        unlogged: Answers that could not be written to the log.
        events: Of the hook, answered or failed.
    """

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._registry = registry
        self.requests = Counter(
            "osprey_requests", "Requests answered", ["path", "status"], registry=registry
        )
        self.seconds = Histogram(
            *("osprey_request_seconds", "Seconds a request takes", ["path"]),
            buckets=_SECONDS,
            registry=registry,
        )
        self.photos = Counter(
            "osprey_photos", "Photos, answered or failed", ["model", "outcome"], registry=registry
        )
        self.batch = Histogram(
            "osprey_batch_photos", "Photos in a batch", buckets=_PHOTOS, registry=registry
        )
        self.reloads = Counter(
            "osprey_reloads", "Bundles loaded again, or not", ["outcome"], registry=registry
        )
        self.unlogged = Counter(
            "osprey_unlogged", "Answers that the log has no place for", registry=registry
        )
        self.events = Counter(
            "osprey_hook_events", "Events, answered or failed", ["outcome"], registry=registry
        )

    def show(self, name: str, what: str, count: Callable[[], int]) -> None:
        """Show what is held at the moment of asking."""
        Gauge(name, what, registry=self._registry).set_function(count)

    def text(self) -> bytes:
        """All of them in Prometheus's form."""
        return generate_latest(self._registry)
