"""Lines on a narrow terminal: broken between words, commands in one piece, names shortened."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import pytest
from conftest import TINY, environment, make_photos
from hypothesis import given
from hypothesis import strategies as st

from osprey.system import console
from osprey.system.console import fitted, names_fitted

LINES = st.lists(st.text("abc.,;()", min_size=1, max_size=30), min_size=1, max_size=20).map(
    " ".join
)


@given(LINES, st.integers(40, 100))
def test_no_word_is_lost_and_no_line_is_wider(line: str, columns: int) -> None:
    parts = fitted(line, columns).split("\n")
    assert " ".join(parts).split() == line.split()
    assert all(len(part) <= columns for part in parts)
    assert fitted(line, None) == line


@given(LINES)
def test_a_terminal_that_knows_no_width_breaks_nothing(line: str) -> None:
    assert fitted(line, 0) == line


@given(st.lists(LINES, min_size=2, max_size=5), st.integers(40, 100))
def test_lines_of_a_list_stay_lines(lines: list[str], columns: int) -> None:
    assert fitted("\n".join(lines), columns) == "\n".join(fitted(n, columns) for n in lines)


def test_a_command_stays_in_one_piece() -> None:
    command = "osprey train resume=runs/a_name_of_some_length/20261126-191653-cd30"
    line = f"stopped, state saved; to go on: {command}"
    assert fitted(line, 60) == f"stopped, state saved; to go on:\n        {command}"
    assert fitted(f"  {command} trainer.max_epochs=4", 60) == f"  {command} trainer.max_epochs=4"


def test_long_names_are_shortened_where_the_terminal_is_narrow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["class", "n" * 40]
    monkeypatch.setattr(console, "columns_of", lambda stream: None)
    assert names_fitted(names, 33) == {"class": f"{'class':<40}", "n" * 40: "n" * 40}
    monkeypatch.setattr(console, "columns_of", lambda stream: 60)
    assert set(map(len, names_fitted(names, 33).values())) == {27}
    assert names_fitted(names, 33)["n" * 40] == "n" * 26 + "\N{HORIZONTAL ELLIPSIS}"


def in_a_terminal(words: list[str], cwd: Path, columns: int) -> str:
    """What the command prints on a terminal of that width."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [sys.executable, "-m", "osprey", *words]
    process = subprocess.Popen(command, cwd=cwd, env=environment(), stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how a terminal says that nobody writes any more
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait(timeout=60) == 0, said.decode()
    return said.decode().replace("\r\n", "\n")


def test_a_training_on_sixty_columns(here: Path) -> None:
    photos = make_photos(here / "photos", per_class=12)
    long = "a species whose name is longer than the others'"
    (photos / "red").rename(photos / long)
    words = ["train", "data=folder", "data.root=photos", *TINY, "trainer.max_epochs=1"]
    said = in_a_terminal(words, here, 60)
    assert "\nclass " in said and f"{long[:26]}\N{HORIZONTAL ELLIPSIS} " in said
    shown = [line for line in said.split("\n") if "\r" not in line]  # not the bars
    wide = [line.strip() for line in shown if len(line) > 60]
    assert [line for line in wide if " " in line and not line.startswith("osprey ")] == []


@pytest.mark.parametrize("columns", [60, 80])
def test_help_keeps_its_layout(here: Path, columns: int) -> None:
    """Names in one column, words in another, and no line wider than the terminal."""
    said = in_a_terminal(["train", "--help"], here, columns).replace("\r", "").split("\n")
    examples = next(n for n, line in enumerate(said) if line.startswith("Change any setting:"))
    table = said[:examples]
    assert [line for line in table if len(line) > columns] == []
    indent = {len(line) - len(line.lstrip()) for line in table if line.startswith("  ")}
    assert indent == {2, 16, 31}
