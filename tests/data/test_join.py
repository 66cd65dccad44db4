"""Several data sets as one: classes renamed, splits of each source's own, copies kept apart."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import data_config, quick, write_photo
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.config.schema import DataConfig
from osprey.config.sources import place_at
from osprey.config.validate import check_data
from osprey.data.balance import balancing_weights
from osprey.data.copies import with_content
from osprey.data.external_dataset import read_external_dataset
from osprey.data.join_copies import learnt_elsewhere
from osprey.data.manifest import Manifest, complete
from osprey.data.prepare import Prepared, prepare
from osprey.data.readers import read_manifest
from osprey.data.splits import assign_groups, assign_splits
from osprey.errors import ConfigError, DataError
from osprey.runs.again import command_of
from osprey.runs.folder import RunFolder
from osprey.tasks.classification.losses import class_weights
from osprey.tasks.classification.settings import Settings

GIVEN = ["", "train", "test"]


def folder(root: Path, counts: dict[str, int], level: int = 0) -> Path:
    """Class folders of photos that all differ, from grey ``level`` on."""
    for label, count in counts.items():
        for number in range(count):
            level += 1
            write_photo(root / label / f"{number}.png", level)
    return root


def coco(root: Path, boxes: dict[str, list[str]], level: int = 0) -> Path:
    """Photos with a box for each class that is listed, as COCO."""
    names = sorted({label for labels in boxes.values() for label in labels})
    for number, file in enumerate(boxes):
        write_photo(root / file, level + number, (50, 100))
    content = {
        "images": [
            {"id": i, "file_name": file, "width": 100, "height": 50} for i, file in enumerate(boxes)
        ],
        "annotations": [
            {"id": 10 * i + k, "image_id": i, "category_id": names.index(label)}
            | {"bbox": [10 * k, 5, 8, 9]}
            for i, labels in enumerate(boxes.values())
            for k, label in enumerate(labels)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
    }
    (root / "boxes.json").write_text(json.dumps(content))
    return root


def joined(*sources: dict[str, Any], **changes: Any) -> DataConfig:
    return data_config(".", "join", sources=list(sources), **changes)


def source(root: Path, **more: Any) -> dict[str, Any]:
    return {"name": root.name, "reader": "folder", "root": str(root), **more}


def read(*sources: dict[str, Any], **changes: Any) -> tuple[Manifest, list[str]]:
    notices: list[str] = []
    return read_manifest(joined(*sources, **changes), notices), notices


def prepared(cache: Path, *sources: dict[str, Any], **changes: Any) -> Prepared:
    return prepare(joined(*sources, **changes), cache)


def counts_of(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Photos of each source and split."""
    table = manifest.table
    return {name: part["split"].value_counts().to_dict() for name, part in table.groupby("source")}


def test_sources_are_read_under_one_root_with_their_own_classes(tmp_path: Path) -> None:
    folder(tmp_path / "boats", {"Albacore": 3, "shark": 2})
    folder(tmp_path / "deep" / "reef", {"ALB": 2, "tuna": 4}, 50)
    manifest, notices = read(
        source(tmp_path / "boats", classes={"Albacore": "ALB"}, weight=3),
        source(tmp_path / "deep" / "reef", classes={"tuna": None}),
    )
    assert manifest.root == tmp_path
    table = manifest.table
    assert table["source"].value_counts().to_dict() == {"boats": 5, "reef": 2}
    assert table["label"].value_counts().to_dict() == {"ALB": 5, "shark": 2}
    assert all((manifest.root / path).is_file() for path in table["path"])
    assert table["path"].iloc[0] == "boats/Albacore/0.png"
    assert table["path"].iloc[-1] == "deep/reef/ALB/1.png"
    assert set(table["weight"][table["source"] == "boats"]) == {3.0}
    assert notices == ["source reef: left out by its classes: 4 photos (tuna 4)"]


def test_boxes_of_several_sources(tmp_path: Path) -> None:
    one = coco(tmp_path / "one", {"a.png": ["cod", "eel"], "b.png": ["cod"]})
    two = coco(tmp_path / "two", {"a.png": ["COD", "ray"], "c.png": []}, 9)
    more = {"reader": "coco", "file": "boxes.json"}
    manifest, notices = read(
        source(one, **more), source(two, classes={"COD": "cod", "ray": None}, **more)
    )
    assert manifest.target.name == "boxes"
    assert manifest.classes == ["cod", "eel"]
    assert manifest.table["path"].tolist() == ["one/a.png", "one/b.png", "two/a.png", "two/c.png"]
    assert [[box[0] for box in boxes] for boxes in manifest.box_lists] == [
        ["cod", "eel"],
        ["cod"],
        ["cod"],
        [],
    ]
    assert manifest.table["label"].tolist() == ["eel", "cod", "cod", "nothing"]
    assert "source two: left out by its classes: 1 box (ray 1)" in notices


