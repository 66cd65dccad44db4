"""The annotation of each photo: one label, or boxes; determined by the table's columns."""

from __future__ import annotations

import shlex
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
    """One label per photo, in the column ``label``.

    Attributes:
        name: What the photos have, for messages and for tasks that require it.
        description: What such a data set holds.
        unit: What is counted per class.
        columns: Columns of the manifest besides the common ones.
        identity: Those of them that belong to the data set's digest.
        remedy: What to do where a task cannot use it.
        words: Settings with which a training can, from none others.
        one_label: A photo has one label only: copies of one photo cannot have several.
    """

    name = "labels"
    description = "photos of one label each"
    unit = "photo"
    columns: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    remedy = "add task=classification"
    words: tuple[str, ...] = ()
    one_label = True

    def classes(self, manifest: Manifest) -> list[str]:
        """Sorted class names."""
        return sorted(manifest.table["label"].unique())

    def counts(self, manifest: Manifest) -> Counts:
        """Number per split and class: ``{"train": {"ALB": 12, ...}, ...}``."""
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
        """Rename all classes to ``name``.

        Raises:
            DataError: Always: with one label per photo a single class cannot be learnt.
        """
        raise DataError("data.single_class goes with photos that have boxes: add task=detection")

    def mend(self, manifest: Manifest, notices: list[str]) -> tuple[Manifest, pd.DataFrame]:
        """Repair invalid annotations; returns the manifest and a row for each change."""
        import pandas as pd

        from osprey.data.formats.mend import COLUMNS

        return manifest, pd.DataFrame(columns=list(COLUMNS))

    def check_classes(self, manifest: Manifest) -> None:
        """Check that there are classes to tell apart.

        Raises:
            DataError: There is only one class.
        """
        classes = manifest.classes
        if len(classes) < 2 and (inner := _classes_below(manifest, classes[0])):
            raise DataError(
                f"only one class, '{classes[0]}', in '{manifest.root}', with folders "
                f"{' and '.join(map(repr, inner[:2]))} in it: is data.root one folder too high? "
                f"data.root={shlex.quote(str(manifest.root / classes[0]))}"
            )
        if len(classes) < 2:
            raise DataError(
                f"only one class, '{classes[0]}', in '{manifest.root}': a classifier needs two; "
                "is data.root one folder too deep?"
            )

    def reader_of_another(self, trained: str) -> str:
        """Default reader of another data set to test on.

        Args:
            trained: The reader of the training data.
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
            ready: The cache holds photos that ``preprocess`` has already resized.
            decoding: Keyword arguments of `Photos`.
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
    words = ("experiment=detect",)
    one_label = False  # the rarest of its boxes, which two people may draw differently

    def classes(self, manifest: Manifest) -> list[str]:
        """Sorted class names of the boxes."""
        return sorted({box[0] for boxes in manifest.box_lists for box in boxes})

    def counts(self, manifest: Manifest) -> Counts:
        """Number of boxes per split and class: ``{"train": {"ALB": 12, ...}, ...}``."""
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
        """All photos with their boxes of these classes; a photo may be left without boxes."""
        kept = [[box for box in boxes if box[0] in wanted] for boxes in manifest.box_lists]
        return manifest.with_boxes(kept)

    def merge_classes(self, manifest: Manifest, name: str) -> Manifest:
        """Rename the classes of all boxes to ``name``."""
        return manifest.with_boxes(
            [[(name, *box[1:]) for box in boxes] for boxes in manifest.box_lists]
        )

    def mend(self, manifest: Manifest, notices: list[str]) -> tuple[Manifest, pd.DataFrame]:
        """Repair or drop invalid boxes, see `mend_boxes`."""
        from osprey.data.formats.mend import mend_boxes

        return mend_boxes(manifest, notices)

    def check_classes(self, manifest: Manifest) -> None:
        """Check that there is a box.

        Raises:
            DataError: There is none.
        """
        if not manifest.classes:
            raise DataError(
                f"no photo under '{manifest.root}' has a box: there is nothing to learn"
            )

    def reader_of_another(self, trained: str) -> str:
        """The reader of the training data: boxes have many formats."""
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
        """A split's photos with their boxes; see `LabelTarget.dataset` for the arguments."""
        from osprey.data.box_dataset import BoxDataset

        return BoxDataset(part, classes, preprocess, augment=augment, ready=ready, **decoding)


def _classes_below(manifest: Manifest, label: str) -> list[str]:
    """The folders in the one class folder, if all photos are in them and they are several."""
    parts = [path.split("/") for path in manifest.table["path"]]
    below = {part[1] for part in parts if len(part) > 2 and part[0] == label}
    inside = all(len(part) > 2 and part[0] == label for part in parts)
    return sorted(below) if inside and len(below) > 1 else []


# The first whose columns a table has is used; every table has labels.
_TARGETS: list[LabelTarget] = [BoxTarget(), LabelTarget()]


def target_of(columns: Sequence[str]) -> LabelTarget:
    """The kind of annotation in a table with these columns."""
    return next(target for target in _TARGETS if set(target.columns) <= set(columns))


def register_target(target: LabelTarget) -> None:
    """Register a plugin's kind of annotation for tables that have ``target.columns``.

    Args:
        target: Tried before the earlier ones; one of the same name is replaced.
    """
    _TARGETS[:] = [target, *(known for known in _TARGETS if known.name != target.name)]
