"""A detector's settings chosen by its data (``experiment=detect``); see RESULTS.md. No torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from osprey.config.schema import SchedulerConfig, TrainConfig
from osprey.data.manifest import Manifest
from osprey.models.detection.spec import HEADS, QUERIES
from osprey.system.console import counted
from osprey.system.installed import installed_weights
from osprey.tasks.specs import Decision

_STEP = 32  # sides of a detector's input are multiples of it
_SIDES = 320, 640
_SEEN = 16  # pixels of a small box's side, two cells of the finest map
_BATCH = 4
_FOLLOWED = 8  # photos of a batch whose statistics BatchNorm follows
_VIEWS = 4500  # training photos shown over the whole run at 320 px and more
_QUICK = 3  # times as many, at most, of smaller ones
_EPOCHS = 4, 100
_FEW, _MANY = 1000, 5000  # training photos up to which early layers rest
_RARE = 0.1  # share of the photos with boxes
_LONG = 60  # steps from which on an average of weights looks back far enough
_LITE = "tf_efficientnet_lite0"
_OWN_SCHEDULE = SchedulerConfig().target


@dataclass(frozen=True)
class Facts:
    """What the training photos say.

    Attributes:
        photos: Number of training photos.
        side: Median of the photos' longer sides, in pixels.
        small: The size below which lies a quarter of the boxes of the class with the smallest
            ones, as a share of the photo's side.
        smallest: Name of that class.
        large: The size above which lies a tenth of all boxes, likewise.
        rarest: Share of the photos with boxes that show the rarest class.
        rare: Name of that class.
    """

    photos: int
    side: int
    small: float
    smallest: str
    large: float
    rarest: float
    rare: str


def facts_of(manifest: Manifest) -> Facts:
    """Look at the boxes of the training split, of which there is at least one."""
    train = manifest.split("train")
    widths, heights = (train.table[k].to_numpy(dtype=float) for k in ("width", "height"))
    shares: dict[str, list[float]] = {}
    shown: Counter[str] = Counter()
    for boxes, area in zip(train.box_lists, widths * heights, strict=True):
        shown.update({box[0] for box in boxes})
        for label, _, _, width, height in boxes:
            shares.setdefault(label, []).append(math.sqrt(width * height / area))
    quarters = {label: float(np.quantile(found, 0.25)) for label, found in shares.items()}
    smallest = min(quarters, key=lambda label: (quarters[label], label))
    rare = min(shown, key=lambda label: (shown[label], label))
    with_boxes = sum(1 for boxes in train.box_lists if boxes)
    everything = [share for found in shares.values() for share in found]
    return Facts(
        photos=len(train.table),
        side=int(np.median(np.maximum(widths, heights))),
        small=quarters[smallest],
        smallest=smallest,
        large=float(np.quantile(everything, 0.9)),
        rarest=shown[rare] / with_boxes,
        rare=rare,
    )


def decide(config: TrainConfig, facts: Facts, named: Collection[str] = ()) -> list[Decision]:
    """Choose every setting that depends on the data.

    Args:
        config: The composed settings: which detector, from which weights, with which given size.
        facts: Of the training photos.
        named: Settings that somebody has set, on which other choices build.

    Returns:
        A decision a setting, also for settings that somebody has set.
    """
    size = config.data.size or _size(config, facts)
    views = _VIEWS * min(max((_SIDES[0] / size) ** 2, 1), _QUICK)
    epochs = min(max(math.ceil(views / facts.photos), _EPOCHS[0]), _EPOCHS[1])
    passes = config.trainer.max_epochs if "trainer.max_epochs" in named else epochs
    fresh = config.model.pretrained is False
    chosen = (_FOLLOWED, "BatchNorm follows") if fresh else (_BATCH, "many steps, little memory")
    batch = config.data.batch_size if "data.batch_size" in named else chosen[0]
    steps = passes * max(1, facts.photos // batch)
    photos = counted(facts.photos, "training photo")
    made = [
        Decision("data.size", size, _why_size(facts, size)),
        Decision("data.batch_size", *chosen),
        Decision("data.eval_batch_size", 4 * batch, "as much memory as a step takes"),
        Decision("trainer.max_epochs", epochs, f"{photos} a pass: {steps} steps"),
        *([] if "model.backbone" in named else _network(config, facts, size)),
        *_start(config, facts),
    ]
    if config.scheduler.target == _OWN_SCHEDULE:
        made.append(Decision("scheduler.warmup", 0.1, f"{round(steps / 10)} of {steps} steps"))
    if steps >= _LONG:
        decay = round(min(1 - 6 / steps, 0.9995), 4)
        made.append(Decision("callbacks.ema_decay", decay, f"a sixth of {steps} steps"))
    if facts.rarest < _RARE:
        why = f"'{facts.rare}' is on {facts.rarest:.1%} of the photos with boxes"
        made.append(Decision("data.sampler", "sqrt", why))
    return made


def _size(config: TrainConfig, facts: Facts) -> int:
    """The input's side: small boxes are seen, and photos are enlarged to the smallest side only."""
    least = 4 * _STEP if config.model.name in QUERIES else 3 * _STEP
    wanted = min(max(_rounded(_SEEN / facts.small), _SIDES[0]), _SIDES[1])
    return max(least, min(wanted, _rounded(facts.side)))


def _rounded(side: float) -> int:
    return math.ceil(side / _STEP) * _STEP


def _why_size(facts: Facts, size: int) -> str:
    return (
        f"a quarter of '{facts.smallest}' is below {facts.small * facts.side:.0f} px on photos of "
        f"{facts.side}, {facts.small * size:.0f} px on {size}"
    )


def _network(config: TrainConfig, facts: Facts, size: int) -> list[Decision]:
    """The backbone under a head of Osprey's; torchvision's and transformers' come whole."""
    model = config.model
    given = model.backbone is not None or config.from_run is not None
    if model.factory != "detector" or model.name not in HEADS or given:
        return []
    lite = model.pretrained is True and installed_weights(_LITE) is not None
    name = _LITE if lite else "mobilenetv2_100"
    large = facts.large * size
    made = [
        Decision("model.backbone", name, "weights of an installed package" if lite else "small"),
        Decision("model.options.width", 64, "small"),
    ]
    if model.name != "ssdlite":
        levels = 3 if large <= 8 * _STEP else 4
        why = f"a tenth of the boxes is above {large:.0f} px on {size}"
        made.append(Decision("model.options.levels", levels, why))
    return made


def _start(config: TrainConfig, facts: Facts) -> list[Decision]:
    """Rates, and what rests, by what the network knows already."""
    model = config.model
    made = [Decision("optimizer.lr", *_rate(config))] if config.optimizer.name == "adamw" else []
    if model.name in QUERIES or model.pretrained is False:
        return made
    stages = 2 if facts.photos <= _FEW else 1 if facts.photos <= _MANY else 0
    photos = counted(facts.photos, "training photo")
    return [
        *made,
        Decision("optimizer.layer_decay", 0.9, "the earlier a layer, the less it need move"),
        Decision("model.freeze_batchnorm", True, "batches are small"),
        Decision("model.freeze_stages", stages, photos),
    ]


def _rate(config: TrainConfig) -> tuple[float, str]:
    """AdamW's rate for the head, and why."""
    if config.model.name in QUERIES:
        return 1e-4, "a transformer"
    if config.model.pretrained is False:
        return 2e-3, "weights are random"
    if config.from_run is not None:
        return 1e-3, "goes on from a detector"
    return 1.5e-3, "of the head, which is new"
