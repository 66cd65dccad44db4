"""Whatever is wrong with an input, osprey convert says it in one line and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Result
from helpers import write_photo

from osprey.data.formats import FORMS

Command = Callable[..., Result]


def coco(image: dict[str, Any] | None = None, **box: Any) -> str:
    photo = {"id": 1, "file_name": "a.png", "width": 16, "height": 12, **(image or {})}
    found = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], **box}
    categories = [{"id": 1, "name": "cod"}]
    return json.dumps({"images": [photo], "annotations": [found], "categories": categories})


NOT_FOUR = "'in.json', annotation 1 of image 1: a box needs four numbers, not"
COLUMNS = "path,label,x,y,w,h\n"
FILES: dict[str, tuple[str, str | bytes, str]] = {
    "empty": ("in.json", "", "'in.json' line 1, column 1: malformed JSON (Expecting value)"),
    "cut off": (
        "in.json",
        coco()[:40],
        "'in.json' line 1, column 36: malformed JSON (Unterminated string",
    ),
    "deep": ("in.json", '{"a":' + "[" * 200_000, "'in.json': malformed JSON (nested too deeply)"),
    "UTF-16": ("in.json", coco().encode("utf-16"), "'in.json' line 1: is not text in UTF-8"),
    "NaN": ("in.json", coco(bbox=[float("nan"), 1, 2, 3]), f"{NOT_FOUR} '[nan, 1, 2, 3]'"),
    "infinite": ("in.json", coco(bbox=[1, 1, 2, float("inf")]), f"{NOT_FOUR} '[1, 1, 2, inf]'"),
    "text": ("in.json", coco(bbox="1234"), f"{NOT_FOUR} '1234'"),
    "class -1": ("in.json", coco(category_id=-1), "'in.json' line 1: category_id -1 is not among"),
    "huge photo": ("in.json", coco({"width": 10**9}), "'in.json' line 1: file_name 'a.png' has a"),
    "huger photo": ("in.json", coco({"width": 10**400}), "'in.json' line 1: file_name 'a.png' has"),
    "half a letter": (
        "in.json",
        coco({"location": "\ud800"}),
        r"'in.json' line 1: \ud800 is half a character",
    ),
    "no name": ("in.json", coco({"file_name": "."}), "'in.json' line 1: '.' is not a path under"),
    "NUL": ("in.json", coco({"file_name": "a\0.png"}), r"'a\x00.png' is not a path under the"),
    "two lines": (
        "in.json",
        coco({"file_name": "a\nb.png", "width": 0}),
        r"there is no photo 'a\nb.png' under 'p'",
    ),
    "half a name": (
        "set/data.yaml",
        'names: ["\\uD800"]\ntrain: images\n',
        r"'set/data.yaml' line 1: \ud800 is half a character",
    ),
    "no ranking": (
        "in.json",
        coco(classifications=[1, 2]),
        "'in.json', annotation 1 of image 1: classifications are not [[name, confidence], ...]",
    ),
    "empty table": ("in.csv", "", "'in.csv' is empty"),
    "no rows": ("in.csv", COLUMNS, "there is no photo to write the boxes of"),
    "NaN cell": ("in.csv", COLUMNS + "a.png,c,nan,1,2,3", "'in.csv' line 2: a box needs four"),
    "UTF-16 table without rows": ("in.csv", COLUMNS.encode("utf-16"), "there is no photo to write"),
    "4 numbers": (
        "set/labels/a.txt",
        "0 .5 .5 .1\n",
        "line 1: 4 numbers where a box has 5: class x y w h",
    ),
    "YOLO class -1": (
        "set/labels/a.txt",
        "-1 .5 .5 .1 .1\n",
        "line 1: class -1 is not among the names (0 cod)",
    ),
    "long class": (
        "set/labels/a.txt",
        "9" * 5000 + " .5 .5 .1 .1\n",
        "is not among the names (0 cod)",
    ),
    "bomb": (
        "voc/Annotations/a.xml",
        '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]>\n<annotation>&c;</annotation>',
        "'voc/Annotations/a.xml' line 1: has a DOCTYPE",
    ),
    "entity": (
        "voc/Annotations/a.xml",
        "<annotation>&b;</annotation>",
        "'voc/Annotations/a.xml' line 1: malformed XML (undefined entity)",
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_bad_input(osprey: Command, here: Path, what: str) -> None:
    name, content, message = FILES[what]
    for photo in ("p/a.png", "set/images/a.png", "voc/JPEGImages/a.png"):
        write_photo(here / photo)
    file = here / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    if name != "set/data.yaml":
        (here / "set" / "data.yaml").write_text("names: [cod]\ntrain: images\n")
    top = Path(name).parts[0]
    words = ["--input", top] if (here / top).is_dir() else ["--input", top, "--images", "p"]
    form = {"in.json": "coco", "in.csv": "csv", "set": "yolo"}.get(top, "voc")
    for target, output in (("megadetector", "o.json"), ("yolo", "o"), ("csv", "o.csv")):
        done = osprey("convert", *words, "--from", form, "--to", target, "--output", output)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done.err
        assert message in done.err
        assert not (here / output).exists()


def test_folders_where_files_are_expected(osprey: Command, here: Path) -> None:
    to = ("--to", "coco", "--output", "o.json")
    for name in ("in.json", "in.csv", "in.yaml", "in.parquet"):
        (here / name).mkdir()
        done = osprey("convert", "--input", name, *to)
        first, *lines = done.err.splitlines()
        assert (done.code, done.out) == (2, "")
        assert first.endswith(f"'{name}' is none of the forms that are read here:")
        assert len(lines) == len(FORMS), "what each form misses, a line each"


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_a_byte_order_mark_is_read_over(osprey: Command, here: Path, ending: str) -> None:
    write_photo(here / "p" / "a.png")
    text = coco() if ending == "json" else COLUMNS + "a.png,cod,1,2,3,4\n"
    (here / f"in.{ending}").write_text(text, encoding="utf-8-sig")
    words = ("--input", f"in.{ending}", "--images", "p", "--to", "csv", "--output", "o.csv")
    assert osprey("convert", *words).out == "1 photo, 1 box of 1 class: o.csv\n"


def test_labels_that_are_no_xml(osprey: Command, here: Path) -> None:
    write_photo(here / "p" / "a.png")
    (here / "in.json").write_text(coco().replace('"cod"', '"c\\u0001d"'))
    words = ("--input", "in.json", "--images", "p", "--to", "voc", "--output", "o")
    done = osprey("convert", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "osprey convert: 'a.png': a control character in its name or labels, not XML\n"
    )
    assert sorted(path.name for path in here.iterdir()) == ["in.json", "p"]
