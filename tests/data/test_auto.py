"""``data=auto``: each form that is known is found, and said; what is not clear is asked."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY, Result, only_run
from helpers import data_config, write_photo

from osprey.config.schema import DataConfig
from osprey.data.auto import resolve_auto
from osprey.data.formats import FORMS, read_annotations, write_annotations
from osprey.data.notices import guesses
from osprey.data.readers import read_manifest
from osprey.errors import DataError

NAMES = tuple(f"{number}.jpg" for number in range(1, 10))


def photos(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        write_photo(root / name, level=20 + 10 * number, size=(40, 40))
    return root


def coco(root: Path, *, boxed: bool = True) -> dict[str, object]:
    photos(root, *NAMES)
    box = {"bbox": [4, 4, 16, 16], "score": 0.9} if boxed else {}
    return {
        "images": [
            {"id": n, "file_name": name, "width": 40, "height": 40}
            for n, name in enumerate(NAMES, start=1)
        ],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1 + n % 2, **box} for n in range(1, 10)
        ],
        "categories": [{"id": 1, "name": "cod"}, {"id": 2, "name": "eel"}],
    }


def settled(root: Path, **changes: object) -> tuple[DataConfig, list[str], str]:
    """The settings that a look at a folder makes, what it says, and the command it would name."""
    config, notices = data_config(root, "auto", **changes), []
    found = resolve_auto(config, notices)
    assert notices == guesses(notices) and len(notices) == 1
    said = [line.replace(str(root), "ROOT") for line in notices]
    return config, said, found.command("ROOT")


def refusal(root: Path, **changes: object) -> list[str]:
    with pytest.raises(DataError) as caught:
        resolve_auto(data_config(root, "auto", **changes), [])
    return [str(line).replace(str(root), "ROOT") for line in (caught.value, *caught.value.details)]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_boxes_is_found_and_read(tmp_path: Path, form: str) -> None:
    source = tmp_path / "source"
    content = coco(source)
    (source / "boxes.json").write_text(json.dumps(content))
    made = read_annotations(source / "boxes.json", "coco", source)
    (source / "boxes.json").unlink()
    known = FORMS[form]
    ending = known.ending[0] if known.ending else ".json" if form == "coco" else ""
    output = source / f"marks{ending}" if ending else tmp_path / "set"
    write_annotations(made, output, form, source)
    root = source if ending else output
    if form == "labelme":
        for name in NAMES:
            (root / name).write_bytes((source / name).read_bytes())
    config, said, command = settled(root)
    reader = "boxes" if form == "csv" else form
    assert config.reader == reader
    # One JSON of a folder is found by the folder's form, where the form looks for it itself.
    file = None if config.file is None else f"marks{ending}"
    where, named = ("", "") if file is None else (f" in '{file}'", f" data.file={file}")
    by, words = f"{known.known_by}{where}", f"data={reader}{named}"
    assert said == [f"data=auto: 'ROOT' read as {reader} ({by}), as {words} does"]
    if form != "label_studio":  # of which only reading tells whether it has boxes
        assert command == f"osprey train experiment=detect data={reader} data.root=ROOT{named}"
    if form == "coco_results":  # lists no photos and no names of its own
        return
    config.min_score = 0
    table = read_manifest(config, [])
    assert len(table.table) == 9 and sum(map(len, table.box_lists)) == 9


def test_class_folders_and_tables_are_found(tmp_path: Path) -> None:
    folders = photos(tmp_path / "a", "train/cod/1.png", "train/eel/2.png", "val/cod/3.png")
    config, said, command = settled(folders)
    assert (config.reader, config.file) == ("folder", None)
    assert said == [
        "data=auto: 'ROOT' read as folder (2 class folders in train, val), as data=folder does"
    ]
    assert command == "osprey train data=folder data.root=ROOT"
    flat = photos(tmp_path / "b", "x/1.png", "x/2.png")
    (flat / "labels.csv").write_text("file name;Species;set\n1.png;cod;train\n2;eel;test\n")
    config, said, command = settled(flat)
    assert said == [
        "data=auto: 'ROOT' read as table (its column 'file name' names photos in 'labels.csv'), "
        "as data=table data.file=labels.csv 'data.columns.path=file name' data.columns.split=set "
        "data.columns.label=Species does"
    ]
    table = read_manifest(config, []).table
    assert table[["path", "label", "split"]].values.tolist() == [
        ["x/1.png", "cod", "train"],
        ["x/2.png", "eel", "test"],
    ]
    by_name = photos(tmp_path / "c", "P1.jpg", "NP1.jpg")
    assert settled(by_name, label=r"(?P<label>NP|P)\d")[0].reader == "folder"


def test_labels_without_boxes_in_coco_s_lists_are_camera_traps(tmp_path: Path) -> None:
    content = coco(tmp_path, boxed=False)
    (tmp_path / "labels.json").write_text(json.dumps(content))
    config, _, command = settled(tmp_path, file="labels.json")
    assert config.reader == "camera_traps"
    assert command == "osprey train data=camera_traps data.root=ROOT data.file=labels.json"
    assert read_manifest(config, []).table["label"].tolist() == [*["eel", "cod"] * 4, "eel"]


def test_two_forms_that_fit_are_asked_about(tmp_path: Path) -> None:
    root = photos(tmp_path, "cod/1.png", "eel/2.png")
    (root / "labels.csv").write_text("path,label\ncod/1.png,a\neel/2.png,b\n")
    assert refusal(root) == [
        "data=auto: 'ROOT' may be table (its column 'path' names photos, 'labels.csv') or folder "
        "(2 class folders): say which, data=table data.file=labels.csv or data=folder"
    ]
    assert settled(root, file="labels.csv")[0].reader == "table"


def test_a_table_whose_label_is_not_clear_is_asked_about(tmp_path: Path) -> None:
    root = photos(tmp_path, "1.png", "2.png")
    (root / "t.csv").write_text("path,gender,colour\n1.png,f,red\n2.png,m,blue\n")
    assert refusal(root) == [
        "data=auto: 't.csv': which column is the label (gender, colour): data=table "
        "data.file=t.csv data.columns.label=COLUMN"
    ]


def test_a_folder_of_no_form_says_what_each_misses(tmp_path: Path) -> None:
    assert refusal(photos(tmp_path, "1.png")) == [
        "data=auto: 'ROOT' is none of the forms that are read here:",
        "coco: no JSON file in it or in annotations/",
        "voc: no XML files in it",
        "yolo: no data.yaml, classes.txt, notes.json or obj.data in it",
        "megadetector: a folder, not a JSON file",
        "boxes: a folder, not a CSV or Parquet file",
        "cvat: no annotations.xml in it",
        "label_studio: no JSON file",
        "labelme: no JSON file",
        "coco_results: no JSON file",
        "roboflow_csv: no _annotations.csv in it",
        "sloth: no JSON file",
        "folder: photos lie directly in it; where their names say the class, a pattern such as "
        r"data=folder data.label='(?P<label>[A-Za-z]+)_\d+'",
    ]
    flat = photos(tmp_path / "flat", "train_images/1.png", "val_images/2.png")
    (flat / "odd.csv").write_text("name,label\nx.png,a\n")
    (flat / "cut.json").write_text('{"images": [')
    lines = refusal(flat)
    assert "table: no column of 'odd.csv' names photos (it has: name, label)" in lines
    assert "boxes: no column 'path'" in lines
    cut = "malformed JSON (Expecting value; the file ends there)"
    assert f"cut.json: 'ROOT/cut.json' line 1, column 13: {cut}" in lines
    assert lines[-1].startswith("folder: 'train_images', 'val_images' look like splits, ")


def test_archives_are_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(b"PK\x03\x04 and so on")
    assert refusal(tmp_path / "set.zip") == [
        "data.root: 'ROOT' is packed (ZIP): unpack it and name the folder"
    ]
    assert refusal(tmp_path) == [
        "data=auto: 'ROOT/set.zip' is packed: unpack it and name the folder"
    ]


# ---------------------------------------------------------------- as commands


def test_a_training_says_what_it_found_and_keeps_it(
    here: Path, photos: Path, osprey: Callable[..., Result]
) -> None:
    result = osprey("train", "data=auto", f"data.root={photos}", *TINY, "trainer.max_epochs=1")
    assert result.code == 0, result.err
    line = f"data=auto: '{photos}' read as folder (3 class folders), as data=folder does"
    assert result.out.count(f"{line}\n") == 1
    run = only_run(here)
    kept = json.loads((run / "data.json").read_text())
    assert kept == {"reader": "folder", "file": None, "guesses": [line], "notices": []}
    assert "  reader: folder\n" in (run / "config.yaml").read_text()
    page = (run / "report.html").read_text()
    assert "<summary>Guessed when the data were read</summary>" in page
    assert "read as folder (3 class folders)" in page


def test_boxes_without_their_task_name_the_command(
    here: Path, tmp_path: Path, osprey: Callable[..., Result]
) -> None:
    root = tmp_path / "my boxes"
    root.mkdir()
    (root / "boxes.json").write_text(json.dumps(coco(root)))
    result = osprey("train", "data=auto", f"data.root={root}")
    command = ["osprey", "train", "experiment=detect", "data=coco", f"data.root={root}"]
    assert (result.code, result.err) == (
        2,
        f"osprey train: the data have boxes, not labels: {shlex.join(command)}\n",
    )
    assert f"data=auto: '{root}' read as coco" in result.out
    assert not (here / "runs").exists()
    result = osprey("split", "data=auto", f"data.root={root}", "output=m.csv", "data.folds=3")
    assert result.code == 0, result.err
    assert f"note    data=auto: '{root}' read as coco" in result.out
    result = osprey("doctor", "data=auto", f"data.root={root}", "output=d")
    assert result.code in (0, 1), result.err
    assert "read as coco" in (here / "d" / "doctor.json").read_text()
    result = osprey("train", "task=detection", "model=fcos", "data=auto", f"data.root={root / 'x'}")
    assert result.code == 2 and "there is no folder" in result.err


def test_other_data_to_test_on_are_read_by_their_names(
    trained: Path, photos: Path, tmp_path: Path, osprey: Callable[..., Result]
) -> None:
    other = tmp_path / "other"
    (other / "0").mkdir(parents=True)
    for photo in sorted(photos.glob("*/*_00.png")):
        (other / "0" / f"{photo.parent.name}9.png").write_bytes(photo.read_bytes()[:-1] + b"\x00")
    words = [f"run={only_run(trained)}", f"data.root={other}", "data.split_names={0: test}"]
    pattern = r"data.label=(?P<label>red|blue|green)\d"
    result = osprey("eval", *words, pattern, "data.allow_leakage=true", f"paths.cache={tmp_path}")
    assert result.code == 0, result.err
    counted = [line.split()[:2] for line in result.out.splitlines()[1:4]]
    assert counted == [["blue", "1"], ["green", "1"], ["red", "1"]]
    refused = osprey("eval", f"run={only_run(trained)}", pattern)
    assert (refused.code, refused.err) == (
        2,
        "osprey eval: data.label is of another data set: name its folder with data.root\n",
    )


def test_parquet_files_with_photos_in_them(here: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from parquet_sets import CELL, LEAVES, photo, written

    columns = {"image": pa.array([photo(n) for n in range(3)], CELL), "labels": [0, 1, 2]}
    written(here / "leaves" / "data" / "train-00000-of-00001.parquet", columns, LEAVES)
    notices: list[str] = []
    config = data_config(here / "leaves", "auto", unpacked=str(here / "cache"))
    assert read_manifest(config, notices).classes == ["healthy", "rust", "spot"]
    assert notices[0].endswith(
        "read as huggingface (Parquet files with photos in them), as data=huggingface "
        "data.name=leaves does"
    )