def test_names_that_differ_between_sources_are_pointed_out(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"Blue fin": 1, "cod": 1, "caf\u00e9": 1})
    two = folder(tmp_path / "two", {"blue_fin": 1, "Cod": 1, "cafe\u0301": 1}, 20)
    said: list[str] = []
    with pytest.raises(DataError, match=r"classes 'cod' .n=1. and 'Cod' .n=1. differ in capitals"):
        read_manifest(joined(source(one), source(two)), said)
    assert sorted(said) == [
        "'Blue fin' (one), 'blue_fin' (two) look like one class and are kept apart: "
        "classes: {blue_fin: Blue fin} of source two merges them",
        "'cod' (one), 'Cod' (two) differ in capitals alone: classes: {Cod: cod} of source two, "
        "or data.case=merge, merges them",
        "one class 'caf\u00e9': 'caf\u00e9' (one), 'cafe\u0301' (two) differ in blanks or in how "
        "letters are written",
    ]
    manifest, _ = read(source(one), source(two), case="merge")
    assert len(manifest.classes) == 4
    renamed = {"blue_fin": "Blue fin", "Cod": "cod"}
    manifest, notices = read(source(one), source(two, classes=renamed))
    assert manifest.classes == ["Blue fin", "caf\u00e9", "cod"]
    assert len(notices) == 1


def test_groups_of_one_name_are_two(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"boat1": 2, "boat2": 2})
    two = folder(tmp_path / "two", {"boat1": 2}, 20)
    none = folder(tmp_path / "none", {"x": 2}, 40)
    pattern = r"(?P<group>boat\d)"
    config = joined(source(one, group=pattern), source(two, group=pattern), source(none))
    manifest = assign_groups(read_manifest(config, []), "group", within="source")
    assert manifest.has_groups
    assert list(dict.fromkeys(manifest.table["group"])) == [
        "one/boat1",
        "one/boat2",
        "two/boat1",
        "none/none/x/0.png",
        "none/none/x/1.png",
    ]


def test_each_source_is_split_as_it_would_be_alone(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"a": 20, "b": 20})
    two = folder(tmp_path / "two", {"train/a": 6, "train/b": 6, "test/a": 2}, 60)
    tiny = folder(tmp_path / "tiny", {"a": 1}, 90)
    found = prepared(tmp_path / "cache", source(one), source(two), source(tiny))
    assert counts_of(found.manifest) == {
        "one": {"train": 28, "test": 6, "val": 6},
        "two": {"train": 10, "val": 2, "test": 2},
        "tiny": {"train": 1},
    }
    assert "source tiny: too few to cut test from, all in train" in found.notices
    assert "source one: 15% test and 15% val cut from it, which gives none" in found.notices
    alone = prepared(tmp_path / "cache", source(one), source(tiny, split="test"))
    assert counts_of(alone.manifest) == {"one": {"train": 34, "val": 6}, "tiny": {"test": 1}}
    anew = prepared(tmp_path / "cache", source(two), source(tiny, split="train"), given_split=False)
    assert counts_of(anew.manifest)["two"]["test"] == 2
    assert counts_of(anew.manifest)["tiny"] == {"train": 1}
    assert set(anew.given) == {"", "train"}


def test_a_photo_of_two_sources_is_not_tested_where_it_is_learnt(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"train/a": 6, "train/b": 6, "val/a": 2, "val/b": 2})
    two = folder(tmp_path / "two", {"a": 4, "b": 3}, 60)
    shutil.copy(one / "train" / "a" / "0.png", two / "a" / "same.png")
    shutil.copy(one / "val" / "b" / "1.png", two / "b" / "other.png")
    found = prepared(tmp_path / "cache", source(one), source(two, split="test"))
    assert counts_of(found.manifest) == {"one": {"train": 12, "val": 4}, "two": {"test": 7}}
    assert "in two sources, byte for byte: 2 photos" in found.notices
    assert (
        "left out of val and test, byte for byte in another source's training: 2 photos "
        "(two test 2), first 'two/a/same.png' = 'one/train/a/0.png'"
    ) in found.notices
    free = prepared(tmp_path / "cache", source(two), source(folder(tmp_path / "x", {"a": 9}, 80)))
    assert len(free.manifest.table) == 18


def test_one_file_of_two_sources_is_kept_once(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"a": 3, "b": 2})
    (one / "list.csv").write_text("path,label\na/0.png,a\nb/0.png,c\n")
    table = {"name": "list", "reader": "table", "root": str(one), "file": "list.csv"}
    with pytest.raises(DataError, match=r"one label, first 'b/0.png' \(b in one, c"):
        read(source(one), table)
    manifest, notices = read(source(one), table, conflicts="keep")
    assert manifest.table["label"].tolist() == ["a", "a", "a", "b", "b"]
    assert notices[-1].startswith("one file in two sources: 2 photos, kept as the source has it")
    assert len(read(source(one), table, conflicts="drop")[0].table) == 4


