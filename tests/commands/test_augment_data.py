"""augment_data: copies, their labels and weights, a stop and a second start, a full disk."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import COLOURS, Result, environment, real_data
from PIL import Image

import osprey as package
from osprey.augmentation import Policy
from osprey.augmentation.offline import room
from osprey.augmentation.offline.policies import policy_steps
from osprey.augmentation.offline.variants import seed_of
from osprey.errors import UserError
from osprey.imaging import Preprocess, read_image

SIZES = {"red": 6, "green": 3, "blue": 2}


@pytest.fixture
def folder(here: Path) -> Path:
    """A working folder with photos at several depths, and a table whose columns are Greek to us."""
    draw = np.random.default_rng(0)
    rows = []
    for label, count in SIZES.items():
        for number in range(count):
            place = here / "in" / ("deep/er" if number % 2 else "") / f"{label}{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.clip(COLOURS[label] + draw.integers(-40, 40, (40, 52, 3)), 0, 255)
            cv2.imwrite(str(place), pixels.astype(np.uint8)[..., ::-1])
            rows.append((f"{label}{number}", label, f"boat{number % 2}"))
    table = pd.DataFrame(rows, columns=["which", "species", "vessel"])
    table.to_csv(here / "labels.csv", index=False)
    return here


Augment = Callable[..., Result]
BASE = ["--input_folder", "in", "--output_folder", "out", "--label_file", "labels.csv"]
BASE += ["--new_label_and_weights_file", "new.csv"]


@pytest.fixture
def augment(folder: Path, osprey: Callable[..., Result]) -> Augment:
    """Call augment_data there, by one process."""

    def call(*more: Any) -> Result:
        return osprey("augment", *BASE, "--workers", "1", *more)

    return call


def table(name: str = "new.csv") -> pd.DataFrame:
    return pd.read_csv(name)


def files(root: str | Path = "out") -> dict[str, bytes]:
    found = {str(p.relative_to(root)): p.read_bytes() for p in Path(root).rglob("*.*g")}
    return dict(sorted(found.items()))


def test_the_label_file_and_its_weights(augment: Augment) -> None:
    before = files("in")
    done = augment()
    assert done.code == 0, done.err
    assert files("in") == before
    assert "columns: path is 'which', label is 'species'\n" in done.err
    assert done.err.endswith("  osprey train data=table data.root=out data.file=new.csv\n")
    new = table()
    assert list(new.columns) == ["path", "label", "weight", "source", "variant"]
    assert len(new) == 5 * sum(SIZES.values())  # four copies a photo, on average
    counts = new["label"].value_counts()
    assert counts["red"] > counts["green"] > counts["blue"] > 5 * SIZES["blue"]
    weights = new.groupby("label")["weight"].sum()
    assert np.allclose(weights, len(new) / 3) and np.isclose(new["weight"].mean(), 1)
    assert set(files()) == set(new["path"])
    first = new[new["source"] == "red0.png"]
    assert first["path"].tolist()[:2] == ["red0.png", "red0_1.jpg"]
    assert first["variant"].tolist() == list(range(len(first)))
    assert read_image(Path("out", "red0_1.jpg")).shape == (32, 32, 3)


def test_copies_are_what_training_sees(augment: Augment) -> None:
    assert augment("--policy", "light", "--copies", "1", "--balance", "none").code == 0
    policy = Policy(policy_steps("light", []), Preprocess(32))
    expected = policy(read_image(Path("in", "red0.png")), seed_of(0, "red0.png", 1))
    written = read_image(Path("out", "red0_1.jpg"))
    assert np.abs(expected.astype(int) - written).mean() < 8  # JPEG of noise
    other = policy(read_image(Path("in", "red0.png")), seed_of(0, "red0.png", 2))
    assert np.abs(other.astype(int) - written).mean() > 12


def test_a_seed_gives_the_same_files_whoever_makes_them(augment: Augment) -> None:
    assert augment("--copies", "2").code == 0
    one, labels = files(), Path("new.csv").read_bytes()
    shutil.rmtree("out")
    assert augment("--copies", "2", "--workers", "3").code == 0
    assert files() == one and Path("new.csv").read_bytes() == labels
    shutil.rmtree("out")
    assert augment("--copies", "2", "--seed", "1").code == 0
    assert set(files().values()) != set(one.values())


def test_balance_targets_and_groups(augment: Augment) -> None:
    assert augment("--balance", "uniform", "--copies", "5").code == 0
    assert table()["label"].value_counts().to_dict() == {"red": 22, "green": 22, "blue": 22}
    shutil.rmtree("out")
    words = ("--balance-by", "vessel", "--balance", "uniform", "--keep", "columns")
    done = augment(*words)
    assert done.code == 0, done.err
    new = table()
    assert list(new.columns)[5:] == ["vessel", "group"]
    cells = new.groupby(["label", "vessel"])["weight"].agg(["size", "sum"])
    assert np.allclose(cells["sum"], len(new) / 6)
    assert cells["size"].groupby("label").agg(np.ptp).max() <= 1
    assert (new["vessel"] == new["group"]).all() and "data.group=vessel\n" in done.err
    shutil.rmtree("out")
    Path("species.csv").write_text("kind,wanted\nblue,9\nred,3\n")
    done = augment("--counts", "species.csv")
    assert table()["label"].value_counts().to_dict() == {"blue": 9, "red": 6, "green": 3}
    assert "not in 'species.csv', so without copies: green\n" in done.err
    assert "more photos than 'species.csv' asks for, all kept: red\n" in done.err


def test_originals_and_exif(augment: Augment) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 6, "2026:01:02 03:04:05"
    Image.open("in/red0.png").resize((90, 40)).save("in/red0.jpg", exif=exif)
    os.remove("in/red0.png")
    words = ("--copies", "1", "--balance", "none")
    assert augment(*words, "--originals", "link", "--keep", "exif").code == 0
    assert Path("out", "red0.jpg").resolve() == Path("in", "red0.jpg").resolve()
    with Image.open("out/red0_1.jpg") as copy:
        assert dict(copy.getexif()) == {0x0112: 1, 0x0132: "2026:01:02 03:04:05"}
    shutil.rmtree("out")
    assert augment(*words, "--originals", "leave").code == 0
    assert table()["variant"].unique().tolist() == [1]
    assert "Exif" not in str(Path("out", "red0_1.jpg").read_bytes()[:200])


def test_given_splits_are_kept_and_only_train_is_augmented(folder: Path, augment: Augment) -> None:
    told = pd.read_csv("labels.csv")
    told["set"] = ["train" if n % 3 else "validation" for n in range(11)]
    told.to_csv("labels.csv", index=False)
    assert augment("--balance", "none").code == 0
    new = table()
    val = new[new["split"] == "val"]
    assert len(val) == 4 and (val["variant"] == 0).all() and (val["weight"] == 1).all()
    assert np.isclose(new[new["split"] == "train"]["weight"].mean(), 1)


def test_no_copy_is_called_as_a_photo(folder: Path, augment: Augment) -> None:
    shutil.copy("in/red0.png", "in/red2_1.png")
    pd.concat(
        [pd.read_csv("labels.csv"), pd.DataFrame([{"which": "red2_1", "species": "red"}])]
    ).to_csv("labels.csv", index=False)
    assert augment("--copies", "2", "--originals", "leave").code == 0
    paths = table()["path"]
    assert paths.is_unique and "red2__1.jpg" in set(paths) and "red2_1__1.jpg" in set(paths)


def test_a_finished_folder(augment: Augment) -> None:
    assert augment("--copies", "1").code == 0
    before, times = files(), {p: p.stat().st_mtime_ns for p in Path("out").rglob("*.*g")}
    assert augment("--copies", "1").err == (
        "osprey augment: --output_folder: 'out' was begun already: --resume goes on with it, or "
        "name another folder\n"
    )
    done = augment("--copies", "1", "--resume")
    assert done.code == 0 and "done before: 11 photos; left: 0\n" in done.err
    assert files() == before and times == {p: p.stat().st_mtime_ns for p in times}
    done = augment("--copies", "1", "--resume", "--seed", "3")
    assert (done.code, done.err.splitlines()[-1]) == (
        2,
        "osprey augment: --output_folder: 'out' was begun with seed 0, not 3: repeat that, or "
        "augment into another",
    )


def test_what_cannot_be_read_is_listed_and_the_rest_is_written(augment: Augment) -> None:
    whole = Path("in", "red0.png").read_bytes()
    Path("in", "red0.png").write_bytes(whole[:900])
    done = augment("--copies", "1")
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith(
        "osprey augment: 1 photo could not be read, listed in 'out/failures.csv', first: in/red0"
    )
    assert done.err.endswith("; mend them and add --resume, or --leave_out takes it so\n")
    assert table()["source"].nunique() == 10 and not Path("out", "red0.png").exists()
    done = augment("--copies", "1", "--resume", "--leave_out")
    assert done.code == 0 and "1 photo could not be read" in done.err
    Path("in", "red0.png").write_bytes(whole)
    assert Path("out", "failures.csv").is_file()
    assert augment("--copies", "1", "--resume").code == 0
    assert table()["source"].nunique() == 11
    assert not Path("out", "failures.csv").exists(), "of before"


LARGE = "labels.csv"


def _duplicate(here: Path) -> None:
    text = (here / LARGE).read_text()
    (here / LARGE).write_text(text + text.splitlines()[1] + "\n")


def _unlabelled(here: Path) -> None:
    (here / LARGE).write_text("\n".join((here / LARGE).read_text().splitlines()[:-2]) + "\n")


def _blank(here: Path) -> None:
    text = (here / LARGE).read_text()
    (here / LARGE).write_text(text.replace("red0,red", "red0,"))


def _gone(here: Path) -> None:
    (here / "in" / "red2.png").unlink()


def _slip(here: Path) -> None:
    text = (here / LARGE).read_text()
    (here / LARGE).write_text(text.replace("blue1,", "blue_1,"))


def _single(here: Path) -> None:
    (here / "in" / "deep" / "er" / "blue1.png").unlink()
    text = (here / LARGE).read_text()
    (here / LARGE).write_text(text.replace("blue1,blue,boat1\n", ""))


def _ambiguous(here: Path) -> None:
    shutil.copy(here / "in" / "red0.png", here / "in" / "deep" / "red0.png")


def _no_label_column(here: Path) -> None:
    told = pd.read_csv(here / LARGE).rename(columns={"species": "a", "vessel": "b"})
    told.to_csv(here / LARGE, index=False)


def _foreign(here: Path) -> None:
    (here / "new.csv").write_text("mine")


def _nothing(here: Path) -> None:
    pass


BAD = {
    "output inside input": (
        _nothing,
        ["--output_folder", "in/out"],
        "--output_folder: 'in/out' lies in 'in', which is only read; name another folder",
    ),
    "table inside input": (
        _nothing,
        ["--new_label_and_weights_file", "in/new.csv"],
        "--new_label_and_weights_file: 'IN' is the folder of the photos, which is only read; name "
        "another folder",
    ),
    "missing photos": (
        _gone,
        [],
        "--label_file: 'labels.csv' names 1 photo that is not below 'in', first 'red2'",
    ),
    "a name with a slip": (
        _slip,
        [],
        "--label_file: 'labels.csv' names 1 photo that is not below 'in', first 'blue_1'; did you "
        "mean 'deep/er/blue1.png'?",
    ),
    "photos without a row": (
        _unlabelled,
        [],
        "--label_file: 'labels.csv' has no label for 2 photos below 'in', first 'blue0.png': add "
        "them, or --leave_out goes on without them",
    ),
    "a row without a label": (
        _blank,
        [],
        "--label_file: 'labels.csv' has no label for 1 photo below 'in', first 'red0.png': add "
        "them, or --leave_out goes on without them",
    ),
    "duplicate rows": (
        _duplicate,
        [],
        "--label_file: 'labels.csv' has several rows for 1 photo, first 'red0.png': leave one row "
        "for each",
    ),
    "unknown policy": (
        _nothing,
        ["--policy", "hevy"],
        "--policy: there is no policy 'hevy'; did you mean 'heavy'? (one of detection, "
        "detection_strong, fish, heavy, light, none, randaugment, standard, trivialaugment, or a "
        "YAML file)",
    ),
    "a policy without steps": (
        _nothing,
        ["--policy", "none"],
        "--policy: 'none' has no steps: its copies would be the photos",
    ),
    "a class of one photo": (
        _single,
        [],
        "1 class of one photo, such as 'blue', of which --balance sqrt would make 9 copies: add "
        "photos, or take --balance none or --counts",
    ),
    "two photos of one name": (
        _ambiguous,
        [],
        "--label_file: 'labels.csv': 'red0' may be 'deep/red0.png' or 'red0.png': write paths from "
        "'in' on",
    ),
    "no column that is the label": (
        _no_label_column,
        [],
        "--label_file: which column of 'labels.csv' is the label? Add --columns label=COLUMN (it "
        "has: which, a, b)",
    ),
    "a column that is not there": (
        _nothing,
        ["--columns", "label=specis"],
        "--columns label: 'labels.csv' has no column 'specis'; did you mean 'species'?",
    ),
    "an unknown group": (
        _nothing,
        ["--balance-by", "vesel"],
        "--balance-by: there is no column 'vesel'; did you mean 'vessel'?",
    ),
    "an unknown balance": (
        _nothing,
        ["--balance", "sqr"],
        "--balance: unknown 'sqr'; did you mean 'sqrt'? (one of sqrt, uniform, none)",
    ),
    "no label file": (
        _nothing,
        ["--label_file", "label.csv"],
        "--label_file: there is no 'label.csv'; did you mean 'labels.csv'?",
    ),
    "no label file in its folder": (
        _nothing,
        ["--label_file", "in/../label.csv"],
        "--label_file: there is no 'in/../label.csv'; did you mean 'in/../labels.csv'?",
    ),
    "somebody's file": (
        _foreign,
        [],
        "--new_label_and_weights_file: 'new.csv' is there already, and Osprey does not know it as "
        "its own: name another, or add --force to replace it",
    ),
    "the label file": (
        _nothing,
        ["--new_label_and_weights_file", "labels.csv"],
        "--new_label_and_weights_file: 'labels.csv' is the label file; name another",
    ),
    "the list of failures": (
        _nothing,
        ["--new_label_and_weights_file", "out/failures.csv"],
        "--new_label_and_weights_file: 'out/failures.csv' will list what cannot be read; name "
        "another",
    ),
    "too many copies": (
        _nothing,
        ["--copies", "-1"],
        "--copies: -1 is not a whole number from 0 to 1000",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case: str, folder: Path, augment: Augment) -> None:
    change, words, line = BAD[case]
    change(folder)
    before = files("in")
    done = augment(*words)
    expected = f"osprey augment: {line.replace('IN', str(folder / 'in'))}\n"
    assert (done.code, done.err.splitlines(keepends=True)[-1]) == (2, expected)
    assert files("in") == before and not Path("out").exists()


def test_nothing_is_written_where_the_disk_is_too_small(
    augment: Augment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_disk", lambda folder: 20_000)
    done = augment("--copies", "100")
    assert done.code == 2 and not Path("out").exists()
    assert done.err.splitlines()[-1].startswith("osprey augment: --output_folder: about ")
    assert done.err.endswith(
        " are to be written, and 'out' has room for 20 kB: make room there, write elsewhere, or "
        "ask for fewer --copies\n"
    )


def test_a_disk_that_is_full_half_way(
    folder: Path, augment: Augment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the system's own error after some files; nothing half stands under its name."""
    from osprey.augmentation.offline import variants

    real, written = variants.write_bytes, []

    def full(path: Path, content: bytes, *, fixed: bool = False) -> None:
        if len(written) == 5:
            real(path.with_name(f".{path.name}.part"), content[:100])
            raise OSError(28, "No space left on device", str(path))
        written.append(path)
        real(path, content, fixed=fixed)

    monkeypatch.setattr(variants, "write_bytes", full)
    done = augment("--copies", "1")
    assert (done.code, done.err.splitlines()[-1]) == (
        2,
        "osprey augment: --output_folder: cannot write to 'out' (No space left on device); the "
        "same command with --resume goes on when that is mended",
    )
    assert not Path("new.csv").exists()
    assert all(read_image(Path("out", name)).size for name in files() if name[0] != ".")
    monkeypatch.setattr(variants, "write_bytes", real)
    assert augment("--copies", "1", "--resume").code == 0
    assert set(files()) == set(table()["path"]) and not list(Path("out").rglob("*.part"))


