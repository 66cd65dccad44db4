"""Boxes survive every form: what two forms can both hold comes back from a trip through both."""

from __future__ import annotations

import itertools
import math
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from helpers import write_photo
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from osprey.data.formats import FORMS, Annotations, read_annotations, write_annotations
from osprey.data.formats.table import IMAGE_FIELDS, Collector
from osprey.errors import DataError

SIZES = [(64, 48), (48, 64), (31, 17), (100, 100)]
LABELS = ["RBC", "no", "7", "NA", "two words", 'a "b", c', "Größe & <x>", "魚", "it's"]
letters = st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"], exclude_characters="/\\\ufeff")
stems = st.text(letters, min_size=1, max_size=8).filter(lambda s: s == s.strip() and s[0] != ".")
folders = st.sampled_from(["", "deck 1/", "a, b/c/", "Säge/", "images/", "b/images/labels/"])
share = st.floats(0, 1, width=32)


@st.composite
def photos(draw: st.DrawFn) -> dict[str, Any]:
    said = {
        "split": st.sampled_from(["train", "val", "test"]),
        "location": st.sampled_from(["boat 3", "Ä,1"]),
        "datetime": st.just("2026-05-04 03:02:01"),
        "seq_id": st.sampled_from(["s1", "7"]),
        "frame_num": st.integers(0, 9),
        "seq_num_frames": st.integers(1, 9),
    }
    chosen = {name: draw(st.none() | values) for name, values in said.items()}
    width, height = draw(st.sampled_from(SIZES))
    state = draw(st.sampled_from(["whole", "whole", "whole", "failure", "corrupt"]))
    failed = {"failure": {"failure": "truncated, sadly"}, "corrupt": {"corrupt": True}}
    name = draw(folders) + draw(stems) + draw(st.sampled_from([".png", ".PNG", ".b.png"]))
    return {"file": name, "width": width, "height": height, **chosen, **failed.get(state, {})}


@st.composite
def annotations(draw: st.DrawFn) -> Annotations:
    found = Collector(Path("unused"))
    found.classes.update(dict.fromkeys(draw(st.permutations(LABELS))))
    unique = st.lists(photos(), min_size=1, max_size=5, unique_by=lambda p: Path(p["file"]).stem)
    for photo in draw(unique):
        row = found.image(**photo)
        whole = not (photo.get("failure") or photo.get("corrupt"))
        for _ in range(draw(st.integers(0, 3)) if whole else 0):
            (x, x2), (y, y2) = (sorted((draw(share), draw(share))) for _ in "xy")
            w, h = photo["width"], photo["height"]
            score = draw(st.just(math.nan) | st.floats(0, 1))
            ranked = draw(st.none() | st.just([["cod, small", 0.75], ["魚", 0.25]]))
            box = (x * w, y * h, (x2 - x) * w, (y2 - y) * h)
            found.box(row, draw(st.sampled_from(LABELS)), box, score, ranked)
    return found.done()


def place(root: Path, made: Annotations) -> None:
    for file, width, height in made.images[["file", "width", "height"]].itertuples(index=False):
        write_photo(root / file, size=(height, width))


def plain(found: Annotations, holds: frozenset[str], *, scored: bool) -> dict[str, Any]:
    """What two sets of annotations that say the same have in common, by photo."""
    photos = {}
    for record, boxes in found.records():
        file = re.sub(r"^(JPEGImages/|images/(train|val|test|unsplit)/)+", "", record["file"])
        failed = bool(record.get("failure") or record.get("corrupt"))
        if failed and not holds & {"failure", "corrupt"}:
            continue
        keys = [key for key in IMAGE_FIELDS if key in holds and key not in ("failure", "corrupt")]
        said = {key: record[key] for key in keys if record.get(key) is not None}
        shown = []
        for box in boxes:
            score = 1.0 if math.isnan(box.score) and scored else box.score
            score = round(score, 6) if "score" in holds and not math.isnan(score) else None
            ranked = box.classifications if "classifications" in holds else None
            shown.append(([box.x, box.y, box.w, box.h], box.label, score, ranked))
        photos[file] = {"failed": failed, "said": said, "boxes": shown}
        if not failed:
            photos[file]["size"] = record["width"], record["height"]
    return photos


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for file, photo in expected.items():
        got, wanted = found[file].pop("boxes"), photo.pop("boxes")
        assert found[file] == photo
        assert [box[1:] for box in got] == [box[1:] for box in wanted]
        for (one, *_), (other, *_) in zip(got, wanted, strict=True):
            assert one == pytest.approx(other, abs=2e-3)


