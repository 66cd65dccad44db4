"""What a command would not look at is refused, and what is damaged is called so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TINY, Result, as_anybody, make_photos, only_run

Call = Callable[..., Result]


@pytest.fixture
def place(trained: Path, here: Path) -> Path:
    """A working folder with a classifier's run in it, which may be damaged."""
    shutil.copytree(trained / "runs", here / "runs", symlinks=True)
    return only_run(here)


@pytest.mark.parametrize(
    ("word", "readers"),
    [
        ("data.file=labels.csv", "table (or coco, voc, yolo, megadetector, boxes, "),
        ("data.filter={sex: male}", "table\n"),
    ],
)
def test_a_setting_that_its_reader_does_not_look_at(
    place: Path, photos: Path, osprey: Call, word: str, readers: str
) -> None:
    line = (
        f"data.{word[5:].partition('=')[0]}: data.reader=folder does not look at it: leave it out, "
        f"or choose data.reader={readers}"
    )
    result = osprey("train", "data=folder", f"data.root={photos}", word, *TINY)
    assert result.code == 2 and result.err.startswith(f"osprey train: {line}")
    if word.startswith("data.file"):  # eval has no filter
        result = osprey("eval", "run=latest", f"data.root={photos}", word)
        assert result.code == 2 and result.err.startswith(f"osprey eval: {line}")
        assert result.err.count("\n") == 1


def test_a_damaged_run_is_called_so(place: Path, osprey: Call) -> None:
    where = place.relative_to(Path.cwd())
    whole = (place / "config.yaml").read_text()
    (place / "config.yaml").write_text(whole[: whole.index("\n", len(whole) // 3) + 1])
    result = osprey("eval", f"run={where}")
    assert result.code == 2 and result.err.startswith(
        f"osprey eval: run '{where}' has a damaged config.yaml ("
    )
    (place / "config.yaml").write_text(whole)
    table = (place / "manifest.csv").read_text()
    for damaged in ("", "nothing,of,it\n1,2,3\n", table.replace("train", "trian", 1)):
        (place / "manifest.csv").write_text(damaged)
        result = osprey("eval", f"run={where}")
        assert result.code == 2 and result.err.startswith(
            f"osprey eval: run '{where}' has no whole manifest.csv ("
        )
        assert result.err.endswith("): copy it again, or train anew\n")
    (place / "manifest.csv").unlink()
    line = f"osprey eval: run '{where}' has no whole manifest.csv: copy it again, or train anew\n"
    result = osprey("eval", f"run={where}")
    assert (result.code, result.err) == (2, line)


def test_words_without_a_name(place: Path, osprey: Call) -> None:
    for word in ("=x", "=", "+=x"):
        result = osprey("train", word)
        line = f"osprey train: '{word}' has no setting's name before the '='; --help lists them\n"
        assert (result.code, result.err) == (2, line)
    result = osprey("train", "--cfg", "job", "--package", "modle")
    line = "osprey train: --package=modle: package 'modle' not found in config\n"
    assert (result.code, result.err) == (2, line)
    assert osprey("train", "--cfg", "job", "--package", "model").code == 0
    result = osprey("predict", "--image", "/dev/null")
    line = "osprey predict: --image: '/dev/null' is no regular file: name a photo\n"
    assert (result.code, result.err) == (2, line)


def test_photos_left_over_in_each_epoch_are_told(here: Path, osprey: Call) -> None:
    photos = make_photos(here / "photos", per_class=12)
    result = osprey("train", "data=folder", f"data.root={photos}", *TINY, "data.batch_size=7")
    assert result.code == 0, result.err
    counted = [line for line in result.out.splitlines() if line.startswith("batches ")]
    count = (only_run(here) / "manifest.csv").read_text().count(",train,")
    assert counted == [f"batches {count % 7} photos left over in each epoch, other ones each time"]
    assert count % 7 > 1


def test_harbour_of_another_count_names_the_setting(here: Path, osprey: Call) -> None:
    words = ("train", "data=harbour", "data.root=harbour", *TINY, "trainer.max_epochs=1")
    assert osprey(*words, "data.render_count=200", "trainer.limit_train_batches=1").code == 0
    result = osprey(*words)
    assert (result.code, result.err) == (
        2,
        "osprey train: harbour holds a harbour set with count=200 not 1600: use it with "
        "data.render_count=200, name another folder with data.root=FOLDER, or delete it\n",
    )


def test_the_newest_of_the_runs_named_last(place: Path, photos: Path, osprey: Call) -> None:
    words = ("train", "from=latest", "data=folder", f"data.root={photos}", *TINY)
    result = osprey(*words, "paths.runs=none", "paths.runs=runs", "model.options={width: 3}")
    assert "there is no finished run" not in result.err


@pytest.mark.slow
def test_a_run_that_cannot_be_written_into(place: Path) -> None:
    """Refused before the work, also where the folder of evaluations is there already."""
    (place / "evaluations").mkdir(exist_ok=True)
    (place / "evaluations").chmod(0o500)
    (place / "checkpoints" / "best.ckpt").write_bytes(b"is not even opened")
    result = as_anybody(["eval", f"run={place}"], place)
    assert result.code == 2 and result.err.startswith(f"osprey eval: '{place}/evaluations")
    assert result.err.endswith(
        "permission denied: give yourself the right to it, or name another folder\n"
    )
