"""Photos in folders named after their class, or with their class in their name."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from osprey.config.schema import DataConfig
from osprey.data.class_folders import LABEL_IN_NAME, Layout, empty_classes, find_layout
from osprey.data.folders import existing_folder, photo_names
from osprey.data.manifest import Manifest, complete
from osprey.data.notices import Guess
from osprey.data.passed_over import PassedOver, printable
from osprey.data.path_patterns import named_in_paths
from osprey.data.split_names import SplitNames
from osprey.errors import DataError
from osprey.imaging import IMAGE_SUFFIXES
from osprey.system.console import counted

# Files of a folder that `osprey crop` wrote.
CROP_SETTINGS, NO_DETECTION = "crop.json", "no_detection"


def read_folder(config: DataConfig, notices: list[str]) -> Manifest:
    """Read class folders, with or without train, val and test folders above them.

    With ``data.label`` the photos' paths say their class, wherever they lie.
    """
    root = existing_folder(config.root)
    with os.scandir(root):
        pass  # one that cannot be opened is told by its name; those below are passed over
    by_name = config.label is not None
    layout = find_layout(root, SplitNames(config.split_names), notices, by_name=by_name)
    crops = (root / CROP_SETTINGS).is_file()
    if crops and not layout.has_splits:
        notices.append(
            f"'{root}' holds crops; those of one photo may come into different splits: train with "
            f"data=table data.root={root} data.file={root / 'manifest.csv'} data.group=source"
        )
    if layout.left_out:
        notices.append(f"left out, neither train, val nor test: {', '.join(layout.left_out)}")
    passed = PassedOver()
    rows, loose, unwritable = _photos(root, layout, passed, crops=crops, by_name=by_name)
    if not rows:
        _explain_empty(root, loose)
    if loose:
        notices.append(
            f"left out, in no class folder: {counted(len(loose), 'photo')} such as '{loose[0]}'"
        )
    if unwritable:
        name = printable(unwritable[0])
        notices.append(
            f"left out, names not in UTF-8: {counted(len(unwritable), 'photo')} such as '{name}'"
        )
    if not by_name and (empty := empty_classes(layout, root)):
        shown = ", ".join(f"'{name}'" for name in empty[:5])
        more = f" and {len(empty) - 5} more" if empty[5:] else ""
        notices.append(f"left out, class folders without a photo: {shown}{more}")
    if not by_name and not crops:
        notices.extend(_nested(layout, root, rows))
    notices.extend(passed.lines())
    table = pd.DataFrame(rows, columns=["path", "split", "label"])
    if config.label is not None:
        table["label"] = named_in_paths(table["path"], config.label, "label")
    return complete(table, root, str(root))


_Row = tuple[str, str, str]


def _photos(
    root: Path, layout: Layout, passed: PassedOver, *, crops: bool, by_name: bool
) -> tuple[list[_Row], list[Path], list[Path]]:
    """Path, split and label of each photo; those in no class folder; those that no text names."""
    rows: list[_Row] = []
    loose: list[Path] = []
    unwritable: list[Path] = []
    for part in layout.parts:
        below = part.folder.relative_to(root).as_posix()
        before = "" if below == "." else f"{below}/"
        for name in photo_names(part.folder, passed):
            label, inside, _ = name.partition("/")
            if crops and not before and label == NO_DETECTION:
                continue
            path = before + name
            if not path.isascii() and not _is_text(path):
                unwritable.append(root / path)  # cannot be written to tables and reports
            elif by_name:
                rows.append((path, part.split, ""))
            elif not inside:
                loose.append(root / path)
            else:
                rows.append((path, part.split, label))
    return rows, loose, unwritable


def _is_text(path: str) -> bool:
    """Whether a path is UTF-8."""
    return not any("\udc80" <= letter <= "\udcff" for letter in path)


def _nested(layout: Layout, root: Path, rows: list[_Row]) -> list[str]:
    """A line where folders below the class folders may be the classes: ``boat1/cod``.

    They may be if every photo lies in one, and most of their names stand below several classes.
    """
    depths = {len(part.folder.relative_to(root).parts) for part in layout.parts}
    depth = min(depths)
    outer: dict[str, set[str]] = {}  # of the name of an inner folder
    for path, _, label in rows:
        parts = path.split("/")
        if len(depths) > 1 or len(parts) < depth + 3:  # directly in the class folder
            return []
        outer.setdefault(parts[depth + 1], set()).add(label)
    shared = [name for name, labels in outer.items() if len(labels) > 1]
    if len(outer) < 2 or 2 * len(shared) <= len(outer):
        return []
    said = " and ".join(f"'{name}'" for name in sorted(shared)[:2])
    above = "[^/]+/" * (depth + 1)
    return [
        Guess(
            f"classes are the outer folders, such as '{rows[0][2]}'; in them lie folders of the "
            f"same names, such as {said}: data.label='^{above}(?P<label>[^/]+)/' takes these"
        )
    ]


def _explain_empty(root: Path, loose: list[Path]) -> None:
    if loose:
        raise DataError(
            f"photos lie directly in '{loose[0].parent}': put those of each class into a folder "
            "named after it, give a table with data.reader=table data.file=labels.csv, or, where "
            f"names say the class, a pattern such as {LABEL_IN_NAME}"
        )
    kinds = ", ".join(sorted(IMAGE_SUFFIXES))
    raise DataError(f"no photos under '{root}' (looked for {kinds})")