ROWS = st.lists(st.integers(0, 89), min_size=30, max_size=60)


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 99))
def test_no_content_is_learnt_in_one_source_and_tested_in_another(
    rows: list[int], seed: int
) -> None:
    table = pd.DataFrame({"number": [row % 10 for row in rows]})
    table["source"] = ["xyz"[row // 10 % 3] for row in rows]
    table["split"] = [GIVEN[row // 30] for row in rows]
    table["label"] = [f"{row % 2}" for row in rows]
    table["path"] = [f"{row}.png" for row in range(len(table))]
    manifest = complete(table, Path("photos"), "photos")
    digests = [hashlib.sha256(str(number).encode()).digest() for number in table["number"]]
    manifest = with_content(manifest, np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32))
    sources = [{"name": name, "reader": "folder", "root": name} for name in "xyz"]
    config = joined(*sources, split_seed=seed, val_fraction=0.2)
    try:
        done = assign_splits(manifest, config).table
    except DataError:  # too few are left to cut from
        return
    assert set(done["split"]) <= {"train", "val", "test"}
    assert set(done["split"][table["split"] == "test"]) <= {"test"}
    assert set(done["split"][table["split"] == "train"]) <= {"train", "val"}  # val may be cut
    kept = done[~learnt_elsewhere(Manifest(Path(), done))]
    pairs = kept.merge(done, on="sha256")
    pairs = pairs[pairs["source_x"] != pairs["source_y"]]
    seen = set(zip(pairs["split_x"], pairs["split_y"], strict=True))
    assert not seen & {("val", "train"), ("test", "train"), ("test", "val")}


def test_a_run_keeps_folders_relative_to_its_root(tmp_path: Path) -> None:
    sources = [source(folder(tmp_path / name, {"a": 1})) for name in ("one", "two")]
    config = joined(*sources)
    manifest = read_manifest(config, [])
    place_at(config, manifest.root)
    assert config.root == str(tmp_path)
    assert [node["root"] for node in config.sources] == ["one", "two"]
    shutil.move(tmp_path / "one", tmp_path / "moved" / "one")
    shutil.move(tmp_path / "two", tmp_path / "moved" / "two")
    again = read_manifest(replace(config, root=str(tmp_path / "moved")), [])
    assert again.table["path"].tolist() == manifest.table["path"].tolist()
    run = RunFolder(tmp_path / "run")
    run.write_text("overrides.txt", "data=join\ndata.sources=[one,two]\n")
    run.write_text("config.yaml", "data: {reader: join}\n")
    run.write_json("environment.json", {"folder": "/photos/me"})
    assert command_of(run)[-1] == "data.root='/photos/me'"


def test_another_set_needs_a_reader_after_a_join(tmp_path: Path) -> None:
    from osprey.config.schema import EvalDataConfig

    one = coco(tmp_path / "one", {"a.png": ["cod"]})
    config = joined(source(one, reader="coco", file="boxes.json"))
    known = read_manifest(config, [])
    with pytest.raises(DataError, match="trained on several sets joined: say how"):
        read_external_dataset(EvalDataConfig(root=str(one)), config, known, tmp_path, [])


@quick
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.sampled_from("12")), min_size=1
    )
)
def test_columns_are_evened_out_each_within_the_last(cells: list[tuple[str, str, str]]) -> None:
    table = pd.DataFrame(cells, columns=["label", "group", "site"])
    columns = [table[name].tolist() for name in table]
    table["weight"] = balancing_weights(columns)
    assert np.isclose(table["weight"].mean(), 1)
    total = table.groupby("label")["weight"].sum()
    assert np.allclose(total, total.mean())
    for above, name in ((["label"], "group"), (["label", "group"], "site")):
        within = table.groupby([*above, name])["weight"].sum().groupby(above)
        assert np.allclose(within.max(), within.min())
    assert np.allclose(balancing_weights(columns, power=1.0), 1)
    half = pd.Series(balancing_weights(columns[:1], power=0.5)).groupby(table["label"]).sum()
    sizes = table.groupby("label").size() ** 0.5
    assert np.allclose(half / half.sum(), sizes / sizes.sum())