@pytest.fixture
def boxed(here: Path) -> Path:
    """Dark photos with a red square each, as a COCO set."""
    (here / "in").mkdir()
    images, boxes = [], []
    for number in range(6):
        pixels = np.full((96, 128, 3), 20, np.uint8)
        x, y, side = 20 + 8 * number, 10 + 6 * number, 36
        pixels[y : y + side, x : x + side] = (20, 20, 240)
        cv2.imwrite(str(here / "in" / f"{number}.png"), pixels)
        images.append({"id": number, "file_name": f"{number}.png", "width": 128, "height": 96})
        name = 1 + number % 2
        bbox = [x, y, side, side]
        boxes.append({"id": number, "image_id": number, "category_id": name, "bbox": bbox})
    names = [{"id": 1, "name": "crab"}, {"id": 2, "name": "eel"}]
    content = {"images": images, "annotations": boxes, "categories": names}
    (here / "boxes.json").write_text(json.dumps(content))
    return here


@pytest.mark.parametrize("form", ["coco", "table", "manifest"])
def test_boxes_follow_their_pixels(form: str, boxed: Path, osprey: Callable[..., Result]) -> None:
    labels = "boxes.json"
    if form != "coco":
        words = ("--input", "boxes.json", "--images", "in", "--output", "boxes.csv", "--to", "csv")
        assert osprey("convert", *words).code == 0
        labels = "boxes.csv"
    if form == "table":
        told = pd.read_csv(labels).rename(columns={"path": "photo", "label": "what", "x": "left"})
        told.to_csv(labels, index=False)
    if form == "manifest":
        told = pd.read_csv(labels)
        told["boxes"] = [
            json.dumps([[r.label, r.x, r.y, r.w, r.h]]) for r in told.itertuples(index=False)
        ]
        told[["path", "width", "height", "boxes"]].to_csv(labels, index=False)
    more = ["--columns", "x=left"] if form == "table" else []
    words = ["--input_folder", "in", "--output_folder", "out", "--label_file", labels, *more]
    done = osprey("augment", *words, "--new_label_and_weights_file", "new.csv", "--workers", "1")
    assert done.code == 0, done.err
    new = table()
    assert list(new.columns)[-3:] == ["width", "height", "boxes"]
    assert sorted(new["label"].unique()) == ["crab", "eel"] and len(new) == 30
    for row in new.itertuples():
        red, _, blue = np.moveaxis(read_image(Path("out", row.path)).astype(int), 2, 0)
        bright = red - blue > 70
        assert bright.shape == (row.height, row.width)
        ((label, x, y, w, h),) = json.loads(row.boxes)
        assert label == row.label
        ys, xs = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        found = np.array([xs[0], ys[0], xs[-1] + 1, ys[-1] + 1])
        assert np.abs(found - (x, y, x + w, y + h)).max() <= 2, (row.path, found, row.boxes)


