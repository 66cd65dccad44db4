"""The card of a bundle: what its network was trained for and how its answers are read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from osprey.errors import BundleError, UserError
from osprey.imaging.decode_errors import one_line
from osprey.imaging.preprocess import Preprocess

CARD, NETWORK = "card.json", "model.onnx"
DETECTOR = "detector"  # folder within a bundle of two steps: the bundle that finds the boxes
PROGRAM = "model.pte"  # the network of a bundle for phones, which ExecuTorch runs
FORMAT = 1
_MOST_BYTES = 50_000_000  # of a card: 100,000 class names take 2 MB


@dataclass(frozen=True)
class Card:
    """Everything about a bundle but its network.

    Attributes:
        task: Name of the task it was trained for.
        reader: Dotted name of the class that reads the network's outputs, a `Reader`.
        classes: Class names in the order of the outputs.
        preprocess: `Preprocess` as a dictionary.
        sha256: Of ``model.onnx``.
        name: Of the run.
        run: Its folder's name, a time stamp.
        created: When it was exported, ISO 8601.
        model: Name of the network.
        precision: ``float32`` or ``int8``.
        temperature: Divides the logits before softmax.
        thresholds: A detector's score threshold of each class, or None.
        unknown_below: A score below which an answer is "unknown", or None.
        options: What else the reader needs, plain data that it checks itself.
        check: What the comparison with PyTorch found.
        metrics: Of validation and test, as in the run's summary.
        lineage: Osprey's version, and the digest of the data it was trained on.
        detector: Of a bundle of two steps, how the boxes of the bundle in its folder `DETECTOR`
            are named (`osprey.inference.two_step.Steps`), or None.
    """

    task: str
    reader: str
    classes: list[str]
    preprocess: dict[str, Any]
    sha256: str
    name: str = ""
    run: str = ""
    created: str = ""
    model: str = ""
    precision: str = "float32"
    temperature: float = 1.0
    thresholds: list[float] | None = None
    unknown_below: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    check: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)
    detector: dict[str, Any] | None = None

    def to_json(self) -> str:
        """The card's text."""
        content = {"format": FORMAT, **asdict(self)}
        if self.detector is None:  # read by any Osprey of this format
            del content["detector"]
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @property
    def input(self) -> Preprocess:
        """How a photo becomes the network's input."""
        return Preprocess.from_dict(self.preprocess)


def read_card(folder: Path) -> Card:
    """Read and check the card of a bundle, which may come from a stranger.

    Args:
        folder: The bundle.

    Returns:
        The card, every field of the right type.

    Raises:
        BundleError: There is none, or Osprey did not write it so.
    """
    file = folder / CARD
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise BundleError(f"bundle '{folder}': its {CARD} is too large to be one")
        raw = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"'{folder}' is no bundle: it has no {CARD}") from None
    except (OSError, ValueError, RecursionError):
        raise BundleError(f"bundle '{folder}': its {CARD} cannot be read: copy it again") from None
    return card_of(raw, folder)


def card_of(raw: Any, folder: Path) -> Card:
    """Check a card's content; see `read_card`."""
    if not isinstance(raw, Mapping):
        raise BundleError(f"bundle '{folder}': its {CARD} is not a bundle's")
    if raw.get("format") != FORMAT:
        raise BundleError(
            f"bundle '{folder}' has format {raw.get('format')!r:.20}, this Osprey reads {FORMAT}: "
            "update Osprey, or export the run again"
        )
    content = {key: value for key, value in raw.items() if key != "format"}
    known = {each.name for each in fields(Card)}
    new = next((key for key in content if key not in known), None)
    if new is not None:
        raise BundleError(
            f"bundle '{folder}': its {CARD} has '{one_line(new)[:40]}', which this Osprey does not "
            "know: update Osprey, or export the run again"
        )
    try:
        card = Card(**content)
        sound = _is_sound(card)
        Preprocess.from_dict(card.preprocess)
    except TypeError:
        sound = False
    except UserError as error:
        raise BundleError(f"bundle '{folder}': its {CARD} is damaged ({error})") from None
    if not sound:
        raise BundleError(f"bundle '{folder}': its {CARD} is damaged, or another program's")
    return card


def _is_sound(card: Card) -> bool:
    """Whether every field is what Osprey writes."""
    texts = ("task", "reader", "sha256", "name", "run", "created", "model", "precision")
    tables = ("preprocess", "options", "check", "metrics", "lineage")
    return (
        all(isinstance(getattr(card, key), str) for key in texts)
        and all(isinstance(getattr(card, key), dict) for key in tables)
        and bool(card.reader)
        and isinstance(card.classes, list)
        and bool(card.classes)
        and all(isinstance(name, str) for name in card.classes)
        and len(set(card.classes)) == len(card.classes)
        and _is_number(card.temperature, 1e-6, 1e6)
        and (card.unknown_below is None or _is_number(card.unknown_below, 0, 1))
        and (card.detector is None or isinstance(card.detector, dict))
        and (card.thresholds is None or _are_thresholds(card.thresholds, len(card.classes)))
    )


def _is_number(value: object, low: float, high: float) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and math.isfinite(value) and low <= value <= high  # type: ignore[arg-type,operator]


def _are_thresholds(values: object, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(_is_number(value, 0, 1) for value in values)
    )
