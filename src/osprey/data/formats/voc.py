"""Pascal VOC: one XML file a photo, and lists of the photos in each split.

A box reaches from ``xmin, ymin`` to ``xmax, ymax``. By the specification pixels count from 1 and
the last one belongs to the box: one round a whole photo of 64 pixels is 1 to 64. Many tools count
the borders between pixels instead, 0 to 64. Which of them a set does shows where a box begins at 0.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from osprey.data.folders import some_files, walk_photos
from osprey.data.formats.folder_splits import split_by_folders
from osprey.data.formats.options import TRAINING, Options
from osprey.data.formats.parsing import read_lines
from osprey.data.formats.placing import below, check_stems
from osprey.data.formats.table import Annotations, Collector
from osprey.data.formats.voc_objects import VocFile, read_voc
from osprey.data.formats.voc_writer import CLASSES, LISTS, PHOTOS, XML
from osprey.data.manifest import SPLIT_NAMES
from osprey.data.notices import Guess
from osprey.data.photo_paths import PhotoPaths
from osprey.errors import DataError
from osprey.system.console import counted

_LISTED_AS = {"trainval": "train", **SPLIT_NAMES}


def read(path: Path, root: Path, options: Options = TRAINING) -> Annotations:
    """Read XML files and the photos they belong to, wherever in the folder both lie.

    An XML file belongs to the photo of its own name, in its folder or in a sibling of it
    (``Annotations/`` and ``JPEGImages/``, ``annots/`` and ``images/``), else to the one it names.
    ``ImageSets/Main/`` has the splits. Photos without an XML file have no objects; a notice counts
    them.

    Args:
        path: The folder.
        root: Folder that the photos' names are relative to.
        options: How to read.

    Returns:
        The annotations, boxes in pixels.

    Raises:
        DataError: One line with file and line number.
    """
    if not path.is_dir():
        raise DataError(
            f"'{path}' is no folder: VOC is read from the folder that has its XML files and "
            f"photos in it, such as '{XML}' and '{PHOTOS}'"
        )
    photo_folder = path / PHOTOS if (path / PHOTOS).is_dir() else path
    photos = list(walk_photos(photo_folder))
    xml_folder = path / XML if (path / XML).is_dir() else path
    files = [read_voc(xml) for xml in sorted(xml_folder.rglob("*.xml")) if not xml.is_dir()]
    if not files:
        raise DataError(
            f"no XML files in '{xml_folder}': name the folder that has them and the photos in it, "
            f"such as '{XML}' and '{PHOTOS}', with {options.hint('root', 'FOLDER')}"
        )
    found = Collector(root, options)
    of_photo = _pairs(files, photos, photo_folder, found)
    lists = path / LISTS
    splits = _listed(lists, photos, photo_folder) if lists.is_dir() else {}
    origin = _origin(files, found)
    if (path / CLASSES).is_file():
        found.classes.update(
            dict.fromkeys(filter(None, map(str.strip, read_lines(path / CLASSES))))
        )
    if photo_folder == path:  # other folders may hold masks, or another set
        beside = {photo.parent for photo in of_photo}
        photos = [photo for photo in photos if photo.parent in beside]
    photos = list(dict.fromkeys([*photos, *of_photo]))
    unannotated: list[str] = []
    for photo in photos:
        name = below(photo, root)
        split = splits.get(photo) or ("" if splits else _split_above(photo, path))
        if photo in of_photo:
            _take(found, of_photo[photo], name, split, origin)
        else:
            unannotated.append(name)
            found.measured(name, split=split)
    if not splits:
        split_by_folders(found)
    _tell(found, files, unannotated)
    return found.done()


def sniff(path: Path) -> str:
    """Why a path does not hold VOC; "" if it does."""
    if path.is_file():
        return "a file, not a folder of XML files"
    for xml in some_files(path, ".xml"):
        try:
            with xml.open("rb") as file:
                start = file.read(4096)
        except OSError:
            continue
        if b"<annotation>" in start or b"<annotation " in start:
            return ""
        return f"'{xml.name}' has no <annotation> at its top"
    return "no XML files in it"


def _pairs(
    files: list[VocFile], photos: list[Path], folder: Path, found: Collector
) -> dict[Path, VocFile]:
    """The XML file of each photo; those without a photo are counted, or strictly refused."""
    by_stem: dict[str, list[Path]] = {}
    for photo in photos:
        by_stem.setdefault(_stem(photo), []).append(photo)
    paths = PhotoPaths(folder)
    pairs: dict[Path, VocFile] = {}
    lost: list[VocFile] = []
    for file in files:
        own = _nearest(file, by_stem.get(_stem(file.path), [])) or _named(file, paths)
        if own is None:
            lost.append(file)
        elif own in pairs:
            raise DataError(f"'{pairs[own].path}' and '{file.path}' both belong to '{own}'")
        else:
            pairs[own] = file
    if lost:
        name = lost[0].filename or lost[0].path.stem
        first = f"'{lost[0].path}' line {lost[0].line}: there is no photo '{name}' in '{folder}'"
        if not pairs:
            raise DataError(first)
        found.tell_orphans([file.path for file in lost], first)
    return pairs


def _named(file: VocFile, paths: PhotoPaths) -> Path | None:
    """The photo that a file names, where none has its own name."""
    found = paths.choices(file.filename, bare=True) if file.filename else []
    if len(found) == 1:
        return paths.root / found[0]
    for place in (paths.root / file.filename, file.path.parent / file.filename):
        if file.filename and place.is_file():  # which may be outside: that is told of then
            return place
    return None


def _stem(path: Path) -> str:
    return unicodedata.normalize("NFC", path.stem)


def _nearest(file: VocFile, photos: list[Path]) -> Path | None:
    """Of the photos of a file's name, the one that it names, in the folder most like its own."""
    if len(photos) > 1:
        photos = [photo for photo in photos if photo.name == file.filename] or photos
        here = file.path.parent.parts

        def alike(photo: Path) -> tuple[bool, int]:
            there = photo.parent.parts
            return len(there) == len(here), sum(a == b for a, b in zip(here, there, strict=False))

        ranked = sorted(photos, key=alike, reverse=True)
        same = [photo for photo in photos if alike(photo) == alike(ranked[0])]
        check_stems(str(photo) for photo in same)
        return ranked[0] if len(same) == 1 else None
    return photos[0] if photos else None