def target(folder: Path, form: str) -> Path:
    ending = ".json" if form == "coco" else (*FORMS[form].ending, "")[0]
    return folder / f"{form}{ending}"


# A list of results has no photo without a box; tools' own forms go through COCO alone.
TOOLS = ["cvat", "label_studio", "labelme", "roboflow_csv", "sloth"]
PAIRS = [
    *itertools.product(OWN := ["coco", "voc", "yolo", "megadetector", "csv"], OWN),
    *((tool, "coco") for tool in TOOLS),
]


def test_every_form_is_tried() -> None:
    assert {*OWN, *TOOLS, "coco_results"} == set(FORMS)


@pytest.mark.parametrize(("first", "second"), PAIRS)
@settings(max_examples=5, deadline=None)
@given(made=annotations())
def test_there_and_back(first: str, second: str, made: Annotations) -> None:
    assume(not made.failed().all())
    with tempfile.TemporaryDirectory() as name:
        root, one, two = (Path(name, part) for part in ("photos", "one", "two"))
        for folder in (root, one, two):
            folder.mkdir()
        place(root, made)
        write_annotations(made, target(one, first), first, root)
        middle = one / first if first in ("voc", "yolo") else root
        between = read_annotations(target(one, first), first, middle)
        write_annotations(between, target(two, second), second, middle)
        end = two / second if second in ("voc", "yolo") else middle
        back = read_annotations(target(two, second), second, end)
    holds = FORMS[first].holds & FORMS[second].holds
    scored = "megadetector" in (first, second)
    same(plain(back, holds, scored=scored), plain(made, holds, scored=scored))
    assert set(back.boxes["label"]) == set(made.boxes["label"])
    if {"csv", "label_studio", "labelme", "roboflow_csv", "sloth"}.isdisjoint((first, second)):
        assert back.classes == made.classes, "also those without a box, in their order"


AWKWARD = [
    "a.png", "a.jpg", "JPEGImages/a.png", "images/unsplit/a.png", "images/train/a.png",
    "a.png/b.png", "JPEGImages/a.png/b.png", "a.txt/b.png", "a.xml/b.png", "../a.png", "./a.png",
    "c.png",
]  # fmt: skip


@pytest.mark.parametrize("form", ["voc", "yolo"])
@settings(max_examples=25, deadline=None)
@given(
    names=st.lists(st.sampled_from(AWKWARD), min_size=1, max_size=4),
    split=st.sampled_from([None, "train"]),
)
def test_photos_are_safe_whatever_they_are_called(
    form: str, names: list[str], split: str | None
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root, out = Path(name, "set", "photos"), Path(name, "out")
        found = Collector(root)
        for level, file in enumerate(names):
            try:
                write_photo(root / file, level=level)
            except OSError:  # a folder of that name is there, or the other way round
                assume(False)
            found.image(file, 16, 12, split=split)
        before = {file: (root / file).read_bytes() for file in names}
        try:
            write_annotations(found.done(), out, form, root)
        except DataError as error:
            assert "\n" not in str(error)
            assert not [path for path in out.rglob("*") if not path.is_dir()]
        else:
            back = read_annotations(out, form, out).images["file"]
            shown = sorted((out / file).read_bytes() for file in back)
            assert shown == sorted(before.values())
        assert {file: (root / file).read_bytes() for file in names} == before
