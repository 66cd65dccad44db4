"""``osprey new`` writes a package that trains and whose test passes as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, TINY, environment, only_run, run_process

KINDS = ["model", "task"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_its_own_test_passes_and_it_trains(kind: str, here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("new", kind, "reef_net")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    written = {line.split()[1] for line in lines if line.startswith("wrote ")}
    there = {str(p.relative_to(here)) for p in (here / "reef_net").rglob("*") if p.is_file()}
    assert written == there
    assert {"reef_net/__init__.py", f"reef_net/configs/{kind}/reef_net.yaml"} <= written
    pytest_words, train = (line.split() for line in lines[-2:])
    assert pytest_words == ["pytest", "reef_net"]
    assert train == ["osprey", "train", "plugins=[reef_net]", f"{kind}=reef_net"]

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "reef_net"]
    tested = subprocess.run(command, cwd=here, env=environment(), capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert not (here / "runs").exists()

    words = [word for word in TINY if not word.startswith("model.")]
    words += ["data=folder", f"data.root={photos}", "trainer.max_epochs=1"]
    words += [] if kind == "model" else ["model=simple_cnn"]
    result = run_process([*train[1:], *words], here)
    assert result.code == 0, result.err
    assert "reef_net." in (only_run(here) / "config.yaml").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_writes_is_in_order(kind: str, here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey("new", kind, "reef_net").code == 0
    ruff = [str(Path(sys.executable).parent / "ruff")]
    settings = ["--config", str(REPOSITORY / "pyproject.toml"), "--no-cache"]
    settings += ["--extend-per-file-ignores", "test_*.py:D"]
    for action in (["check", *settings], ["format", "--check", *settings[:3]]):
        done = subprocess.run([*ruff, *action, "reef_net"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_it_writes_over_nothing(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    (here / "mine").mkdir()
    (here / "mine" / "note.txt").write_text("kept")
    result = osprey("new", "model", "mine")
    assert result.code == 2
    assert result.err == (
        "osprey new: 'mine' is there already and is not written over: choose another name\n"
    )
    assert [p.name for p in (here / "mine").iterdir()] == ["note.txt"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("model", "Reef-Net"),
            "'Reef-Net' cannot be a package's name: use lower-case letters, digits and "
            "underscores, such as 'reef_net'",
        ),
        (
            ("model", "3"),
            "'3' cannot be a package's name: use lower-case letters, digits and underscores, "
            "such as 'reef_net'",
        ),
        (
            ("model", "class"),
            "'class' cannot be a package's name: use lower-case letters, digits and underscores, "
            "such as 'reef_net'",
        ),
        (
            ("model", "../up"),
            "'../up' cannot be a package's name: use lower-case letters, digits and underscores, "
            "such as 'up'",
        ),
        (("model", "torch"), "'torch' is the name of an installed package: choose another name"),
        (("model", "osprey"), "'osprey' is the name of an installed package: choose another name"),
        (("task", "detection"), "there is a task 'detection' already: choose another name"),
        (("modle", "reef"), "there is no 'modle' to write; did you mean 'model'?"),
        (
            ("model",),
            "the following arguments are required: NAME; 'osprey new --help' tells what there is",
        ),
    ],
)
def test_bad_names(words: tuple[str, ...], message: str, here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("new", *words)
    assert (result.code, result.out, result.err) == (2, "", f"osprey new: {message}\n")
    assert list(here.iterdir()) == []
