"""Which figures speak for a task, by the keys of summaries and the names people know. No torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measures:
    """What a task's validation is told by.

    Attributes:
        chief: Key of the figure that chooses the best epoch; higher is better.
        shown: Keys and names, the chief first, in the order they are printed.
    """

    chief: str
    shown: dict[str, str]

    @property
    def logged(self) -> str:
        """What Lightning knows the chief figure as."""
        return f"val/{self.chief}"

    @property
    def name(self) -> str:
        """The chief figure's name for people."""
        return self.shown[self.chief]


MEASURES = {
    # 82% top-1 has coexisted with a macro-F1 of 0.44.
    "classification": Measures(
        "macro_f1", {"macro_f1": "macro-F1", "top1": "top-1", "log_loss": "log loss"}
    ),
    "detection": Measures("map", {"map": "mAP", "ap50": "AP50", "ap75": "AP75"}),
}
