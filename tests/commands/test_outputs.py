"""Nothing that Osprey did not write is replaced, wherever a user lets it write."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Result, environment, only_run

from osprey.errors import UserError
from osprey.system import files
from osprey.system.outputs import output_path
from osprey.system.own_files import foreign_among, remember
from osprey.tasks.detection.predict.pictures import Pictures

Call = Callable[..., Result]
REFUSED = (
    "is there already, and Osprey does not know it as its own: name another, or add --force to "
    "replace it"
)


@pytest.fixture
def classifier(trained: Path, here: Path) -> Path:
    """A working folder with a classifier's run in it."""
    shutil.copytree(trained / "runs", here / "runs")
    return here


@pytest.fixture
def finder(detector: Path, here: Path) -> Iterator[tuple[Path, Path]]:
    """A working folder with a detector's run in it, and a folder of four photos."""
    shutil.copytree(detector / "runs", here / "runs")
    inbox = here / "inbox"
    inbox.mkdir()
    for number, photo in enumerate(sorted((detector / "harbour").rglob("*.jpg"))[:4]):
        shutil.copy(photo, inbox / f"DSC_{number}.jpg")
    yield here, inbox


def test_a_table_of_ones_own_stays(classifier: Path, photos: Path, osprey: Call) -> None:
    words = ("predict", "--folder", photos, "--output", "labels.csv")
    own = classifier / "labels.csv"
    own.write_text("file,label\n")
    result = osprey(*words)
    assert (result.code, result.err) == (2, f"osprey predict: --output: 'labels.csv' {REFUSED}\n")
    assert own.read_text() == "file,label\n"
    assert osprey(*words, "--force").code == 0
    assert osprey(*words).code == 0, "now it is Osprey's"
    with own.open("a") as file:
        file.write("mine.jpg,red,1\n")
    assert osprey(*words).code == 2, "and now it is the user's again"
    assert own.read_text().endswith("mine.jpg,red,1\n")


def test_a_link_is_followed(classifier: Path, photos: Path, osprey: Call) -> None:
    words = ("predict", "--folder", photos, "--output", "link.csv")
    (classifier / "link.csv").symlink_to("real.csv")
    assert osprey(*words).code == 0
    assert (classifier / "link.csv").is_symlink()
    assert len((classifier / "real.csv").read_text().splitlines()) == 37
    (classifier / "real.csv").write_text("mine\n")
    result = osprey(*words)
    assert result.code == 2 and result.err.endswith(f"/real.csv' {REFUSED}\n")
    (classifier / "link.csv").unlink()
    (classifier / "link.csv").symlink_to(photos / "table.csv")
    result = osprey(*words)
    assert result.code == 2 and "which is only read; name another folder" in result.err


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output(classifier: Path, photos: Path, name: str) -> None:
    command = [sys.executable, "-m", "osprey", "predict", "--folder", str(photos), "--output", name]
    done = subprocess.run(command, cwd=classifier, env=environment(), capture_output=True)
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader(done.stdout.decode().splitlines()))
    assert len(rows) == 37 and rows[0][:2] == ["file", "label"]
    with (classifier / "sent.csv").open("wb") as file:
        assert (
            subprocess.run(command, cwd=classifier, env=environment(), stdout=file).returncode == 0
        )
    assert (classifier / "sent.csv").read_bytes() == done.stdout
    assert not (classifier / "-").exists()


@pytest.mark.parametrize("form", ["csv", "submission"])
def test_a_table_for_excel(classifier: Path, photos: Path, osprey: Call, form: str) -> None:
    words = ("predict", "--folder", photos, "--output")
    assert osprey(*words, "plain.csv", "--format", form).code == 0
    assert osprey(*words, "excel.csv", "--format", form, "--excel").code == 0
    plain = (classifier / "plain.csv").read_bytes()
    assert (classifier / "excel.csv").read_bytes() == b"\xef\xbb\xbf" + plain
    result = osprey(*words, "o.json", "--excel")
    line = "osprey predict: --excel goes with --folder and a table ending in .csv\n"
    assert (result.code, result.err) == (2, line)


