"""Settings of the ``data`` and ``augmentation`` groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from osprey.config.fields import setting

DATAMODULE = "osprey.data.datamodule.DataModule"
JOIN = "join"  # the reader of several data sets


@dataclass
class DataConfig:
    """Where the samples come from, how they are split, decoded and batched."""

    target: str = setting(DATAMODULE, "the LightningDataModule; a class of your own may stand here")
    name: str = setting()
    reader: Any = setting(help="folder, table, coco, ..., or _target_ of a function of your own")
    root: str = setting(help="folder of the photos")
    source: str | None = setting(None, "where the data can be had, for the message that it is not")
    file: str | None = setting(None, "the table or the annotations, where they have a file")
    unpacked: str | None = setting(
        None, "folder that photos out of tables are written to, once; of huggingface, torchvision"
    )
    columns: dict[str, str] = setting(
        {k: k for k in ("path", "label", "split", "group", "weight")}, "the table's own names"
    )
    open_last: bool = setting(
        False, "commas beyond a table's last column belong to its last cell, though unquoted"
    )
    missing: str = setting(
        "refuse",
        "photos that are not there, or lack their data.group: an error, or left out and told",
        choices=("refuse", "skip"),
    )
    frames: int = setting(
        3, "of each clip, evenly spaced, that become photos; of class_columns", low=1, high=1000
    )
    filter: dict[str, Any] | None = setting(None, "{column: value}: only these rows")
    sources: list[Any] = setting(
        [], "the sets of data=join: options of data, or {data: NAME, root: ..., classes: {A: B}}"
    )
    classes: list[str] | None = setting(None, "a list: only these classes")
    case: str = setting(
        "ask", "class names that differ in capitals alone", choices=("ask", "merge", "keep")
    )
    single_class: str | None = setting(
        None, "a name: boxes of every class become this one (a subject/no-subject detector)"
    )
    min_score: float = setting(
        0.2, "of boxes that a detector scored, for data=megadetector", low=0, high=1
    )
    strict: bool = setting(False, "stop at boxes whose photo is not there (voc, yolo)")
    pixels: bool = setting(False, "yolo's numbers are pixels, not fractions")
    origin: int | None = setting(
        None, "voc's number of the first pixel, 0 or 1; null: by the set", low=0, high=1
    )
    difficult: str = setting(
        "ignore",
        "boxes marked difficult, in validation and test: neither found nor missed, as VOC has it, "
        "or counted as the others",
        choices=("ignore", "count"),
    )
    group: str | None = setting(
        None, r"a column, or a pattern on the path such as '(?P<group>boat\d+)_'"
    )
    label: str | None = setting(
        None, r"a pattern on the path, where names say the class: '(?P<label>[A-Za-z]+)_\d+'"
    )
    split_names: dict[str, str] | None = setting(
        None, "{NAME: train, val, test or none}: what folders or cells of the column split mean"
    )
    weights: str = setting(
        "ask",
        "a column weight whose mean is far from 1: asked about, used in the loss, or ignored",
        choices=("ask", "use", "ignore"),
    )
    allow_leakage: bool = setting(False, "let a group straddle splits")
    conflicts: str = setting(
        "refuse",
        "one photo (byte for byte) under two labels: an error, left out, or trained on as it is",
        choices=("refuse", "drop", "keep"),
    )
    given_split: bool = setting(True, "keep train/val/test where the data has them")
    val_fraction: float | None = setting(
        None, "null: 0.15, or none where a split is given", low=0, high=0.9
    )
    test_fraction: float | None = setting(
        None, "null: 0.15, or none where a split is given", low=0, high=0.9
    )
    folds: int | None = setting(None, "K-fold: data.folds=5 data.fold=0", low=2)
    fold: int = setting(0, "which fold tests; the next one validates", low=0)
    split_seed: int = setting(0, "of the split alone")
    stratify: list[str] = setting(
        [], "columns that splits share out evenly beside the label; a cell may be a;b"
    )
    overfit: int | None = setting(None, "train and validate on this many photos", low=2)
    check_files: bool = setting(True, "decode every file once before training")
    size: int | None = setting(None, "pixels; null: the model's own", low=8, high=4096)
    train_size: int | None = setting(None, "pixels in training; null: the same", low=8, high=4096)
    resize: str = setting(
        "squash", "how photos become squares", choices=("squash", "crop", "letterbox")
    )
    mean: list[float] | None = setting(None, "of red, green, blue; null: the model's own")
    std: list[float] | None = setting(None, "of red, green, blue; null: the model's own")
    value_range: list[float] | None = setting(
        None, "[LOW,HIGH]: samples of deep photos that are black and white; null: by the set"
    )
    batch_size: int = setting(32, "of one batch over all devices", low=1)
    eval_batch_size: int = setting(64, "in validation and test", low=1)
    num_workers: int | None = setting(None, "null: chosen from the machine", low=0, high=256)
    cache: str = setting(
        "none",
        "decoded photos kept for the next epoch, or the next run",
        choices=("none", "ram", "disk"),
    )
    sampler: Any = setting(
        "uniform", "uniform, sqrt or balanced by class, or _target_ of a function of your own"
    )
    balance_by: list[str] = setting(
        [], "columns that the sampler evens out, each within the one before, such as [label,group]"
    )
    collate: Any = setting(None, "_target_ of a function that makes a batch of samples; null: ours")
    render_count: int = setting(1600, "photos to draw, of harbour only", low=200, high=100_000)
    render_seed: int = setting(0, "of what is drawn, of harbour only")
    args: dict[str, Any] = setting({})

    @property
    def is_foreign(self) -> bool:
        """Whether a DataModule of the user's own has the samples."""
        return self.target != DATAMODULE


@dataclass
class AugmentationConfig:
    """Steps on one image (albumentations), then mixes of a batch on the device."""

    name: str = setting()
    steps: list[Any] = setting(help="albumentations' by name, or _target_ of a transform class")
    mixup: float = setting(0.0, "alpha of MixUp; 0: off", low=0)
    cutmix: float = setting(0.0, "alpha of CutMix; 0: off", low=0)
    mix_probability: float = setting(1.0, "share of batches that are mixed", low=0, high=1)
    erasing: float = setting(0.0, "share of photos with a patch erased", low=0, high=1)
    mosaic: float = setting(0.0, "share of photos that become one of four", low=0, high=1)
    mosaic_until: float = setting(
        0.8, "share of the epochs after which no photo does", low=0, high=1
    )
    multi_scale: float = setting(
        0.0, "each batch at a side larger or smaller by up to this share", low=0, high=0.5
    )
