"""What the last validation answered, for rules that choose an epoch by more than one figure."""

from __future__ import annotations


class Validated:
    """The answers about every photo of a validation; this base class knows nothing of them."""

    def standard_error(self, key: str) -> float | None:
        """How far a figure may be off, as one standard deviation of a bootstrap over the photos.

        Args:
            key: The metric, without ``val/``.

        Returns:
            In the metric's own unit; None where it is not known.
        """
        return None

    def log_loss(self) -> float | None:
        """The log loss after the temperature that fits the photos, in nats; None: there is none."""
        return None
