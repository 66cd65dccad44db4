"""``osprey doctor``: what it finds, what it writes, and what it says of data it cannot examine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from browser import browse
from conftest import Result, make_squares
from helpers import write_photo
from PIL import Image

Osprey = Callable[..., Result]


def scene(seed: int, size: int = 96) -> np.ndarray:
    """A picture with shapes of its own: uint8 [size, size + 32, 3]."""
    draw = np.random.default_rng(seed)
    sides = (size + 32, size)
    layers = [
        cv2.resize(draw.random((down, across, 3)), sides, interpolation=cv2.INTER_CUBIC)
        for down, across in ((7, 9), (32, 43))
    ]
    return np.clip(40 + 120 * layers[0] + 80 * layers[1], 0, 255).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, **how)
    return path


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 20 scenes each with a given split. Read only."""
    root = tmp_path_factory.mktemp("clean") / "photos"
    for number in range(40):
        split = ("train", "train", "val", "test")[number // 2 % 4]
        save(root / split / "ab"[number % 2] / f"p{number:02}q.png", scene(number))
    return root


@pytest.fixture
def root(clean: Path, tmp_path: Path) -> Path:
    """A copy of it to plant faults in."""
    return Path(shutil.copytree(clean, tmp_path / "photos"))


def examined(osprey: Osprey, root: Path, *words: str, code: int = 1) -> dict[str, Any]:
    """What the doctor finds of class folders, by check."""
    result = osprey("doctor", "data=folder", f"data.root={root}", "output=out", *words)
    assert result.code == code, result.out + result.err
    found = json.loads(Path("out/doctor.json").read_text())
    return {finding["check"]: finding for finding in found["findings"]}


def test_a_clean_set_is_clean(clean: Path, here: Path, osprey: Osprey) -> None:
    before = sorted(clean.rglob("*"))
    result = osprey("doctor", "data=folder", f"data.root={clean}")
    assert result.code == 0, result.out
    assert "data     40 photos of 2 classes: train 20, val 10, test 10 (as given)" in result.out
    assert "doctor   nothing found" in result.out
    assert sorted(clean.rglob("*")) == before
    (page,) = here.glob("runs/doctor/*/doctor.html")
    assert "Nothing found" in page.read_text()


def test_files_that_are_no_photos_are_told_apart(root: Path, here: Path, osprey: Osprey) -> None:
    sound = save(root / "train" / "a" / "sound.jpg", scene(100)).read_bytes()
    (root / "train" / "a" / "cut.jpg").write_bytes(sound[: len(sound) // 2])
    (root / "train" / "b" / "cut.jpg").write_bytes(sound[:3000])  # "... after 3,000 bytes"
    (root / "train" / "a" / "empty.jpg").write_bytes(b"")
    (root / "train" / "a" / "page.jpg").write_bytes(b"<html>not found</html>")
    save(root / "train" / "b" / "really.jpg", scene(101), format="PNG")
    found = examined(osprey, root)
    assert set(found) == {"empty_files", "truncated_files", "unreadable_files", "wrong_endings"}
    assert found["empty_files"]["table"][1:] == [
        ["train/a/empty.jpg", "is empty (0 bytes); copy it again from its source"]
    ]
    assert "truncated JPEG" in found["truncated_files"]["table"][1][1]
    assert found["unreadable_files"]["table"][1][1] == "is not a picture but an HTML page"
    assert found["wrong_endings"]["remarks"] == {"train/b/really.jpg": "is a PNG"}


PLANTED = {
    "saved again": lambda pixels: pixels,
    "mirrored": lambda pixels: pixels[:, ::-1],
    "turned": np.rot90,
    "turned and mirrored": lambda pixels: np.rot90(pixels)[:, ::-1],
    "cut": lambda pixels: pixels[3:89, 8:123],
}


def test_copies_are_found_across_splits_and_moved(root: Path, here: Path, osprey: Osprey) -> None:
    held = sorted((root / "test" / "a").iterdir())
    shutil.copyfile(held[0], root / "train" / "a" / "same.png")
    wanted = {}
    for number, (how, change) in enumerate(PLANTED.items()):
        pixels = scene(200 + number, 96)
        one = save(root / "test" / "b" / f"{number}one.png", pixels)
        other = save(root / "train" / "b" / f"{number}other.jpg", change(pixels), quality=80)
        wanted[tuple(p.relative_to(root).as_posix() for p in (one, other))] = how
    found = examined(osprey, root, "fix=fixed.csv")
    assert set(found) == {"exact_copies_across_splits", "near_copies_across_splits"}
    assert found["exact_copies_across_splits"]["photos"] == [
        [held[0].relative_to(root).as_posix(), "train/a/same.png"]
    ]
    near = found["near_copies_across_splits"]
    assert {tuple(pair): near["remarks"][pair[1]] for pair in near["photos"]} == wanted
    fixed = pd.read_csv("fixed.csv", keep_default_na=False).set_index("path")
    pairs = [*wanted, tuple(found["exact_copies_across_splits"]["photos"][0])]
    assert all(fixed["split"][one] == fixed["split"][other] for one, other in pairs)
    assert (fixed["doctor"] != "").sum() == len(pairs)
    again = osprey(
        *("doctor", "data=table", f"data.root={root}", "data.file=fixed.csv", "output=out")
    )
    assert "across splits" not in again.out
    assert examined(osprey, root, "near=none").keys() == {"exact_copies_across_splits"}
    whole = examined(osprey, root, "near=whole")["near_copies_across_splits"]
    assert [how for how in whole["remarks"].values()] == ["saved again"]


def test_copies_under_two_labels_are_dropped(root: Path, here: Path, osprey: Osprey) -> None:
    one = sorted((root / "train" / "a").iterdir())[0]
    shutil.copyfile(one, root / "train" / "b" / "torn.png")
    found = examined(osprey, root, "fix=fixed.csv")
    assert set(found) == {"exact_copies_under_several_labels"}
    paths = pd.read_csv("fixed.csv")["path"].tolist()
    assert "train/b/torn.png" not in paths and f"train/a/{one.name}" not in paths
    page = Path("out/doctor.html").read_text()
    assert "2 rows dropped, 0 moved" in page


def test_groups_and_bursts_that_straddle(root: Path, here: Path, osprey: Osprey) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 10:00:00"
    save(root / "train" / "a" / "x.jpg", scene(300), exif=exif)
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 10:00:02"
    save(root / "val" / "a" / "y.jpg", np.roll(scene(300), 2, axis=1), exif=exif)
    save(root / "test" / "a" / "unlike.jpg", scene(301), exif=exif)
    exif = Image.Exif()
    exif[0x0132] = "2024:05:01 10:00:00"  # of the last change
    save(root / "train" / "a" / "changed.jpg", scene(305), exif=exif)
    save(root / "val" / "a" / "too.jpg", np.roll(scene(305), 2, axis=1), exif=exif)
    lighter = np.clip(scene(302).astype(int) + 20, 0, 255).astype(np.uint8)
    save(root / "train" / "b" / "IMG_0007.png", scene(302))
    save(root / "test" / "b" / "IMG_0008.png", np.roll(lighter, 1, axis=1))
    save(root / "test" / "b" / "IMG_0009.png", scene(303))
    found = examined(osprey, root, "near=none")
    assert set(found) == {"bursts_across_splits"}
    assert found["bursts_across_splits"]["photos"] == [
        ["test/b/IMG_0008.png", "train/b/IMG_0007.png"],
        ["train/a/x.jpg", "val/a/y.jpg"],
    ]
    found = examined(osprey, root, "near=none", r"data.group='/(?P<group>\w)[^/]*$'")
    groups = found["groups_across_splits"]
    assert groups["count"] == 2 and groups["table"][0] == ["group", "train", "val", "test"]
    assert [line[0] for line in groups["table"][1:]] == ["p", "I"]
    assert "A clean split costs" in groups["detail"]


def test_a_clock_that_stands_still_makes_no_burst(here: Path, osprey: Osprey) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2000:01:01 00:00:00"
    for number in range(28):
        split = "val" if number < 6 else "test" if number < 12 else "train"
        name = f"{split}/{'ab'[number % 2]}/{'xyz'[number % 3]}{number * 7}.jpg"
        save(Path("the photos", name), scene(number), exif=exif)
    result = osprey("doctor", "data=folder", "data.root=the photos", "output=out", "fix=fixed.csv")
    assert result.code == 0, result.out + result.err
    assert "train on it with data=table 'data.root=the photos' data.file=fixed.csv" in result.out
    counts = pd.read_csv("fixed.csv")["split"].value_counts()
    assert counts.to_dict() == {"train": 16, "val": 6, "test": 6}


def test_a_fix_that_would_empty_a_split_is_refused(clean: Path, here: Path, osprey: Osprey) -> None:
    words = ("near=none", "data.group=(?P<group>p)", "fix=fixed.csv")
    result = osprey("doctor", "data=folder", f"data.root={clean}", "output=out", *words)
    line = (
        "fix: 'fixed.csv' is not written: val and test would be empty, with 0 rows dropped and 20 "
        "moved, as what must share a split is too large; collect photos of other occasions, or cut "
        "by hand"
    )
    assert (result.code, result.err) == (2, f"osprey doctor: {line}\n")
    assert not Path("fixed.csv").exists()
    content = json.loads(Path("out/doctor.json").read_text())
    assert content["notices"] == [line] and "fix" not in content


def test_a_split_that_would_lose_over_half_is_filled_again(
    clean: Path, here: Path, osprey: Osprey
) -> None:
    """Groups of four, two of them in train: to that they would all go."""
    words = ("near=none", "data.group=pair", "fix=fixed.csv")
    rows = [path.relative_to(clean).as_posix() for path in sorted(clean.rglob("*.png"))]
    table = pd.DataFrame({"path": rows})
    table["split"], table["label"] = (table["path"].str.split("/").str[k] for k in (0, 1))
    turn = table.groupby("split").cumcount()
    table["pair"] = turn.where(table["split"] != "train", turn // 2)
    table.to_csv("set.csv", index=False)
    data = ("data=table", f"data.root={clean}", "data.file=set.csv")
    assert osprey("doctor", *data, "output=out", *words).code == 1
    fixed = pd.read_csv("fixed.csv")
    assert fixed.groupby("group")["split"].nunique().max() == 1
    assert fixed["split"].value_counts().to_dict() == {"train": 24, "val": 8, "test": 8}


def test_labels_classes_and_looks(here: Path, tmp_path: Path, osprey: Osprey) -> None:
    root = tmp_path / "odd"
    for number in range(24):
        save(root / "Tuna" / f"t{number}x.png", scene(number))
    save(root / "tuna " / "one.png", scene(400))
    save(root / "cod" / "one.png", scene(401))
    save(root / "cod" / "dark.png", scene(402) // 7)
    save(root / "cod" / "light.png", (255 - 90 * (scene(403) / 255.0) ** 4).astype(np.uint8))
    save(root / "cod" / "strip.png", np.tile(scene(404), (1, 5, 1)))
    save(root / "cod" / "blurred.png", cv2.GaussianBlur(scene(405, 384), (0, 0), 20))
    write_photo(root / "cod" / "blank.png", 128, (96, 128))
    drawn = np.full((96, 128, 3), 230, np.uint8)
    cv2.putText(drawn, "no image", (20, 50), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (120, 120, 120))
    save(root / "cod" / "drawn.png", drawn)
    found = examined(osprey, root)
    assert found["label_twins"]["table"][1:] == [["'Tuna' / 'tuna '", "24 / 1"]]
    assert found["small_classes"]["detail"] == "smallest: 'tuna' (1), 'cod' (7)"
    assert found["placeholders"]["remarks"] == {
        "cod/blank.png": "of one colour",
        "cod/drawn.png": "drawn",
    }
    for check, name in {"dark": "dark", "bright": "light", "blurred": "blurred"}.items():
        assert found[f"{check}_photos"]["photos"] == [[f"cod/{name}.png"]]
    assert found["odd_shapes"]["photos"] == [["cod/strip.png"]]


def test_boxes(here: Path, tmp_path: Path, osprey: Osprey) -> None:
    (tmp_path / "set").mkdir()
    root = make_squares(tmp_path / "set")
    content = json.loads((root / "boxes.json").read_text())
    boxes = content["annotations"]
    boxes[0]["bbox"] = [100, 10, 60, 30]
    boxes[1]["bbox"] = [10, 10, 0, 20]
    boxes[2]["bbox"] = [10, 10, 2, 2]
    boxes.append({**boxes[3], "id": 900})
    content["categories"].append({"id": 2, "name": "circle"})
    boxes.append({**boxes[4], "id": 901, "category_id": 2})
    content["categories"].append({"id": 3, "name": "never"})
    (root / "boxes.json").write_text(json.dumps(content))
    words = ("data=coco", f"data.root={root}", "data.file=boxes.json", "output=out")
    result = osprey("doctor", *words, "fix=fixed.csv")
    assert result.code == 1, result.out + result.err
    found = {x["check"]: x for x in json.loads(Path("out/doctor.json").read_text())["findings"]}
    kinds = ("boxes_outside", "empty_boxes", "tiny_boxes", "doubled_boxes", "disputed_boxes")
    assert {kind: found[kind]["count"] for kind in kinds} == dict.fromkeys(kinds, 1)
    assert found["classes_without_boxes"]["detail"] == "'never'"
    assert (
        "fix      boxes mended, listed in doctor.json: 1 clipped, 1 dropped: no area, 1 dropped: "
        "there twice\n" in result.out
    )
    fix = json.loads(Path("out/doctor.json").read_text())["fix"]["boxes"]
    told = {(box["path"], box["x"], box["w"], box["what"]) for box in fix}
    assert told >= {("1.png", 100, 60, "clipped"), ("2.png", 10, 0, "dropped: no area")}
    assert "oxes mended, listed in doctor.json" in Path("out/doctor.html").read_text()
    fixed = pd.read_csv("fixed.csv")
    assert json.loads(fixed.set_index("path")["boxes"]["1.png"])[0][1:] == [100, 10, 28, 30]


def test_bad_input(here: Path, clean: Path, tmp_path: Path, osprey: Osprey) -> None:
    def said(*words: str | Path) -> str:
        result = osprey("doctor", *words)
        assert result.code == 2 and result.err.count("\n") == 1, result.out + result.err
        return result.err.removeprefix("osprey doctor: ").strip()

    (tmp_path / "empty").mkdir()
    data = ("data=folder", f"data.root={clean}")
    assert said() == "name the data: osprey doctor data=folder data.root=PATH"
    assert said("data=folder") == "data.root is not set: add data.root=VALUE to the command"
    assert said("data=folder", f"data.root={tmp_path / 'empty'}").startswith(
        f"no photos under '{tmp_path / 'empty'}' (looked for "
    )
    assert said(*data, "fixx=a.csv") == "unknown setting 'fixx'; did you mean 'fix'?"
    assert said(*data, "near=al") == (
        "near: unknown 'al'; did you mean 'all'? (one of auto, all, whole, none)"
    )
    assert said(*data, "features=yes") == "features: 'yes' is not true or false"
    assert said(*data, "fix=out.txt") == (
        "fix: 'out.txt' is no CSV file: name one, such as fix=manifest.csv"
    )
    assert said(*data, f"fix={clean / 'out.csv'}") == (
        f"fix: '{clean}' is the folder of the photos, which is only read; name another folder"
    )
    assert said(*data, f"output={clean / 'out'}") == (
        f"output: '{clean / 'out'}' lies in '{clean}', which is only read; name another folder"
    )
    Path("theirs.csv").write_text("mine")
    assert said(*data, "fix=theirs.csv") == (
        "fix: 'theirs.csv' is there already, and Osprey does not know it as its own: name another, "
        "or move it away"
    )
    assert Path("theirs.csv").read_text() == "mine"
    Path("out").mkdir()
    Path("out/doctor.html").write_text("mine")
    assert said(*data, "output=out", "fix=new.csv") == (
        "output: 'out/doctor.html' is there already, and Osprey does not know it as its own: name "
        "another, or move it away"
    )
    assert [p.name for p in Path("out").iterdir()] == ["doctor.html"] and not Path(
        "new.csv"
    ).exists()
    assert said(*data, "data.group=boat").startswith("data.group: there is no column 'boat'")
    assert said(*data, "-m") == "doctor reads one data set: it takes no -m"


def test_all_photos_identical_and_classes_of_one(
    here: Path, tmp_path: Path, osprey: Osprey
) -> None:
    root = tmp_path / "same"
    for name in ("a/1", "a/2", "b/1", "c/1"):
        save(root / f"{name}.png", scene(1))
    result = osprey("doctor", "data=folder", f"data.root={root}", "output=out")
    assert result.code == 1
    assert (
        "note     training would refuse: cannot cut a test split: the 4 photos left for training "
        "are copies of one, which stay together" in result.out
    )
    found = {x["check"] for x in json.loads(Path("out/doctor.json").read_text())["findings"]}
    assert found == {"exact_copies_under_several_labels", "small_classes"}


def test_none_can_be_read(here: Path, tmp_path: Path, osprey: Osprey) -> None:
    for name in "ab":
        (tmp_path / "none" / name).mkdir(parents=True)
        (tmp_path / "none" / name / "x.jpg").write_bytes(b"")
    found = examined(osprey, tmp_path / "none")
    assert found["empty_files"]["count"] == 2


def test_the_page_is_as_narrow_as_a_phone(root: Path, here: Path, osprey: Osprey) -> None:
    shutil.copyfile(next((root / "val" / "a").iterdir()), root / "train" / "a" / "p00q.png")
    examined(osprey, root, "data.group=(?P<group>[0-9])q")
    text = Path("out/doctor.html").read_text()
    assert "http" not in text.replace("http-equiv", "")
    script = "return [page.documentElement.scrollWidth, page.querySelectorAll('.card img').length]"
    for width in (390, 1280):
        ((wide, pictures),) = browse([text], width, script)
        assert wide <= width and pictures >= 2


@pytest.mark.slow
def test_features_give_a_map_and_doubtful_labels(
    root: Path, here: Path, tmp_path: Path, osprey: Osprey
) -> None:
    colours = {"a": (200, 40, 40), "b": (40, 40, 200)}
    for path in root.rglob("*.png"):
        pixels = 0.3 * scene(int(path.stem[1:3])) + 0.7 * np.array(colours[path.parent.name])
        save(path, pixels.astype(np.uint8))
    blue = (0.3 * scene(500) + [28, 28, 140]).astype(np.uint8)
    wrong = save(root / "train" / "a" / "wrong.png", blue)
    words = ("features=true", "model=simple_cnn", "data.size=32", "data.num_workers=0")
    found = examined(osprey, root, *words, f"paths.cache={tmp_path / 'cache'}")
    assert found["doubtful_labels"]["photos"][0] == [wrong.relative_to(root).as_posix()]
    script = """
      const data = JSON.parse(page.getElementById("map-data").textContent);
      return [data.x.length, data.by.class.names, page.querySelectorAll("#map-legend li").length];
    """
    ((points, names, legend),) = browse([Path("out/doctor.html").read_text()], 390, script)
    assert points == 41 and names == ["a", "b"] and legend == 2
    refused = osprey("doctor", f"data.root={root}", "data=folder", "features=true", "model=fcos")
    assert refused.code == 2 and "has no features of a whole photo" in refused.err


def table_with_faults(root: Path) -> Path:
    """A table of the clean set that names two photos too many, one twice, one without a label."""
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    rows = [(path, path.split("/")[1], path.split("/")[0]) for path in paths[3:]]
    rows += [("gone/1.png", "a", "train"), ("gone/2.png", "b", "train"), rows[5]]
    rows.append((paths[0], "", "train"))
    file = root.parent / "labels.csv"
    pd.DataFrame(rows, columns=["path", "label", "split"]).to_csv(file, index=False)
    return file


def test_a_table_and_a_folder_that_do_not_agree(root: Path, here: Path, osprey: Osprey) -> None:
    file = table_with_faults(root)
    words = ("data=table", f"data.root={root}", f"data.file={file}")
    result = osprey("doctor", *words, "output=out", "near=none", "fix=clean.csv")
    assert result.code == 1, result.err
    found = json.loads(Path("out/doctor.json").read_text())
    by_check = {finding["check"]: finding for finding in found["findings"]}
    assert found["photos"] == 37
    counts = {key: finding["count"] for key, finding in by_check.items()}
    assert counts == {
        "missing_files": 2,
        "rows_without_label": 1,
        "rows_twice": 1,
        "unnamed_photos": 2,
    }
    assert by_check["missing_files"]["table"] == [["path"], ["gone/1.png"], ["gone/2.png"]]
    assert "copy the photos to data.root, or take the rows out; fix=clean.csv" in " ".join(
        result.out.split()
    )
    assert "gone/2.png" in Path("out/doctor.html").read_text()
    again = osprey("doctor", "data=table", f"data.root={root}", "data.file=clean.csv", "near=none")
    assert again.code == 0 and "doctor   nothing found" in again.out, again.out + again.err

    for path in [*root.rglob("*.png")]:
        path.unlink()
    result = osprey("doctor", *words, "near=none")
    assert result.code == 2 and "is data.root right?" in result.err