def test_columns_to_even_out_must_be_there(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"a": 9, "b": 9})
    for by, said in (
        (["labl"], "data.balance_by: there is no column 'labl'; did you mean 'label'?"),
        (["label", "group"], "data.balance_by: the column 'group' is empty: name the groups with"),
    ):
        with pytest.raises(DataError, match=said.replace("?", r"\?")):
            config = data_config(one, sampler="balanced", balance_by=by)
            prepare(config, tmp_path / "cache")


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ([], "data.sources is empty: name the sets to join, such as data.sources=[boats,reef]"),
        (
            [{"name": "a", "reader": "folder", "root": "x"}, {"name": "a", "reader": "folder"}],
            "data.sources: 'a' has no root: say where its photos are, such as "
            "{data: a, root: FOLDER}",
        ),
        (
            2 * [{"name": "a", "reader": "folder", "root": "x"}],
            "data.sources: two are called 'a': give one another name, such as {data: a, name: a2}",
        ),
        (
            [{"name": "a", "root": "x"}],
            "data.sources: 'a' has no reader: say how it is read, such as folder",
        ),
        (
            [{"name": "a", "reader": "join", "root": "x"}],
            "data.sources: 'a' is a join itself: name its sources here",
        ),
        (
            [{"name": "a", "reader": "folder", "root": "x", "split": "tset"}],
            "data.sources.a.split: unknown 'tset'; did you mean 'test'? (one of train, val, test)",
        ),
        (
            [{"name": "a", "reader": "folder", "root": "x", "weight": 0}],
            "data.sources: weight of 'a' is a number above 0, not '0'",
        ),
        (
            [{"name": "a", "reader": "folder", "root": "x", "strict": "perhaps"}],
            "data.sources.a.strict: 'perhaps' is not true or false",
        ),
        (
            [{"name": "a", "reader": "folder", "root": "x", "classes": "red"}],
            "data.sources: classes of 'a' are {THEIRS: OURS, LEFT_OUT: null}, not 'red'",
        ),
        (["boats"], "data.sources: 'boats' is no source: name a data option, or give a mapping"),
    ],
)
def test_sources_that_say_too_little(sources: list[Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_data(joined(*sources))
    assert str(error.value) == said


def test_settings_that_need_others() -> None:
    with pytest.raises(ConfigError, match=r"goes with data=join, and data.reader=folder reads one"):
        check_data(data_config("x", sources=[source(Path("x"))]))
    with pytest.raises(ConfigError, match=r"data.balance_by goes with data.sampler=balanced or"):
        check_data(data_config("x", balance_by=["label"]))


def test_a_source_whose_folder_is_not_there(tmp_path: Path) -> None:
    folder(tmp_path / "boats", {"a": 1})
    with pytest.raises(DataError) as error:
        read(source(tmp_path / "boat"))
    assert str(error.value) == (
        f"data.sources: root of 'boat': there is no folder '{tmp_path}/boat'; did you mean 'boats'?"
    )


def test_a_class_of_a_source_must_be_there(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"red": 1, "blue": 1})
    with pytest.raises(DataError) as error:
        read(source(one, classes={"rad": "RED"}))
    assert str(error.value) == (
        "source 'one': classes: no photo is labelled 'rad'; did you mean 'red'?"
    )


def test_a_source_keeps_its_own_column_of_that_name(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"a": 2})
    (one / "list.csv").write_text("path,label,source\na/0.png,a,film\na/1.png,a,film\n")
    table = {"name": "list", "reader": "table", "root": str(one), "file": "list.csv"}
    manifest, notices = read(table)
    assert manifest.table[["source", "source_photo"]].values.tolist() == [["list", "film"]] * 2
    assert notices == ["source list: its column 'source' as 'source_photo'"]
    (one / "list.csv").write_text(
        "path,label,source,variant\na/0.png,a,a.png,0\na/1.png,a,a.png,1\n"
    )
    with pytest.raises(DataError, match="'list' has augmented copies"):
        read(table)


def test_named_classes_weigh_more() -> None:
    weights = class_weights(np.array([6, 2]), "cross_entropy", [1.0, 5.0]).tolist()
    assert weights == pytest.approx([0.5, 2.5])
    task = Settings(class_weights={"SHARK": 5, 7: 2})
    task.check()
    assert task.named_weights == {"SHARK": 5.0, "7": 2.0}
    for weights, said in (
        ({"SHARK": 0}, "'SHARK' weighs a number above 0, not '0'"),
        ("heavy", "unknown 'heavy' (one of none, sqrt, balanced)"),
    ):
        with pytest.raises(ConfigError) as error:
            Settings(class_weights=weights).check()
        assert str(error.value) == f"task.class_weights: {said}"


def test_one_photo_with_other_boxes_in_each_source_is_told(tmp_path: Path) -> None:
    photos = {f"{number}.png": ["cod", "eel"] for number in range(6)}
    one, two = coco(tmp_path / "one", photos), coco(tmp_path / "two", {"0.png": ["cod"]}, 0)
    sources = [source(root, reader="coco", file="boxes.json") for root in (one, two)]
    notices = prepare(joined(*sources), tmp_path / "cache").notices
    assert any(
        "1 photo with other boxes than its copy, first 'one/0.png' and 'two/0.png'" in line
        for line in notices
    )
