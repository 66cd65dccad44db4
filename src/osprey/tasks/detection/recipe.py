"""A detector's settings chosen by its data (``experiment=detect``); see RESULTS.md. No torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from osprey.config.schema import TrainConfig
from osprey.data.manifest import Manifest
from osprey.models.detection.spec import HEADS, QUERIES
from osprey.system.console import counted
from osprey.system.installed import installed_weights
from osprey.tasks.specs import Decision

_STEP = 32  # sides of a detector's input are multiples of it
_SIDES = 320, 640
_USUAL = 640  # of detectors where nobody says
_SEEN = 16  # pixels of a small box's side, two cells of the finest map
_BATCH, _FOLLOWED = 4, 8  # the latter where BatchNorm follows the photos
_VIEWS = 3600  # training photos shown over the whole run at 320 px and more
_QUICK = 3  # times as many, at most, of smaller ones
_ANEW = 2  # times as many where all weights are random
_EPOCHS = 4, 100
_FEW, _MANY = 1000, 5000  # training photos up to which early layers rest
_RARE = 0.1  # share of the photos with boxes
_LONG = 60  # steps from which on an average of weights looks back far enough
_POLICY = "detection"  # the recipe's own steps; others make mosaics or none, as they say
_MOSAICS = 0.5  # share of the photos that become one of four
_LITE = "tf_efficientnet_lite0"
_SMALL = "test_resnet"  # of timm's: quick on processors, and learns from nothing in few passes


@dataclass(frozen=True)
class Facts:
    """What the training photos say. Sizes of boxes are roots of their areas.

    Attributes:
        photos: Number of training photos.
        side: Median of the photos' longer sides, in pixels.
        smallest: The class with the smallest boxes.
        small: The size below which lies a quarter of its boxes, in pixels of the photo.
        share: The same on the network's input, over the input's side.
        large: The size above which lies a tenth of all boxes, over the input's side.
        rare: The class on the fewest photos.
        rarest: Its share of the photos with boxes.
    """

    photos: int
    side: int
    smallest: str
    small: float
    share: float
    large: float
    rare: str
    rarest: float


def facts_of(manifest: Manifest, resize: str) -> Facts:
    """Look at the boxes of the training split, of which there is at least one.

    Args:
        manifest: The samples, split.
        resize: ``data.resize``: by ``squash`` a photo fills the input, by others its longer side.
    """
    train = manifest.split("train")
    widths, heights = (train.table[k].to_numpy(dtype=float) for k in ("width", "height"))
    longer = np.maximum(widths, heights)
    filled = np.sqrt(widths * heights) if resize == "squash" else longer
    sizes: dict[str, list[tuple[float, float]]] = {}
    shown: Counter[str] = Counter()
    for boxes, side in zip(train.box_lists, filled, strict=True):
        shown.update({box[0] for box in boxes})
        for label, _, _, width, height in boxes:
            size = math.sqrt(width * height)
            sizes.setdefault(label, []).append((size, size / side))
    quarters = {label: np.quantile(found, 0.25, axis=0) for label, found in sizes.items()}
    smallest = min(quarters, key=lambda label: (quarters[label][1], label))
    rare = min(shown, key=lambda label: (shown[label], label))
    return Facts(
        photos=len(train.table),
        side=int(np.median(longer)),
        smallest=smallest,
        small=float(quarters[smallest][0]),
        share=float(quarters[smallest][1]),
        large=float(np.quantile([share for found in sizes.values() for _, share in found], 0.9)),
        rare=rare,
        rarest=shown[rare] / sum(1 for boxes in train.box_lists if boxes),
    )


def decide(config: TrainConfig, facts: Facts, unset: Collection[str]) -> list[Decision]:
    """Choose settings by the data.

    Args:
        config: The composed settings: which detector, from which weights, with which given size.
        facts: Of the training photos.
        unset: Settings that nobody has set; decisions on others are not used, but build on them.

    Returns:
        A decision a setting.
    """
    size = _size(config, facts) if "data.size" in unset else config.data.size or _USUAL
    fresh = config.model.pretrained is False
    batch = _FOLLOWED if fresh else _BATCH
    views = _VIEWS * min(max((_SIDES[0] / size) ** 2, 1), _QUICK) * (_ANEW if fresh else 1)
    epochs = min(max(math.ceil(views / facts.photos), _EPOCHS[0]), _EPOCHS[1])
    photos = counted(facts.photos, "training photo")
    made = [
        Decision("data.size", size, _why_size(facts, size)),
        Decision("data.batch_size", batch, "BatchNorm follows" if fresh else "many steps"),
        Decision("data.eval_batch_size", 4 * batch, "as much memory as a step takes"),
        Decision("trainer.max_epochs", epochs, f"{photos} a pass, {views:.0f} in all or more"),
        *_network(config, facts, size, unset),
        *_start(config, facts, unset),
    ]
    passes = epochs if "trainer.max_epochs" in unset else config.trainer.max_epochs
    batch = batch if "data.batch_size" in unset else config.data.batch_size
    steps = passes * _steps(config, facts, batch)
    if steps >= _LONG and config.trainer.strategy != "fsdp":
        decay = round(min(1 - 6 / steps, 0.9995), 4)
        why = f"looks back over {1 / (1 - decay):.0f} of {steps} steps"
        made.append(Decision("callbacks.ema_decay", decay, why))
    if config.augmentation.name == _POLICY and facts.share * size >= _SEEN / 2:
        why = "more boxes a step; not of boxes that are hardly seen"
        made.append(Decision("augmentation.mosaic", _MOSAICS, why))
    if facts.rarest < _RARE:
        why = f"'{facts.rare}' is on {facts.rarest:.1%} of the photos with boxes"
        made.append(Decision("data.sampler", "sqrt", why))
    return made


def _steps(config: TrainConfig, facts: Facts, batch: int) -> int:
    """Optimiser steps of an epoch."""
    batches = min(facts.photos // batch, config.trainer.limit_train_batches or facts.photos)
    return max(1, -(-max(1, batches) // config.trainer.accumulate))


def _size(config: TrainConfig, facts: Facts) -> int:
    """The input's side: small boxes are seen, and photos are enlarged to the smallest side only."""
    least = 4 * _STEP if config.model.name in QUERIES else 3 * _STEP
    wanted = min(max(_rounded(_SEEN / facts.share), _SIDES[0]), _SIDES[1])
    return max(least, min(wanted, _rounded(facts.side)))