def test_boxes_for_excel(finder: tuple[Path, Path], osprey: Call) -> None:
    here, inbox = finder
    words = ("predict", "--folder", inbox, "--min-score", "0", "--output")
    assert osprey(*words, "plain.csv").code == 0 and osprey(*words, "e.csv", "--excel").code == 0
    marked = (here / "e.csv").read_bytes()
    assert marked == b"\xef\xbb\xbf" + (here / "plain.csv").read_bytes()


def test_a_pipe_and_a_device(classifier: Path, photos: Path, osprey: Call) -> None:
    words = ("predict", "--folder", photos, "--format", "json", "--output")
    pipe = classifier / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    assert osprey(*words, pipe).code == 0
    assert len(json.loads(reader.communicate(timeout=30)[0])) == 36
    assert pipe.is_fifo()
    assert osprey(*words, "/dev/null").code == 0
    assert Path("/dev/null").is_char_device()


def test_pictures_of_ones_own_stay(finder: tuple[Path, Path], osprey: Call) -> None:
    here, inbox = finder
    out = here / "out"
    out.mkdir()
    (out / "DSC_0.jpg").write_bytes(b"another camera's")
    one = ("predict", "--image", inbox / "DSC_0.jpg", "--min-score", "0", "--save-dir", "out")
    many = ("predict", "--folder", inbox, "--output", "o.json", "--save-dir", "out")
    for words in (one, many):
        result = osprey(*words)
        assert (result.code, result.err) == (
            2,
            f"osprey predict: --save-dir: 'out/DSC_0.jpg' {REFUSED}\n",
        )
    assert (out / "DSC_0.jpg").read_bytes() == b"another camera's"
    (out / "DSC_1.jpg").symlink_to(inbox / "DSC_1.jpg")
    result = osprey(*many)
    assert (result.code, result.err) == (
        2,
        "osprey predict: --save-dir: 2 files of such names are there already, and Osprey does "
        "not know them as its own (first: 'out/DSC_0.jpg'): name another folder, or add --force "
        "to replace them\n",
    )
    before = (inbox / "DSC_1.jpg").read_bytes()
    assert osprey(*many, "--force").code == 0
    assert not (out / "DSC_1.jpg").is_symlink() and (inbox / "DSC_1.jpg").read_bytes() == before
    assert osprey(*many).code == 0, "they are Osprey's now"


def test_beside_the_photo(finder: tuple[Path, Path], osprey: Call) -> None:
    _, inbox = finder
    words = ("predict", "--image", inbox / "DSC_0.jpg", "--min-score", "0", "--save-dir", inbox)
    (inbox / "DSC_0_boxes.jpg").write_bytes(b"drawn by hand")
    result = osprey(*words)
    assert (result.code, result.err) == (
        2,
        f"osprey predict: --save-dir: '{inbox}/DSC_0_boxes.jpg' {REFUSED}\n",
    )
    assert (inbox / "DSC_0_boxes.jpg").read_bytes() == b"drawn by hand"


def test_a_report_elsewhere(classifier: Path, osprey: Call) -> None:
    page = classifier / "page.html"
    page.write_text("mine")
    result = osprey("report", "--output", "page.html")
    assert (result.code, result.err) == (2, f"osprey report: --output: 'page.html' {REFUSED}\n")
    assert osprey("report", "--output", "page.html", "--force").code == 0
    built = page.read_bytes()
    assert osprey("report", "--output", "page.html").code == 0 and page.read_bytes() == built
    result = osprey("report", "--output", "-")
    assert result.out.encode() == built
    assert (only_run(classifier) / "report.html").read_bytes() == built