def _listed(folder: Path, photos: Iterable[Path], top: Path) -> dict[Path, str]:
    """The split of each photo that the lists name; ``trainval`` counts where ``train`` is not."""
    below_top = [(photo.relative_to(top), photo) for photo in photos]
    by_name = {name.as_posix(): photo for name, photo in below_top}  # some lists have endings
    by_name |= {name.with_suffix("").as_posix(): photo for name, photo in below_top}
    splits: dict[Path, str] = {}
    lists = {file.stem.lower(): file for file in sorted(folder.glob("*.txt"))}
    for name, file in lists.items():
        if name not in _LISTED_AS or (name == "trainval" and "train" in lists):
            continue
        for number, line in enumerate(read_lines(file), start=1):
            stem = line if line in by_name else line.strip()
            if not stem:
                continue
            where = f"'{file}' line {number}"
            if stem not in by_name:
                raise DataError(f"{where}: there is no photo '{stem}'")
            photo, split = by_name[stem], _LISTED_AS[name]
            if splits.get(photo, split) != split:
                raise DataError(f"{where}: '{stem}' is listed in {splits[photo]} too")
            splits[photo] = split
    return splits


def _split_above(photo: Path, path: Path) -> str:
    parts = Path(os.path.relpath(photo, path)).parts[:-1]
    named = {SPLIT_NAMES[part.lower()] for part in parts if part.lower() in SPLIT_NAMES}
    return named.pop() if len(named) == 1 else ""


def _origin(files: Iterable[VocFile], found: Collector) -> int:
    """Number of the first pixel: 0 if any box begins below 1, else 1 as VOC specifies."""
    if found.options.origin is not None:
        return found.options.origin
    least = min((min(box[:2]) for file in files for _, box, _ in file.objects), default=None)
    if least is None:
        return 0
    origin = 0 if least < 1 else 1
    why = "a box begins at 0" if origin == 0 else "no box begins at 0"
    other = found.options.hint("origin", str(1 - origin))
    found.notices.append(Guess(f"VOC's pixels count from {origin}, as {why} ({other} if not)"))
    return origin


def _take(found: Collector, file: VocFile, name: str, split: str, origin: int) -> None:
    row = found.image(name, *file.size, split=split)
    for label, (left, top, right, bottom), marks in file.objects:
        x, y, w, h = left - origin, top - origin, right - left + origin, bottom - top + origin
        if (left, top) == (right, bottom):  # a click that drew nothing, not a box of one pixel
            w = h = 0
        found.box(row, label, (x, y, w, h), extra=marks)
    for label, (left, top, right, bottom), marks in file.outlined:
        found.box(row, label, (left, top, right - left, bottom - top), extra=marks)


def _tell(found: Collector, files: Iterable[VocFile], unannotated: list[str]) -> None:
    guesses: Counter[str] = Counter()
    for file in files:
        guesses.update(file.guesses)
        found.counts["outlined"] += len(file.outlined)
        if found.options.whole:
            found.kept.setdefault("more", set()).update(file.more)
    for guess, number in guesses.items():
        found.notices.append(Guess(f"XML {guess}: {counted(number, 'file')}"))
    found.tell("outlined", "polygons or turned boxes, taken as the boxes round them: {}")
    if unannotated:
        count = counted(len(unannotated), "photo")
        found.notices.append(
            f"no XML file, taken as photos of nothing: {count} such as '{unannotated[0]}'"
        )