def test_training_keeps_the_copies_of_a_photo_together(augment: Augment) -> None:
    from osprey.config.schema import DataConfig
    from osprey.data.prepare import prepare

    assert augment("--balance", "uniform").code == 0
    config = DataConfig(name="x", reader="table", root="out", file="new.csv", group="group")
    manifest = prepare(config, Path("cache")).manifest
    assert manifest.table.groupby("source")["split"].nunique().max() == 1
    assert np.isclose(table()["weight"].mean(), 1)


def test_no_figure_is_of_a_copy(augment: Augment) -> None:
    from osprey.config.schema import DataConfig
    from osprey.data.prepare import prepare

    assert "will test on copies" not in augment("--copies", "2").err
    config = DataConfig(name="x", reader="table", root="out", file="new.csv", group="group")
    prepared = prepare(config, Path("cache"))
    new = prepared.manifest.table
    held = new[new["split"] != "train"]
    assert len(held) >= 2 and (held["variant"] == "0").all()
    assert (new["variant"] != "0").any() and len(prepared.given) == len(new)
    left = len(table()) - len(new)
    assert f"left out of val and test, augmented copies of photos: {left}" in prepared.notices
    assert not any("leaky" in line for line in prepared.notices)
    loose = prepare(replace(config, group=None), Path("cache"))
    (line,) = (line for line in loose.notices if line.startswith("leaky split: "))
    assert line.endswith("figures will flatter; data.group=source keeps them together")
    tied = prepare(replace(config, group="source"), Path("cache"))
    assert not any("leaky" in line for line in tied.notices)
    shutil.rmtree("out")
    done = augment("--copies", "2", "--originals", "leave")
    assert (
        "training will test on copies: the photos are not beside them (--originals leave), and no "
        "split is given\n" in done.err
    )


