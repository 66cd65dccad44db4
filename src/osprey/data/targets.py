"""What a manifest knows of each photo: one label, or boxes. Chosen once, by the table's columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from osprey.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from osprey.data.dataset import Decoding, Photos, Transform
    from osprey.data.manifest import Manifest
    from osprey.imaging import Preprocess

Counts = dict[str, dict[str, int]]


class LabelTarget:
    """One label a photo, in the column ``label``.

    Attributes:
        name: What the photos have, for people and for the tasks that ask for it.
        description: What such a data set holds.
        unit: What is counted of each class.
        columns: Columns of the manifest beside those of any.
        identity: Those of them that tell one data set from another.
        remedy: What to do where a task cannot use it.
    """

    name = "labels"
    description = "photos of one label each"
    unit = "photo"
    columns: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    remedy = "add task=classification"

    def classes(self, manifest: Manifest) -> list[str]:
        """Class names in their fixed order."""
        return sorted(manifest.table["label"].unique())

    def counts(self, manifest: Manifest) -> Counts:
        """How many there are of each class: ``{"train": {"ALB": 12, ...}, ...}``."""
        return manifest.counts()

    def names(self, manifest: Manifest) -> Iterable[str]:
        """Each photo's class, or each box's."""
        return cast("list[str]", manifest.table["label"].tolist())

    def rename_classes(self, manifest: Manifest, names: Mapping[str, str]) -> Manifest:
        """The classes that are keys of ``names`` by their new names."""
        label = manifest.table["label"].replace(dict(names))
        return replace(manifest, table=manifest.table.assign(label=label))

    def keep_classes(self, manifest: Manifest, wanted: Sequence[str]) -> Manifest:
        """The samples of these classes."""
        return manifest.where(manifest.table["label"].isin(list(wanted)))

    def merge_classes(self, manifest: Manifest, name: str) -> Manifest:
        """All classes as one called ``name``.

        Raises:
            DataError: Photos of one label each would then all have the same.
        """
        raise DataError("data.single_class goes with photos that have boxes: add task=detection")

    def mend(self, manifest: Manifest, notices: list[str]) -> tuple[Manifest, pd.DataFrame]:
        """Mend what no photo can have; returns the manifest and a row for each thing touched."""
        import pandas as pd

        from osprey.data.formats.mend import COLUMNS

        return manifest, pd.DataFrame(columns=list(COLUMNS))

    def check_classes(self, manifest: Manifest) -> None:
        """Refuse a data set with nothing to tell apart.

        Raises:
            DataError: There is one class only.
        """
        classes = manifest.classes
        if len(classes) < 2:
            raise DataError(
                f"only one class, '{classes[0]}', in '{manifest.root}': a classifier needs two; "
                "is data.root one folder too deep?"
            )

    def reader_of_another(self, trained: str) -> str:
        """The reader of another data set to test on, where none is named.

        Args:
            trained: The reader of the data set that was trained on.
        """
        return "folder"

    def dataset(
        self,
        part: Manifest,
        classes: Sequence[str],
        preprocess: Preprocess,
        augment: Any,
        *,
        ready: bool,
        decoding: Decoding,
    ) -> Photos:
        """A split's photos with their targets.

        Args:
            part: The split's samples.
            classes: Class names in the order of the model's outputs.
            preprocess: How a photo becomes model input without augmentation.
            augment: Makes model inputs for training, or None.
            ready: The cache holds photos as ``preprocess`` leaves them.
            decoding: What `Photos` takes.
        """
        from osprey.data.dataset import AsInProduction, PhotoDataset, as_cached

        plain = as_cached if ready else AsInProduction(preprocess)
        return PhotoDataset(part, classes, cast("Transform", augment or plain), **decoding)


class BoxTarget(LabelTarget):
    """Boxes on each photo, in the columns ``boxes``, ``width`` and ``height``."""

    name = "boxes"
    description = "photos with boxes"
    unit = "box"
    columns = ("width", "height", "boxes")
    identity = ("boxes",)
    remedy = "add task=detection and a detector"

    def classes(self, manifest: Manifest) -> list[str]:
        """Class names of the boxes, in their fixed order."""
        return sorted({box[0] for boxes in manifest.box_lists for box in boxes})

    def counts(self, manifest: Manifest) -> Counts:
        """How many boxes there are of each class: ``{"train": {"ALB": 12, ...}, ...}``."""
        return manifest.box_counts()

    def names(self, manifest: Manifest) -> Iterable[str]:
        """Each box's class."""
        return (box[0] for boxes in manifest.box_lists for box in boxes)

    def rename_classes(self, manifest: Manifest, names: Mapping[str, str]) -> Manifest:
        """The classes of boxes that are keys of ``names`` by their new names."""
        return manifest.with_boxes(
            [
                [(names.get(box[0], box[0]), *box[1:]) for box in boxes]
                for boxes in manifest.box_lists
            ]
        )

    def keep_classes(self, manifest: Manifest, wanted: Sequence[str]) -> Manifest:
        """All photos with their boxes of these classes: one left without is one of nothing."""
        kept = [[box for box in boxes if box[0] in wanted] for boxes in manifest.box_lists]
        return manifest.with_boxes(kept)

    def merge_classes(self, manifest: Manifest, name: str) -> Manifest:
        """The classes of all boxes as one called ``name``."""
        return manifest.with_boxes(
            [[(name, *box[1:]) for box in boxes] for boxes in manifest.box_lists]
        )

    def mend(self, manifest: Manifest, notices: list[str]) -> tuple[Manifest, pd.DataFrame]:
        """Mend or drop boxes that no photo can have, as `mend_boxes` says."""
        from osprey.data.formats.mend import mend_boxes

        return mend_boxes(manifest, notices)

    def check_classes(self, manifest: Manifest) -> None:
        """Refuse a data set without a box.

        Raises:
            DataError: There is none.
        """
        if not manifest.classes:
            raise DataError(
                f"no photo under '{manifest.root}' has a box: there is nothing to learn"
            )

    def reader_of_another(self, trained: str) -> str:
        """That of the training data: boxes have many forms, and a folder holds none."""
        return trained

    def dataset(
        self,
        part: Manifest,
        classes: Sequence[str],
        preprocess: Preprocess,
        augment: Any,
        *,
        ready: bool,
        decoding: Decoding,
    ) -> Photos:
        """A split's photos with their boxes; arguments as `LabelTarget.dataset` says."""
        from osprey.data.box_dataset import BoxDataset

        return BoxDataset(part, classes, preprocess, augment=augment, ready=ready, **decoding)


# The first whose columns a table has; a label is in every one.
_TARGETS: list[LabelTarget] = [BoxTarget(), LabelTarget()]


def target_of(columns: Sequence[str]) -> LabelTarget:
    """What a table with these columns knows of each photo."""
    return next(target for target in _TARGETS if set(target.columns) <= set(columns))


def register_target(target: LabelTarget) -> None:
    """Let tables that have ``target.columns`` be read as a plugin's own kind of target.

    Args:
        target: Asked before those known so far; one of the same name is replaced.
    """
    _TARGETS[:] = [target, *(known for known in _TARGETS if known.name != target.name)]
