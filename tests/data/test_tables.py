"""The table reader: CSV and Parquet become a manifest, or one line that says why not."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from helpers import data_config, write_photo

from osprey.data.manifest import Manifest, complete
from osprey.data.readers import read_manifest
from osprey.errors import DataError


def read(root: Path, **changes: object) -> Manifest:
    return read_manifest(data_config(root, "table", **changes), [])


def refusal(root: Path, **changes: object) -> str:
    with pytest.raises(DataError) as caught:
        read(root, **changes)
    return str(caught.value)


def rows(manifest: Manifest) -> set[tuple[str, str, str]]:
    table = manifest.table
    return set(zip(table["path"], table["split"], table["label"], strict=True))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("1.png", "2.png", "sub/3.png"):
        write_photo(tmp_path / "photos" / name)
    write_photo(tmp_path / "out.png")
    return tmp_path / "photos"


def columns(**changes: str) -> dict[str, str]:
    same = {name: name for name in ("path", "label", "split", "group", "weight")}
    return same | changes


CSV = "path,label,split\n1.png,cat,train\n2.png,dog,Validation\nsub/3.png,cat,test\n"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_says_everything(root: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="the extra 'parquet' is not installed")
    table = pd.DataFrame(
        {
            "image": ["1.png", "2.png", "sub/3.png"],
            "species": [7, 8, 7],
            "split": ["TRAIN", "dev", "test"],
            "boat": ["x", "y", "z"],
            "weight": [0.5, None, 2],
            "night": [1, 0, 1],
        }
    )
    file = root / f"labels.{kind}"
    table.to_csv(file, index=False) if kind == "csv" else table.to_parquet(file)
    mapping = columns(path="image", label="species", group="boat")
    manifest = read(root, file=file.name, columns=mapping)
    assert rows(manifest) == {
        ("1.png", "train", "7"), ("2.png", "val", "8"), ("sub/3.png", "test", "7")
    }  # fmt: skip
    assert manifest.table["group"].tolist() == ["x", "y", "z"]
    assert manifest.table["weight"].tolist() == [0.5, 1.0, 2.0]
    assert list(manifest.table)[:5] == ["path", "split", "label", "group", "weight"]
    filtered = read(root, file=file.name, columns=mapping, filter={"night": 0})
    assert rows(filtered) == {("2.png", "val", "8")}


def table_refusal(root: Path, text: str | bytes, name: str = "t.csv", **changes: object) -> str:
    content = text if isinstance(text, bytes) else text.encode()
    (root / name).write_bytes(content)
    message = refusal(root, file=name, **changes)
    return message.replace(str(root), "ROOT")


def test_missing_columns(root: Path) -> None:
    assert table_refusal(root, "path,lable\n1.png,cat\n") == (
        "'ROOT/t.csv' has no column 'label'; did you mean 'lable'? (it has: path, lable); "
        "name yours with data.columns.label=COLUMN"
    )
    assert table_refusal(root, CSV, columns=columns(label="lbel")) == (
        "data.columns.label: 'ROOT/t.csv' has no column 'lbel'; did you mean 'label'?"
    )
    assert table_refusal(root, CSV, filter={"splt": 1}) == (
        "data.filter: 'ROOT/t.csv' has no column 'splt'; did you mean 'split'?"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'ROOT/t.csv' is empty"),
        ("path,label\n", "'ROOT/t.csv' has no rows"),
        ("path,label\n1.png,\n", "'ROOT/t.csv': 1 row without a label, first '1.png'"),
        (
            "path,label,split\n1.png,a,trian\n",
            "'ROOT/t.csv': unknown split 'trian'; use train, val or test, or say what each means, "
            "such as data.split_names='{trian: train}'",
        ),
        (
            "path,label\n1.png,a\n1.png,b\n",
            "'ROOT/t.csv': '1.png' is listed twice (1 such rows)",
        ),
        (
            "path,label,weight\n1.png,a,heavy\n",
            "'ROOT/t.csv': weight 'heavy' is not a number of 0 or more",
        ),
        (
            "path,label,weight\n1.png,a,-1\n",
            "'ROOT/t.csv': weight '-1' is not a number of 0 or more",
        ),
        (
            "path,label,weight\n1.png,a,inf\n",
            "'ROOT/t.csv': weight 'inf' is not a number of 0 or more",
        ),
        (
            "path,label\n../out.png,a\n",
            "'ROOT/t.csv': '../out.png' is not a path under data.root",
        ),
        (
            "path,label\n/etc/passwd,a\n",
            "'ROOT/t.csv': '/etc/passwd' is not a path under data.root",
        ),
        (
            "path,label\n1.png,a\nx/9.png,b\n,c\n",
            "'ROOT/t.csv' lists 2 of 3 photos that are not under 'ROOT', first 'x/9.png'; "
            "is data.root right? (data.missing=skip leaves them out)",
        ),
    ],
)
def test_tables_that_cannot_be_used(root: Path, text: str, message: str) -> None:
    assert table_refusal(root, text) == message


def test_a_filter_that_nothing_passes(root: Path) -> None:
    message = table_refusal(root, CSV, filter={"label": "cow"})
    assert message == "'ROOT/t.csv' has no rows that pass data.filter"


def test_files_that_are_no_tables(root: Path) -> None:
    photo = (root / "1.png").read_bytes()
    assert table_refusal(root, photo).startswith("'ROOT/t.csv' ")
    assert "\n" not in table_refusal(root, photo)
    assert table_refusal(root, CSV + "a,b,c,d,e\n").startswith(
        "'ROOT/t.csv' cannot be read as CSV: "
    )
    told = table_refusal(root, CSV, "t.parquet")
    if find_spec("pyarrow") is None:
        line = "reading 'ROOT/t.parquet' needs pyarrow: pip install 'osprey-vision[parquet]'"
        assert told == line
    else:
        assert told.startswith("'ROOT/t.parquet' is not a Parquet file")


def test_no_such_table(root: Path) -> None:
    (root / "labels.csv").write_text(CSV)
    assert refusal(root) == (
        "data.file is not set: name the CSV or Parquet table with data.file=TABLE"
    )
    assert refusal(root, file="label.csv") == (
        f"data.file: there is no table 'label.csv', here or in '{root}'; did you mean 'labels.csv'?"
    )


def test_words_that_pandas_would_take_for_nothing_are_labels(root: Path) -> None:
    (root / "t.csv").write_text("path,label,weight\n1.png,NA,\n2.png,None,3\n")
    manifest = read(root, file="t.csv")
    assert rows(manifest) == {("1.png", "", "NA"), ("2.png", "", "None")}
    assert manifest.table["weight"].tolist() == [1.0, 3.0]


PEOPLE = [("1.png", "train", "Möwe"), ("2.png", "val", "cod"), ("sub/3.png", "test", "cod")]
PLAIN = "path,label,split\n1.png,Möwe,train\n2.png,cod,val\nsub/3.png,cod,test\n"
SAVED_AS: dict[str, tuple[bytes, str]] = {
    "plain": (PLAIN.encode(), ""),
    "utf-8 with its mark": (PLAIN.encode("utf-8-sig"), ""),
    "Windows' ends of lines": (PLAIN.replace("\n", "\r\n").encode(), ""),
    "a Mac's of old": (PLAIN.replace("\n", "\r").encode(), ""),
    "semicolons": (PLAIN.replace(",", ";").encode(), "semicolons between its cells"),
    "tabs": (PLAIN.replace(",", "\t").encode(), "tabs between its cells"),
    "commas in a table of semicolons": (
        PLAIN.replace(",", ";").replace("split", "split, as cut").encode(),
        "semicolons between its cells",
    ),
    "UTF-16": (PLAIN.encode("utf-16"), "the encoding UTF-16"),
    "UTF-16 without its mark": (PLAIN.encode("utf-16-be"), "the encoding UTF-16"),
    "Excel's Unicode text": (
        PLAIN.replace(",", "\t").encode("utf-16"),
        "the encoding UTF-16, tabs between its cells",
    ),
    "Windows-1252": (
        PLAIN.encode("cp1252"),
        "the encoding Windows-1252, as it is no UTF-8 ('Möwe')",
    ),
    "commas at the ends": (
        PLAIN.replace("\n", ",\n").replace("split,", "split").encode(),
        "empty cells at the ends of lines left out",
    ),
    "commas at some ends": (
        PLAIN.replace("val\n", "val,,\n").encode(),
        "empty cells at the ends of lines left out",
    ),
    "capitals": (
        PLAIN.replace("path,label", "Path,LABEL").encode(),
        "its column 'Path' as 'path', its column 'LABEL' as 'label'",
    ),
    "blanks": (
        'path, label , split\n1.png, "Möwe", train \n 2.png,cod ,val\nsub/3.png, cod,'.encode()
        + b"test\n",
        "",
    ),
}


@pytest.mark.parametrize("saved", SAVED_AS)
def test_tables_as_people_save_them(root: Path, saved: str) -> None:
    content, told = SAVED_AS[saved]
    (root / "t.csv").write_bytes(content)
    changes = {"columns": columns(split="split, as cut")} if b"as cut" in content else {}
    notices: list[str] = []
    manifest = read_manifest(data_config(root, "table", file="t.csv", **changes), notices)
    assert rows(manifest) == set(PEOPLE)
    lines = [line for line in notices if " read with " in line]
    assert lines == ([f"'{root / 't.csv'}' read with {told}"] if told else [])


def test_tables_that_must_not_be_guessed(root: Path) -> None:
    assert table_refusal(root, "path,label\n1.png,a,b\n") == (
        "'ROOT/t.csv' cannot be read as CSV: line 2 has 3 cells, its first line 2: put a cell with "
        "a separator in it in quotes, or add data.open_last=true if it is the last"
    )
    assert table_refusal(root, "path,label,label \n1.png,a,b\n") == (
        "'ROOT/t.csv' has two columns 'label'"
    )
    assert table_refusal(root, b"a" * (2 << 20)) == (
        "'ROOT/t.csv' cannot be read as CSV: no line ends in its first MiB"
    )
    assert table_refusal(root, "path,label,split\n1.png,a,0\n2.png,b,1\n") == (
        "'ROOT/t.csv': unknown split '0'; use train, val or test, or say what each means, such as "
        "data.split_names='{0: train, 1: test}'"
    )
    assert table_refusal(root, "path;Lable\n1.png;a\n") == (
        "'ROOT/t.csv' has no column 'label'; did you mean 'Lable'? (it has: path, Lable); name "
        "yours with data.columns.label=COLUMN"
    )


def test_paths_as_people_write_them(root: Path) -> None:
    names = [f"{root}/1.png", ".\\2", "sub\\3.png"]
    text = "".join(f"{name},cod\n" for name in [*names, "1.png", " sub/3.png"])
    (root / "t.csv").write_text("path,label\n" + text)
    notices: list[str] = []
    manifest = read_manifest(data_config(root, "table", file="t.csv"), notices)
    assert manifest.table["path"].tolist() == ["1.png", "2.png", "sub/3.png"]
    assert notices == [
        "left out, a photo in another spelling: 2 rows such as '1.png'",
        f"found by the end of their path: 4 photos such as '{root}/1.png', taken for '1.png'",
    ]


def test_paths_that_are_not_clear(root: Path) -> None:
    write_photo(root / "other" / "3.png")
    assert table_refusal(root, "path,label\n1.png,a\n3.png,b\n") == (
        "'ROOT/t.csv': '3.png' may be 'other/3.png' or 'sub/3.png': write paths from data.root on"
    )
    assert table_refusal(root, "path,label\n1.png,a\nnew/1.png,b\n") == (
        "'ROOT/t.csv' lists 1 of 2 photos that are not under 'ROOT', first 'new/1.png'; is "
        "data.root right? (data.missing=skip leaves them out)"
    )
    assert table_refusal(root, "path,label\n1.png,a\n.\\1.png,b\n") == (
        "'ROOT/t.csv': '1.png' is listed twice (1 such rows)"
    )


def test_boxes_of_a_table_with_semicolons_and_capitals(root: Path) -> None:
    text = "Path;Label;X;Y;W;H\n1.png;cod;1;2;3;4\n"
    (root / "boxes.csv").write_text(text)
    notices: list[str] = []
    manifest = read_manifest(data_config(root, "boxes", file="boxes.csv"), notices)
    assert manifest.box_lists[0] == [("cod", 1, 2, 3, 4)]
    assert "semicolons between its cells, its column 'Path' as 'path'" in notices[0]


def test_the_digest_is_of_the_data_not_of_its_place(tmp_path: Path) -> None:
    table = pd.DataFrame({"path": ["1.png"], "label": ["a"]})
    here, there = (complete(table, tmp_path / name, "t").digest() for name in ("x", "y"))
    assert here == there
    assert complete(table.assign(label="b"), tmp_path, "t").digest() != here
