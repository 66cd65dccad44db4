"""Labels that are probably wrong, as a task finds them. No torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from osprey.tasks.specs import Panel


@dataclass(frozen=True)
class Suspect(ABC):
    """A label that is probably wrong: of a photo, or of a box on it.

    Attributes:
        path: The photo, as the manifest names it.
        split: Its split.
    """

    path: str
    split: str

    @abstractmethod
    def cells(self) -> list[str]:
        """Its row of the table, in the order of `Suspects.columns`, without the decision."""

    @abstractmethod
    def line(self) -> str:
        """What is suspected, in a few words for the terminal."""

    @abstractmethod
    def facts(self) -> list[tuple[str, str, str]]:
        """What is suspected for the page: words, the name they are about, and a figure."""

    @abstractmethod
    def pair(self) -> tuple[str, str]:
        """What is annotated and what it looks like, by which suspects are counted."""

    @abstractmethod
    def is_decided(self, decision: str) -> bool:
        """Whether the manifest's column ``decision`` of the photo says that a person decided."""

    def panel(self) -> Panel:
        """How the page shows the photo."""
        return Panel()


@dataclass(frozen=True)
class LabelSuspect(Suspect):
    """A photo whose label is probably wrong.

    Attributes:
        label: Its label.
        suggested: The class that a model which has not seen the label names.
        given: The probability of the label by that model, 0 to 1.
        likely: The probability of the suggested class.
    """

    label: str
    suggested: str
    given: float
    likely: float

    def cells(self) -> list[str]:
        """Path, split, label, suggested class and both probabilities."""
        given, likely = f"{self.given:.4f}", f"{self.likely:.4f}"
        return [self.path, self.split, self.label, self.suggested, given, likely]

    def line(self) -> str:
        """Label and suggested class with their probabilities."""
        return f"{self.label} ({self.given:.3f}) looks like {self.suggested} ({self.likely:.3f})"

    def facts(self) -> list[tuple[str, str, str]]:
        """Label and suggested class."""
        return [
            ("labelled", self.label, f"{100 * self.given:.1f}%"),
            ("looks like", self.suggested, f"{100 * self.likely:.1f}%"),
        ]

    def pair(self) -> tuple[str, str]:
        """Label and suggested class."""
        return self.label, self.suggested

    def is_decided(self, decision: str) -> bool:
        """Whether anything was decided about the photo."""
        return decision != ""


@dataclass(frozen=True)
class Suspects:
    """What was looked at, and what was found.

    Attributes:
        photos: How many photos were looked at.
        found: The most suspicious first.
        how: By what they were found, in a line.
        doubt: What may hide mistakes from it; empty: nothing that is known.
        columns: Of their table; a column for the decision follows.
        decisions: What may be written there, as the end of a sentence.
        unit: What a suspect is, ``photo`` or ``box``.
    """

    photos: int
    found: Sequence[Suspect] = field(default_factory=list)
    how: str = ""
    doubt: str = ""
    columns: Sequence[str] = ("path", "split", "label", "suggested", "given", "likely")
    decisions: str = "keep, drop or the right class"
    unit: str = "photo"