def _rounded(side: float) -> int:
    return math.ceil(side / _STEP) * _STEP


def _why_size(facts: Facts, size: int) -> str:
    seen = facts.share * size
    few = "; smaller than the network sees well" if seen < _SEEN / 2 else ""
    return (
        f"a quarter of '{facts.smallest}' is below {facts.small:.0f} px on photos of {facts.side}, "
        f"{seen:.0f} px on {size}{few}"
    )


def _has_head_of_ours(config: TrainConfig, unset: Collection[str]) -> bool:
    """Whether it is a head of Osprey's on a backbone of timm's; torchvision's come whole."""
    model = config.model
    chosen = "model.backbone" in unset and config.from_run is None  # else it is that run's
    backbone = chosen or model.backbone is not None
    return model.factory == "detector" and model.name in HEADS and backbone


def _network(
    config: TrainConfig, facts: Facts, size: int, unset: Collection[str]
) -> list[Decision]:
    """The backbone, and a head small enough for processors."""
    model = config.model
    if config.from_run is not None or not _has_head_of_ours(config, unset):
        return []
    fresh = model.pretrained is False
    lite = model.pretrained is True and installed_weights(_LITE) is not None
    name = _SMALL if fresh else _LITE if lite else "mobilenetv2_100"
    large = facts.large * size
    made = [Decision("model.options.width", 64, "for processors")]
    if model.backbone is None:
        why = "weights of an installed package" if lite else "for processors"
        why = "learns from random weights" if fresh else why
        made.insert(0, Decision("model.backbone", name, why))
    if model.name != "ssdlite":
        levels = 3 if large <= 8 * _STEP else 4
        why = f"a tenth of the boxes is above {large:.0f} px on {size}"
        made.append(Decision("model.options.levels", levels, why))
    return made


def _start(config: TrainConfig, facts: Facts, unset: Collection[str]) -> list[Decision]:
    """Rates, and what rests, by what the network knows already."""
    model = config.model
    if model.factory != "detector":
        return []
    ours, fresh = _has_head_of_ours(config, unset), model.pretrained is False
    made = []
    if ours and config.optimizer.name == "adamw":
        made.append(Decision("optimizer.lr", *_rate(config)))
    if fresh:
        return made
    made.append(Decision("model.freeze_batchnorm", True, f"batches of {_BATCH} are small"))
    if ours:
        stages = 2 if facts.photos <= _FEW else 1 if facts.photos <= _MANY else 0
        photos = counted(facts.photos, "training photo")
        made.append(Decision("model.freeze_stages", stages, photos))
    if ours and config.trainer.strategy != "fsdp":
        why = "the earlier a layer, the less it need move"
        made.append(Decision("optimizer.layer_decay", 0.9, why))
    return made


def _rate(config: TrainConfig) -> tuple[float, str]:
    """AdamW's rate for a head of Osprey's, and why."""
    if config.model.pretrained is False:
        return 2e-3, "weights are random"
    if config.from_run is not None:
        return 1e-3, "goes on from a detector"
    return 1.5e-3, "of the head, which is new"