def test_columns_that_the_new_file_has_of_its_own_are_told(folder: Path, augment: Augment) -> None:
    told = pd.read_csv("labels.csv").assign(weight=2, source="harbour")
    told.to_csv("labels.csv", index=False)
    line = "not kept, for the new file has its own of that name: "
    done = augment("--copies", "0", "--keep", "columns")
    assert f"{line}source and weight\n" in done.err
    shutil.rmtree("out")
    assert f"{line}weight\n" in augment("--copies", "0").err


def test_from_python(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    places = (Path("in"), Path("out"), Path("labels.csv"), Path("new.csv"))
    made = package.augment_data(*places, policy="light", copies=1, workers=1, balance="none")
    assert made["path"].tolist() == table()["path"].tolist()
    with pytest.raises(UserError, match="augment_data has no option 'copy'; did you mean 'copies'"):
        package.augment_data(*places, copy=1)


COMMAND = "import sys; from osprey.commands.augment import augment_data; sys.exit(augment_data())"


def test_the_console_script_needs_no_torch(folder: Path) -> None:
    """And it says what goes wrong under the command's name."""
    code = (
        f"import sys\nfrom osprey.commands.augment import augment_data\n"
        f"sys.argv = ['augment_data', *{[*BASE, '--copies', '1', '--workers', '2']!r}]\n"
        "code = augment_data()\nassert 'torch' not in sys.modules\nsys.exit(code)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(table()) == 22


@pytest.mark.slow
def test_a_killed_run_goes_on(folder: Path) -> None:
    """kill -9 at several moments; every file is made once, and its processes end with it."""
    words = [sys.executable, "-c", COMMAND, *BASE, "--workers", "2", "--copies", "100"]
    whole = subprocess.run(words, env=environment(), capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    expected, labels = files(), Path("new.csv").read_bytes()
    shutil.rmtree("out")
    kills = 0
    for wanted in (20, 150, 400, None):
        process = subprocess.Popen([*words, "--resume"], env=environment(), stderr=subprocess.PIPE)
        while wanted is not None and process.poll() is None and len(files()) < wanted:
            time.sleep(0.01)
        if wanted is None:
            _, said = process.communicate()
            assert process.returncode == 0, said
            break
        process.kill()
        process.communicate()  # ends when the last of its processes has closed the pipe
        kills += process.returncode == -9
        finished = {n: Path("out", n).stat().st_mtime_ns for n in files() if ".part" not in n}
    assert kills == 3
    assert all(Path("out", n).stat().st_mtime_ns == at for n, at in finished.items())
    assert files() == expected and Path("new.csv").read_bytes() == labels
    lines = Path("out", "journal.jsonl").read_text().splitlines()
    assert len(lines) == len({json.loads(line)[0]["source"] for line in lines}) == 11


@pytest.mark.slow
@pytest.mark.real_data
def test_clothing_by_the_table_it_comes_with(here: Path) -> None:
    clothing = real_data("clothing")
    words = ["--input_folder", clothing, "--output_folder", "out", "--copies", "0"]
    words += ["--label_file", clothing / "attributes.csv"]
    words += ["--new_label_and_weights_file", "new.csv", "--originals", "link"]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, words)],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "columns: path is 'filepath', split is 'split', label is 'category'\n" in done.stderr
    assert len(table()) == 4221


@pytest.mark.slow
def test_no_room_for_a_file_of_one_of_several_processes(folder: Path) -> None:
    """No file may be larger than so many bytes; copies are, and end the command tidily."""

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1300, 1300))

    words = [sys.executable, "-c", COMMAND, *BASE, "--workers", "2", "--policy", "light"]
    env = {k: v for k, v in environment().items() if not k.startswith("COV")}
    done = subprocess.run(words, env=env, capture_output=True, text=True, preexec_fn=full)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "osprey augment: --output_folder: cannot write to 'out' (File too large); the same command "
        "with --resume goes on when that is mended",
    )
    assert not Path("new.csv").exists() and not list(Path("out").rglob(".*.part"))
    assert all(read_image(Path("out", name)).size for name in files())
    again = subprocess.run([*words, "--resume"], env=env, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert set(files()) == set(table()["path"])
