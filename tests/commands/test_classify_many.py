"""``classify`` about several photos, by pattern, in bulk, and through a kill."""

from __future__ import annotations

import csv
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import Result, osprey_process, run_process

Call = Callable[..., Result]


@pytest.fixture
def few(bundles: Path, photos: Path) -> Path:
    """Photos in two folders of the working folder, one empty file, and one that is no photo."""
    folder = bundles / "few"
    for label, name in (("red", "b.png"), ("blue", "a.png"), ("green", "deep/c.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(photos / label / f"{label}_00.png", folder / name)
    (folder / "notes.txt").write_text("mine")
    return folder


def test_several_photos_are_a_line_each(few: Path, osprey: Call) -> None:
    result = osprey("classify", "--image", "few/b.png", "few/a.png")
    assert (result.code, result.out) == (0, "few/b.png: ['red']\nfew/a.png: ['blue']\n")
    loud = osprey("classify", "--image", "few/b.png", "few/a.png", "--verbose")
    assert [line.partition("', ")[0] for line in loud.out.splitlines()] == [
        "few/b.png: [['red",
        "few/a.png: [['blue",
    ]


def test_patterns(few: Path, osprey: Call) -> None:
    result = osprey("classify", "--image", "few/*")
    assert result.out == "few/a.png: ['blue']\nfew/b.png: ['red']\n", "notes.txt is no photo"
    result = osprey("classify", "--image", "few/**/*.png")
    assert [line.partition(":")[0] for line in result.out.splitlines()] == [
        "few/a.png", "few/b.png", "few/deep/c.png",
    ]  # fmt: skip
    result = osprey("classify", "--image", "few/a.pn?")
    assert result.out == "few/a.png: ['blue']\n"
    result = osprey("classify", "--image", "few/*.jpg")
    assert result.err == "osprey classify: --image: no photo matches 'few/*.jpg'\n"
    assert (result.code, result.out) == (2, "")
    os.link(few / "b.png", few / "[1].png")  # a file's own name is no pattern
    assert osprey("classify", "--image", "few/[1].png").out == "['red']\n"


def test_one_that_cannot_be_read_ends_nothing(few: Path, osprey: Call) -> None:
    (few / "aa.png").write_bytes(b"")
    words = ("classify", "--model", "latest", "--image", "few/*.png")
    for more, code in (((), 0), (("--strict",), 1)):
        result = osprey(*words, *more)
        assert (result.code, result.out) == (code, "few/a.png: ['blue']\nfew/b.png: ['red']\n")
        assert result.err == (
            "few/aa.png: is empty (0 bytes); copy it again from its source\n"
            "1 photo could not be read, so without an answer\n"
        )
    missing = osprey("classify", "--image", "few/a.png", "few/bb.png")
    assert (missing.code, missing.out) == (2, "")
    assert "there is no file 'few/bb.png'; did you mean 'few/b.png'?" in missing.err
    alone = osprey("classify", "--image", "few/a.png", "-")
    assert alone.err.endswith("- (standard input) is one photo: name it alone\n")


@pytest.fixture
def address(few: Path) -> Iterator[str]:
    """Where ``few`` is served."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Handler(*args, directory=str(few)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_addresses_among_files(address: str, osprey: Call) -> None:
    words = [f"{address}/b.png", "few/a.png", f"{address}/none.png", "few/deep/c.png"]
    result = osprey("classify", "--model", "latest", "--image", *words)
    assert (result.code, result.out) == (
        0,
        f"{address}/b.png: ['red']\nfew/a.png: ['blue']\nfew/deep/c.png: ['green']\n",
    )
    assert result.err.startswith(f"{address}/none.png: the answer is 404 ")
    table = osprey("classify", "--image", *words, "--output", "o.csv")
    assert table.err.endswith(f"--output is for files: '{address}/b.png' is an address\n")


def test_a_table_of_a_pattern(few: Path, osprey: Call) -> None:
    assert osprey("classify", "--image", "few/**/*.png", "--output", "o.csv").code == 0
    with open("o.csv", newline="") as file:
        found = [(row["file"], row["label"]) for row in csv.DictReader(file)]
    assert found == [("few/a.png", "blue"), ("few/b.png", "red"), ("few/deep/c.png", "green")]
    result = osprey("classify", "--image", "few/a.png", "--format", "csv")
    assert result.err == "osprey classify: --format goes with --output\n"


def test_a_submission_is_predict_s(few: Path, osprey: Call) -> None:
    (few / "aa.png").write_bytes(b"")
    words = ("--folder", "few", "--format", "submission", "--output")
    for command in ("classify", "predict"):
        result = osprey(command, *words, f"{command}.csv")
        assert result.code == 0, result.err
    ours, theirs = (
        list(csv.reader(Path(f"{c}.csv").read_text().splitlines())) for c in ("classify", "predict")
    )
    assert ours[0] == theirs[0] == ["image", "blue", "green", "red"]
    assert [row[0] for row in ours] == [row[0] for row in theirs]
    assert ours[2] == theirs[2] == ["aa.png", "", "", ""]
    for row, other in zip(ours[1:2] + ours[3:], theirs[1:2] + theirs[3:], strict=True):
        assert [float(cell) for cell in row[1:]] == pytest.approx(
            [float(cell) for cell in other[1:]], abs=1e-4
        )
    os.link(few / "a.png", few / "deep" / "a.png")
    result = osprey("classify", *words, "again.csv")
    assert result.code == 2 and "'few/a.png' and 'few/deep/a.png' would be one" in result.err


def test_what_is_unknown_is_kept_in_the_bundle(few: Path, osprey: Call) -> None:
    result = osprey("export", "latest", "--output", "sure", "--unknown-below", "1")
    assert result.code == 0, result.err
    words = ("classify", "--image", "few/a.png", "--model", "sure")
    assert osprey(*words).out == "['unknown']\n"
    assert osprey(*words, "--unknown-below", "0").out == "['blue']\n"
    assert osprey("classify", "--image", "few/a.png").out == "['blue']\n"
    result = osprey("export", "latest", "--unknown-below", "2")
    assert result.code == 2 and "'2' is not a number from 0 to 1" in result.err


def test_killed_and_started_again(bundles: Path, photos: Path) -> None:
    (bundles / "many").mkdir()
    count = 6000
    for number in range(count):
        os.link(photos / "red" / "red_00.png", bundles / "many" / f"{number:05}.png")
    (bundles / "many" / "00007.png").unlink()
    (bundles / "many" / "00007.png").write_bytes(b"")
    words: list[str | Path] = ["classify", "--folder", "many", "--output", "a.jsonl"]
    process = osprey_process(words, bundles)
    journal = bundles / ".a.jsonl.part" / "answers.jsonl"
    while process.poll() is None and not (
        journal.is_file() and journal.read_bytes().count(b"\n") >= 200
    ):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was done before it could be killed"
    assert not (bundles / "a.jsonl").exists()
    again = run_process(words, bundles)
    assert again.code == 0, again.err
    done = int(again.err.partition("done before: ")[2].split()[0])
    assert 200 <= done < count
    assert "1 photo could not be read, so without answer, first: many/00007.png: is empty" in (
        again.err
    )
    records = [json.loads(line) for line in (bundles / "a.jsonl").read_text().splitlines()]
    assert [record["file"] for record in records] == [f"many/{n:05}.png" for n in range(count)]
    assert {record.get("label") for record in records} == {"red", None}
    assert not journal.parent.exists()


def test_a_card_that_was_changed_begins_anew(
    bundles: Path, photos: Path, osprey: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was answered before would mix with what the new card says."""
    from osprey.inference.predictor import Predictor

    names = sorted(str(path) for path in photos.rglob("*.png"))
    Path("list.txt").write_text("\n".join(names))
    answers, left = Predictor.answers, [1]

    def stopped(self: Predictor, prepared: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return answers(self, prepared)  # type: ignore[arg-type]

    words = ("classify", "--list", "list.txt", "--output", "a.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "answers", stopped)
        assert osprey(*words).code == 130
    assert list(Path(".a.jsonl.part").glob("*")), "something was kept"
    (card,) = Path("runs").glob("*/*/bundle/card.json")
    card.write_text(json.dumps({**json.loads(card.read_text()), "unknown_below": 1.0}))
    assert osprey(*words).code == 0
    labels = [json.loads(line)["label"] for line in Path("a.jsonl").read_text().splitlines()]
    assert labels == ["unknown"] * len(names)
