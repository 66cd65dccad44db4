"""``osprey split``: figures, folds, and a manifest that reads back as it was cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from conftest import Result, make_squares
from helpers import data_config, groups_straddle, write_photo

from osprey.data.readers import read_manifest

Osprey = Callable[..., Result]


def table_of(root: Path) -> Path:
    """30 photos of 3 classes by 10 boats, as a table."""
    rows = []
    for number in range(30):
        write_photo(root / f"{number}.png", number * 8)
        rows.append((f"{number}.png", "abc"[number % 3], f"boat{number // 3}"))
    file = root.parent / "labels.csv"
    pd.DataFrame(rows, columns=["path", "label", "boat"]).to_csv(file, index=False)
    return file


def test_grouped_folds_read_back(here: Path, tmp_path: Path, osprey: Osprey) -> None:
    root = tmp_path / "set"
    file = table_of(root)
    words = ("data=table", f"data.root={root}", f"data.file={file}", "data.group=boat")
    result = osprey("split", *words, "data.folds=5", "output=manifest.csv")
    assert result.code == 0, result.err
    assert "data    30 photos of 3 classes" in result.out
    lines = [line.split() for line in result.out.splitlines()]
    for line in (
        ["photos", "18", "6", "6"],
        ["share", "60.0%", "20.0%", "20.0%"],
        ["groups", "6", "2", "2"],
        ["a", "6", "2", "2"],
    ):
        assert line in lines, result.out
    assert "folds   0: 6, 1: 6, 2: 6, 3: 6, 4: 6 photos" in result.out
    manifest = read_manifest(data_config(root, "table", file="manifest.csv", group="group"), [])
    assert not groups_straddle(manifest)
    assert manifest.table["fold"][manifest.table["split"] == "test"].unique().tolist() == ["0"]
    assert manifest.table["fold"][manifest.table["split"] == "val"].unique().tolist() == ["1"]
    again = osprey("split", *words, "data.folds=5", "output=manifest.csv")  # its own file
    assert again.code == 0, again.err
    assert sorted(path.name for path in root.iterdir()) == sorted(f"{n}.png" for n in range(30))


def test_the_folds_of_a_given_test_split_are_of_the_rest(
    here: Path, tmp_path: Path, osprey: Osprey
) -> None:
    root = tmp_path / "a set"
    file = table_of(root)
    table = pd.read_csv(file)
    table["split"] = ["test" if number < 6 else "" for number in range(30)]
    table.to_csv(file, index=False)
    words = ("data=table", f"data.root={root}", f"data.file={file}", "data.folds=4")
    result = osprey("split", *words, "output=manifest.csv")
    assert result.code == 0, result.err
    written = pd.read_csv("manifest.csv", dtype=str, keep_default_na=False)
    assert (written["fold"] == "").tolist() == (written["split"] == "test").tolist()
    assert (written["split"] == "test").sum() == 6
    assert ((written["fold"] == "0") == (written["split"] == "val")).all()
    assert result.out.endswith(
        f"  osprey train data=table 'data.root={root}' data.file=manifest.csv\n"
    )
    table.assign(source=table["path"], variant=0)[["path", "label", "source", "variant"]].assign(
        variant=[number % 2 for number in range(30)]
    ).to_csv(file, index=False)
    result = osprey("split", *words, "output=manifest.csv")
    assert (result.code, result.err) == (
        2,
        "osprey split: data.folds: the table has augmented copies (columns source and variant), "
        "which no fold is to test on: cut the photos' folds, then augment\n",
    )


def test_several_columns_are_shared_out(here: Path, tmp_path: Path, osprey: Osprey) -> None:
    root = tmp_path / "set"
    file = table_of(root)
    table = pd.read_csv(file)
    table["season"] = ["wet" if number < 10 else "dry" for number in range(30)]
    table["species"] = ["", "cod", "cod;ray"] * 10
    table.to_csv(file, index=False)
    words = ("data=table", f"data.root={root}", f"data.file={file}", "data.folds=5")
    result = osprey("split", *words, "data.stratify=[season,species]", "output=manifest.csv")
    assert result.code == 0, result.err
    lines = [line.split() for line in result.out.splitlines()]
    for line in (
        ["a", "6", "2", "2"],
        ["season", "train", "val", "test"],
        ["dry", "12", "4", "4"],
        ["wet", "6", "2", "2"],
        ["(blank)", "6", "2", "2"],
        ["cod", "12", "4", "4"],
        ["ray", "6", "2", "2"],
    ):
        assert line in lines, result.out
    assert result.out.count("share of a split is at most 0.0 points off its share of all") == 2
    for value, line in (
        ("[seasn]", "data.stratify: there is no column 'seasn'; did you mean 'season'?"),
        ("[path]", "data.stratify: 'path' has 30 values on 30 photos: nearly each has its own, "),
    ):
        refused = osprey("split", *words, f"data.stratify={value}", "output=other.csv")
        assert refused.code == 2 and refused.err.startswith(f"osprey split: {line}"), refused.err
        assert not Path("other.csv").exists()


def test_boxes_are_split_with_their_photos(here: Path, tmp_path: Path, osprey: Osprey) -> None:
    (tmp_path / "set").mkdir()
    root = make_squares(tmp_path / "set")
    words = ("data=coco", f"data.root={root}", "data.file=boxes.json", "output=m.csv")
    result = osprey("split", *words)
    assert result.code == 0, result.err
    assert "boxes of" in result.out
    assert "  osprey train experiment=detect data=table " in result.out
    manifest = read_manifest(data_config(root, "table", file="m.csv"), [])
    assert manifest.classes == ["square"] and sum(map(len, manifest.box_lists)) == 24
    assert json.loads(manifest.table["boxes"].iloc[1])[0][0] == "square"


def test_bad_input(here: Path, photos: Path, tmp_path: Path, osprey: Osprey) -> None:
    def said(*words: str | Path) -> str:
        result = osprey("split", *words)
        assert result.code == 2 and result.err.count("\n") == 1, result.out + result.err
        return result.err.removeprefix("osprey split: ").strip()

    data = ("data=folder", f"data.root={photos}")
    assert said("output=m.csv") == "name the data: osprey split data=folder data.root=PATH"
    assert said(*data) == ("output is not set: name the CSV to write with output=manifest.csv")
    assert said(*data, "outptu=m.csv") == "unknown setting 'outptu'; did you mean 'output'?"
    assert said(*data, "output=none/m.csv") == "output: there is no folder 'none' to write to"
    assert said(*data, f"output={photos / 'm.csv'}") == (
        f"output: '{photos}' is the folder of the photos, which is only read; name another folder"
    )
    for name in "ab":
        write_photo(tmp_path / "one" / name / "x.png", ord(name))
    words = ("data=folder", f"data.root={tmp_path / 'one'}", "output=m.csv")
    assert said(*words).startswith("cannot cut a val split: only 1 sample left for training")
    assert not Path("m.csv").exists()
