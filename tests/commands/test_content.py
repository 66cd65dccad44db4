"""Photos are known by their bytes: copies share a split, and no run is tested on what it learnt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import TINY, Result, make_photos, make_squares, only_run
from helpers import data_config

from osprey import evaluate
from osprey.data.prepare import prepare

TRAIN = ("train", "data=folder", "model=simple_cnn", *TINY, "trainer.max_epochs=1")


def manifest(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "manifest.csv", dtype=str, keep_default_na=False)


def refused(result: Result, program: str = "train") -> str:
    """The one line of a command that did nothing."""
    assert result.code == 2
    assert result.err.count("\n") == 1
    return result.err.removeprefix(f"osprey {program}: ").strip()


# ---------------------------------------------------------------- copies in one data set


def test_copies_share_a_split(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    root = make_photos(here / "set")
    for number in range(8):
        shutil.copy(root / "red" / f"red_{number:02d}.png", root / "red" / f"x_{number:02d}.png")
    result = osprey(*TRAIN, f"data.root={root}")
    assert result.code == 0, result.err
    assert (
        "8 photos are exact copies of others, first 'red/red_00.png' = 'red/x_00.png': copies "
        "share a split\n"
    ) in result.out
    table = manifest(only_run(here))
    assert table["sha256"].nunique() == 36 and len(table) == 44
    assert (table.groupby("sha256")["split"].nunique() == 1).all()
    again = osprey(*TRAIN, f"data.root={root}", "data.split_seed=5", "data.folds=4", "data.fold=2")
    assert again.code == 0, again.err
    newest = manifest(sorted(here.glob("runs/*/2*"))[-1])
    assert (newest.groupby("sha256")["split"].nunique() == 1).all()


def test_copies_that_the_users_own_split_separates_are_told(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    for seed, split in enumerate(("train", "val", "test")):
        make_photos(here / "set" / split, per_class=4, seed=seed)
    for number in range(2):
        source = here / "set" / "train" / "red" / f"red_{number:02d}.png"
        shutil.copy(source, here / "set" / "test" / "red" / f"x_{number:02d}.png")
    result = osprey(*TRAIN, "data.root=set")
    assert result.code == 0, result.err
    assert (
        "leaky split: 2 photos of val or test are also in another split, byte for byte, first "
        "'test/red/x_00.png' (test) = 'train/red/red_00.png' (train): figures will flatter; "
        "delete the copies, or cut a clean split with data.given_split=false\n"
    ) in result.out
    clean = osprey(*TRAIN, "data.root=set", "data.given_split=false", "name=clean")
    assert clean.code == 0, clean.err
    assert "2 photos are exact copies of others" in clean.out


@pytest.fixture
def torn(here: Path) -> Path:
    """36 photos, one of which is also in the folders of the two other classes."""
    root = make_photos(here / "set")
    for label in ("blue", "green"):
        shutil.copy(root / "red" / "red_03.png", root / label / "copy.png")
    return root


def test_one_photo_under_two_labels_is_refused(here: Path, torn: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert refused(osprey(*TRAIN, f"data.root={torn}")) == (
        "1 photo is under more than one label, byte for byte: 'blue/copy.png' (blue) = "
        "'green/copy.png' (green); correct the labels, leave all of them out with "
        "data.conflicts=drop, or train on them as they are with data.conflicts=keep"
    )
    assert not (here / "runs").exists()
    swept = osprey(*TRAIN, "-m", f"data.root={torn}", "seed=0,1")
    assert swept.code == 1, "as after any trial that failed"
    assert "1 photo is under more than one label" in swept.err
    assert refused(osprey(*TRAIN, f"data.root={torn}", "data.conflicts=dorp")) == (
        "data.conflicts: unknown 'dorp'; did you mean 'drop'? (one of refuse, drop, keep)"
    )


@pytest.mark.parametrize(("how", "left"), [("drop", 35), ("keep", 38)])
def test_or_left_out_or_kept(how: str, left: int, here: Path, torn: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey(*TRAIN, f"data.root={torn}", f"data.conflicts={how}")
    assert result.code == 0, result.err
    what = "1 photo is under more than one label, byte for byte"
    start = f"left out, {what}" if how == "drop" else f"{what}, kept"
    assert f"{start} (3 files): 'blue/copy.png' (blue) = 'green/copy.png' (green)\n" in result.out
    table = manifest(only_run(here))
    assert len(table) == left
    assert (table.groupby("sha256")["split"].nunique() == 1).all()


def test_a_second_run_reads_no_file_again(here: Path, osprey, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    root = make_photos(here / "set")
    assert osprey(*TRAIN, f"data.root={root}").code == 0
    monkeypatch.setattr("osprey.data.check._look_at", lambda *read: pytest.fail(f"read {read[1]}"))
    result = osprey(*TRAIN, f"data.root={root}", "name=again")
    assert result.code == 0, result.err
    first, second = (manifest(next(here.glob(f"runs/{n}/2*"))) for n in ("folder*", "again"))
    assert first.equals(second) and (first["sha256"].str.len() == 64).all()


# ---------------------------------------------------------------- osprey eval on another folder


@pytest.fixture
def learnt(here: Path, osprey) -> Path:  # type: ignore[no-untyped-def]
    """The folder of a run on the 36 photos under ``set``."""
    make_photos(here / "set")
    result = osprey(*TRAIN, "data.root=set", "name=one")
    assert result.code == 0, result.err
    (run,) = (here / "runs" / "one").iterdir()
    return run


def renamed(source: Path, target: Path) -> Path:
    """The same photos under other names, in another order."""
    for number, file in enumerate(sorted(source.rglob("*.png"), reverse=True)):
        place = target / file.parent.name / f"photo_{number:03d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    return target


def split_of(run: Path, split: str) -> set[str]:
    table = manifest(run)
    return set(table["sha256"][table["split"] == split])


def figures(run: Path, pattern: str) -> dict[str, Any]:
    (file,) = run.glob(f"evaluations/{pattern}.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.parametrize("moved", [False, True])
def test_photos_of_the_run_keep_their_split(moved: bool, here: Path, learnt: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    root = renamed(here / "set", here / "elsewhere") if moved else here / "set"
    if moved:
        shutil.rmtree(here / "set")
    summary = json.loads((learnt / "summary.json").read_text())
    result = osprey("eval", f"run={learnt}", f"data.root={root}")
    assert result.code == 0, result.err
    counts = ", ".join(f"{name} {len(split_of(learnt, name))}" for name in ("train", "val", "test"))
    assert (
        f"36 of 36 photos are the run's own, known by their bytes, and keep its splits: {counts}\n"
    ) in result.out
    assert "trained on" not in result.out
    found = figures(learnt, f"best-test-{root.name}-*")
    assert found["n"] == summary["test"]["n"] == len(split_of(learnt, "test"))
    assert found["log_loss"] == pytest.approx(summary["test"]["log_loss"], abs=1e-5)
    assert "trained_on" not in found


def test_new_photos_beside_those_of_the_run_are_tested(here: Path, learnt: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    renamed(here / "set", here / "more")
    make_photos(here / "more", per_class=5, seed=9)
    found = evaluate([f"run={learnt}", "data.root=more"])
    assert found["n"] == len(split_of(learnt, "test")) + 15
    assert "trained_on" not in found


def test_photos_trained_on_count_where_that_is_asked_for(here: Path, learnt: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    words = ("eval", f"run={learnt}", "data.root=set")
    result = osprey(*words, "data.allow_leakage=true")
    assert result.code == 0, result.err
    n = len(split_of(learnt, "train"))
    assert f"\ntest    trained on {n} of these 36 photos: the figures flatter\n" in result.out
    found = figures(learnt, "best-test-set-leaky-*")
    assert (found["n"], found["trained_on"]) == (36, n)
    own = osprey("eval", f"run={learnt}", "data.split=train")
    assert f"train   trained on {n} of these {n} photos: the figures flatter\n" in own.out
    assert figures(learnt, "best-train")["trained_on"] == n


def test_nothing_but_photos_trained_on(here: Path, learnt: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    table = manifest(learnt)
    for path in table["path"][table["split"] != "train"]:
        (here / "set" / path).unlink()
    n = len(split_of(learnt, "train"))
    assert refused(osprey("eval", f"run={learnt}", "data.root=set"), "eval") == (
        f"nothing to test on: no photo under 'set' is left in test (train {n}); name a split with "
        "data.split, or photos the run has not seen, or accept flattering figures with "
        "data.allow_leakage=true"
    )
    assert not (learnt / "evaluations").exists()


def test_one_photo_under_two_labels_is_no_test(here: Path, learnt: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    root = make_photos(here / "fresh", per_class=4, seed=3)
    shutil.copy(root / "red" / "red_00.png", root / "blue" / "copy.png")
    words = ("eval", f"run={learnt}", "data.root=fresh")
    assert refused(osprey(*words), "eval").startswith(
        "1 photo is under more than one label, byte for byte: 'blue/copy.png' (blue) = "
        "'red/red_00.png' (red); correct the labels, "
    )
    assert osprey(*words, "data.conflicts=drop").code == 0
    assert figures(learnt, "best-test-fresh-drop-*")["n"] == 11


def without_digests(run: Path) -> None:
    """The run as an earlier version wrote it."""
    manifest(run).drop(columns="sha256").to_csv(run / "manifest.csv", index=False)
    config = (run / "config.yaml").read_text()
    lines = [line for line in config.splitlines() if not line.startswith("  conflicts:")]
    assert len(lines) == len(config.splitlines()) - 1
    (run / "config.yaml").write_text("\n".join(lines))


def test_photos_of_an_earlier_versions_run_are_known_by_their_place(
    here: Path, learnt: Path, osprey
) -> None:  # type: ignore[no-untyped-def]
    without_digests(learnt)
    assert osprey("eval", f"run={learnt}").code == 0
    result = osprey("eval", f"run={learnt}", f"data.root={here / 'set'}")
    assert result.code == 0, result.err
    assert "36 of 36 photos are the run's own, known by their place, and keep" in result.out
    assert "the run has no sha256 of its photos: copies elsewhere are not known\n" in result.out
    assert figures(learnt, "best-test-set-*")["n"] == 5
    renamed(here / "set", here / "moved")
    assert osprey("eval", f"run={learnt}", "data.root=moved").code == 0
    assert figures(learnt, "best-test-moved-*")["n"] == 36


# ---------------------------------------------------------------- runs that build on others


_QUIET = ("trainer.autotune=false", "callbacks.progress=false", "data.num_workers=0", "name=two")


@pytest.fixture(params=["from", "model.runs"])
def building(request: pytest.FixtureRequest, learnt: Path, osprey) -> tuple[str, list[str]]:  # type: ignore[no-untyped-def]
    """What names the earlier run, and the words of a command that builds on it."""
    if request.param == "from":
        return "from", ["train", "trainer.max_epochs=1", *_QUIET, f"from={learnt}"]
    result = osprey(*TRAIN, "data.root=set", "name=other", "seed=1")
    assert result.code == 0, result.err
    (other,) = (learnt.parents[1] / "other").iterdir()
    return "model.runs", ["train", "model=ensemble", *_QUIET, f"model.runs=[{learnt},{other}]"]


@pytest.mark.slow
def test_moved_photos_keep_the_earlier_split(
    here: Path, learnt: Path, building: tuple[str, list[str]], osprey
) -> None:  # type: ignore[no-untyped-def]
    _, words = building
    renamed(here / "set", here / "moved")
    shutil.rmtree(here / "set")
    make_photos(here / "moved", per_class=4, seed=9)
    result = osprey(*words, "data.root=moved")
    assert result.code == 0, result.err
    assert (
        f"36 of 48 photos are those of '{learnt}' under other names or in another folder, known by "
        "their bytes: they keep its splits\n"
    ) in result.out
    (run,) = (here / "runs" / "two").iterdir()
    for name in ("train", "val", "test"):
        assert split_of(learnt, name) <= split_of(run, name)


@pytest.mark.slow
def test_copies_of_what_was_learnt_are_no_test(
    here: Path, learnt: Path, building: tuple[str, list[str]], osprey
) -> None:  # type: ignore[no-untyped-def]
    what, words = building
    renamed(here / "set", here / "moved")
    again = [*words, "data.root=moved", "data.split_seed=7"]
    error = refused(osprey(*again))
    assert error.startswith(f"{what}: '{learnt}' was trained on ")
    assert error.endswith(
        "leave the data settings out to take over its own split, put these photos into train, or "
        "accept flattering figures with data.allow_leakage=true"
    )
    assert not (here / "runs" / "two").exists()
    allowed = osprey(*again, "data.allow_leakage=true")
    assert allowed.code == 0, allowed.err
    assert f"{what}: '{learnt}' was trained on " in allowed.out
    (run,) = (here / "runs" / "two").iterdir()
    held = {name: len(split_of(run, name) & split_of(learnt, "train")) for name in ("val", "test")}
    assert json.loads((run / "summary.json").read_text())["trained_on"] == held
    assert (
        f"was trained on {held['test']} of the photos that the" in (run / "report.html").read_text()
    )
    line = f"test    trained on {held['test']} of these photos: the figures flatter\n"
    assert line in allowed.out


def test_a_given_split_that_tests_on_what_was_learnt_is_refused(
    here: Path, learnt: Path, building: tuple[str, list[str]], osprey
) -> None:  # type: ignore[no-untyped-def]
    what, words = building
    sides = {"train": "test", "val": "val", "test": "train"}
    table = manifest(learnt)
    for number, row in enumerate(table.itertuples()):
        place = here / "given" / sides[row.split] / row.label / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(here / "set" / row.path, place)
    error = refused(osprey(*words, "data.root=given"))
    n = len(split_of(learnt, "train"))
    assert error.startswith(f"{what}: '{learnt}' was trained on {n} of the photos now in val or ")


@pytest.mark.slow
def test_other_photos_of_equal_names_are_no_leak(
    here: Path, learnt: Path, building: tuple[str, list[str]], osprey
) -> None:  # type: ignore[no-untyped-def]
    _, words = building
    make_photos(here / "strange", seed=5)
    result = osprey(*words, "data.root=strange", "data.split_seed=7")
    assert result.code == 0, result.err
    assert "was trained on" not in result.out and "known by" not in result.out


@pytest.mark.slow
def test_a_sweep_of_runs_that_build_on_another(here: Path, learnt: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    renamed(here / "set", here / "moved")
    words = ["train", "-m", f"from={learnt}", *_QUIET, "trainer.max_epochs=1", "data.root=moved"]
    swept = osprey(*words, "data.split_seed=7,8")
    assert swept.code == 1
    assert swept.err.count(f"from: '{learnt}' was trained on ") >= 2


@pytest.mark.slow
def test_earlier_versions_runs_are_known_by_place(here: Path, learnt: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    without_digests(learnt)
    words = ["train", f"from={learnt}", *_QUIET, "trainer.max_epochs=1"]
    error = refused(osprey(*words, "data.split_seed=7"))
    assert error.startswith(f"from: '{learnt}' was trained on ")
    renamed(here / "set", here / "moved")
    result = osprey(*words, "data.root=moved", "data.split_seed=7")
    assert result.code == 0, result.err
    line = "has no sha256 of its photos: copies of them are not known\n"
    assert f"from: '{learnt}' {line}" in result.out


@pytest.mark.slow
def test_an_ensembles_members_have_learnt_too(here: Path, learnt: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    make_photos(here / "extra", per_class=6, seed=6)
    result = osprey(*TRAIN, "data.root=extra", "name=other")
    assert result.code == 0, result.err
    (other,) = (here / "runs" / "other").iterdir()
    words = ("train", "model=ensemble", *_QUIET, f"model.runs=[{learnt},{other}]")
    assert osprey(*words).code == 0
    (run,) = (here / "runs" / "two").iterdir()
    tested = osprey("eval", f"run={run}", "data.root=extra")
    assert tested.code == 0, tested.err
    n = len(split_of(other, "train"))
    assert (
        f"left out of test: {n} photos that '{run}' or a run it came from was trained on, first "
    ) in tested.out
    assert figures(run, "best-test-extra-*")["n"] == 18 - n


def test_two_steps_are_not_tested_on_what_the_detector_has_learnt(
    folder: Path, detector: Path, osprey
) -> None:  # type: ignore[no-untyped-def]
    words = ["train", "model=simple_cnn", *TINY, "trainer.max_epochs=1", "data.render_count=200"]
    split = ["data.group=null", "data.given_split=false", "paths.runs=mine", "name=names"]
    result = osprey(*words, f"data.root={detector / 'harbour'}", *split)
    assert result.code == 0, result.err
    (what,) = (folder / "mine" / "names").iterdir()
    where = only_run(detector)
    n = len(split_of(what, "test") & split_of(where, "train"))
    assert 0 < n < len(split_of(what, "test"))
    tested = osprey("eval", f"run={what}", f"detector={where}")
    assert tested.code == 0, tested.err
    line = f"left out of test: {n} photos that '{where}' or a run it came from was trained on, "
    assert line in tested.out
    found = figures(what, f"two-step-{where.name}-test")
    assert found["n"] == len(split_of(what, "test")) - n and "trained_on" not in found
    assert osprey("eval", f"run={what}", f"detector={where}", "data.allow_leakage=true").code == 0
    found = figures(what, f"two-step-{where.name}-test-leaky")
    assert (found["n"], found["trained_on"]) == (len(split_of(what, "test")), n)


def test_copies_of_photos_with_boxes_share_a_split(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    root = make_squares(here)
    content = json.loads((root / "boxes.json").read_text())
    for image in content["images"][:12]:
        name = f"copy_{image['id']}.png"
        shutil.copy(root / image["file_name"], root / name)
        content["images"].append({**image, "id": 100 + image["id"], "file_name": name})
    (root / "boxes.json").write_text(json.dumps(content))  # the copies have no boxes: so be it
    config = data_config(root, "coco", file="boxes.json")
    prepared = prepare(config, here.parent / "cache")
    table = prepared.manifest.table
    assert len(table) == 42 and (table.groupby("sha256")["split"].nunique() == 1).all()
    line = (
        "12 photos are exact copies of others, first '0.png' = 'copy_0.png': copies share a split; "
        "9 photos with other boxes than their copies, first '1.png' and 'copy_1.png': what one "
        "lacks is background"
    )
    assert line in prepared.notices