@pytest.mark.slow
def test_pictures_go_on_where_they_are(
    finder: tuple[Path, Path], osprey: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after two photos, it draws all four, into whichever folder it is told then."""
    here, inbox = finder
    words = ("predict", "--folder", inbox, "--output", "o.json", "--save-dir")
    names = {f"DSC_{number}.jpg" for number in range(4)}

    def stopped_after_two() -> None:
        draw, drawn = Pictures.draw, []

        def stopping(self, *what):  # type: ignore[no-untyped-def]
            if len(drawn) == 2:
                raise KeyboardInterrupt
            draw(self, *what)
            drawn.append(what)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Pictures, "draw", stopping)
            assert osprey(*words, "out").code == 130

    stopped_after_two()
    assert len(list((here / "out").iterdir())) == 2
    result = osprey(*words, "out")
    assert (result.code, {p.name for p in (here / "out").iterdir()}) == (0, names)
    assert "done before: 2 photos; left: 2\n" in result.err

    shutil.rmtree(here / "out")
    stopped_after_two()
    assert osprey(*words, "elsewhere").code == 0
    assert {path.name for path in (here / "elsewhere").iterdir()} == names

    stopped_after_two()
    (here / "out" / "DSC_1.jpg").unlink()
    result = osprey(*words, "out")
    assert (result.code, {p.name for p in (here / "out").iterdir()}) == (0, names)
    assert "done before: 1 photo; left: 3\n" in result.err

    stopped_after_two()
    journal = here / ".o.json.part" / "answers.jsonl"
    first, second = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(first + b"\0" * (len(second) - 1) + b"\n")  # as after a power cut
    result = osprey(*words, "out")
    assert (result.code, {p.name for p in (here / "out").iterdir()}) == (0, names)
    assert "done before: 1 photo; left: 3\n" in result.err


def test_ones_own_file_is_known_whenever_a_kill_came(
    classifier: Path, photos: Path, osprey: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Remembered before it takes its place, and beside what it is to replace."""
    words = ("predict", "--folder", photos, "--output", "o.csv")
    publish = files.publish

    def killed(partial: Path, target: Path) -> None:
        publish(partial, target)
        if target.name == "o.csv":
            raise KeyboardInterrupt

    def killed_before(partial: Path, target: Path) -> None:
        if target.name == "o.csv":
            raise KeyboardInterrupt
        publish(partial, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "publish", killed)
        assert osprey(*words).code == 130 and (classifier / "o.csv").is_file()
    assert osprey(*words).code == 0, "Osprey's own, replaced unasked"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "publish", killed_before)
        assert osprey(*words, "--force").code == 130
    assert osprey(*words).code == 0, "what it was to replace is still Osprey's own"
    monkeypatch.setenv("OSPREY_CACHE", "/proc/none")
    result = osprey(*words)
    assert (result.code, result.err) == (2, f"osprey predict: --output: 'o.csv' {REFUSED}\n")
    assert osprey(*words, "--force").code == 0, "without a cache nothing is remembered"


def test_many_files_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two thousand is known, also by odd names, and a changed one is not."""
    monkeypatch.setenv("OSPREY_CACHE", str(tmp_path / "cache"))
    paths = [tmp_path / f"p{n}.jpg" for n in range(2000)] + [tmp_path / "caf\udce9 '\"; --.jpg"]
    for path in paths:
        path.write_bytes(b"drawn")
        remember(path, path)
    assert foreign_among(paths) == []
    paths[7].write_bytes(b"drawn over")
    (tmp_path / "link.jpg").symlink_to(paths[1])
    assert foreign_among([*paths, tmp_path / "link.jpg"]) == [paths[7], tmp_path / "link.jpg"]


def test_what_was_drawn_beside_a_photo_is_no_photo(finder: tuple[Path, Path], osprey: Call) -> None:
    _, inbox = finder
    words = ("predict", "--image", inbox / "DSC_0.jpg", "--min-score", "0", "--save-dir", inbox)
    assert osprey(*words).code == 0
    shutil.copy(inbox / "DSC_1.jpg", inbox / "DSC_1_boxes.jpg")  # somebody's own
    result = osprey("predict", "--folder", inbox, "--output", "o.json")
    line = f"left out, drawn by Osprey: 1 photo such as '{inbox}/DSC_0_boxes.jpg'\n"
    assert result.code == 0 and result.err.startswith(line)
    assert "5 photos, " in result.err


def test_a_disk_that_is_full_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"

    def full(partial: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(partial))

    with pytest.raises(UserError) as refused, output_path(target, "--output", force=False) as place:
        full(place)
    assert str(refused.value) == (
        f"--output: '{target}' cannot be written (No space left on device): name another place"
    )
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError), output_path(target, "--output", force=False):
        full(tmp_path.parent / "other.csv")  # something else than the output
