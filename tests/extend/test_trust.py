"""A file from elsewhere that names foreign code runs nothing of it and imports nothing of it.

What is from elsewhere: a checkpoint, a run folder, a run folder's configuration.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from conftest import TINY, Result, only_run, run_process

NOT_OURS = (
    " names my_pkg.nets.ReefNet, which is not Osprey's: add --plugin my_pkg (or plugins=[my_pkg]) "
    "if you trust it\n"
)
REEF = ["model._target_=my_pkg.nets.ReefNet", "+model.width=4"]


@pytest.fixture
def shared(my_pkg: Path, photos: Path) -> Path:
    """Somebody's run folder; the package it names lies about, and leaves a trace if imported."""
    tiny = [word for word in TINY if not word.startswith("model.")]
    result = run_process(["train", "data=folder", f"data.root={photos}", *tiny, *REEF], my_pkg)
    assert result.code == 0, result.err
    trace = "from pathlib import Path\nPath('imported').write_text('')\n"
    for module in (my_pkg / "my_pkg").glob("*.py"):
        text = module.read_text()
        module.write_text(text + trace)
    return only_run(my_pkg)


def refused(words: list[str | Path], folder: Path, command: str, named: str) -> None:
    result: Result = run_process([command, *words], folder)
    assert (result.code, result.out) == (2, ""), result.err + result.out
    assert result.err == f"osprey {command}: {named}\n"
    assert not (folder / "imported").exists(), "nothing of it was imported"


def test_predict(shared: Path, my_pkg: Path, photos: Path) -> None:
    best = shared / "checkpoints" / "best.ckpt"
    named = f"checkpoint '{best}'{NOT_OURS.rstrip()}"
    photo = photos / "red" / "red_00.png"
    refused(["--run", shared, "--image", photo], my_pkg, "predict", named)
    result = run_process(
        ["predict", "--run", shared, "--image", photo, "--plugin", "my_pkg"], my_pkg
    )
    assert result.code == 0, result.err
    assert (my_pkg / "imported").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("eval", ["run=RUN"]),
        ("train", ["resume=RUN"]),
        ("train", ["from=RUN"]),
        ("train", ["model=ensemble", "model.runs=[RUN,COPY]"]),
    ],
)
def test_commands_of_settings(command: str, words: list[str], shared: Path, my_pkg: Path) -> None:
    copy = shutil.copytree(shared, shared.with_name("copy"))
    given = [word.replace("RUN", str(shared)).replace("COPY", str(copy)) for word in words]
    result = run_process([command, *given], my_pkg)
    assert (result.code, result.out) == (2, ""), result.err + result.out
    assert result.err.startswith(f"osprey {command}: ") and result.err.count("\n") == 1
    assert result.err.endswith(NOT_OURS)
    assert not (my_pkg / "imported").exists()


def test_a_configuration_alone(shared: Path, my_pkg: Path, tmp_path: Path) -> None:
    """The checkpoint names Osprey's own, the shared configuration does not."""
    for entry in (
        {"callbacks": {"mine": {"_target_": "my_pkg.watch.WeightNorm"}}},
        {"logger": {"mine": {"_target_": "os.system", "command": "touch imported"}}},
        {"trainer": {"plugins": [{"_target_": "os.system", "command": "touch imported"}]}},
        {"plugins": ["my_pkg"]},
    ):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(shared, copy)
        content = yaml.safe_load((copy / "config.yaml").read_text())
        for key, value in entry.items():
            content[key] = {**content[key], **value} if isinstance(value, dict) else value
        (copy / "config.yaml").write_text(yaml.safe_dump(content))
        result = run_process(["train", f"resume={copy}", "trainer.max_epochs=3"], my_pkg)
        assert result.code == 2, result.err
        assert "which is not Osprey's" in result.err and result.err.count("\n") == 1
        assert not (my_pkg / "imported").exists()


@pytest.mark.slow
def test_a_report_imports_nothing(shared: Path, my_pkg: Path) -> None:
    """It is made of the folder's files alone."""
    result = run_process(["report", shared], my_pkg)
    assert result.code == 0, result.err
    assert not (my_pkg / "imported").exists()


def test_an_absent_package(shared: Path, my_pkg: Path, photos: Path) -> None:
    shutil.rmtree(my_pkg / "my_pkg")
    photo = photos / "red" / "red_00.png"
    words = ["predict", "--run", shared, "--image", photo, "--plugin", "my_pkg"]
    result = run_process(words, my_pkg)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("osprey predict: --plugin: there is no module 'my_pkg'")
    assert result.err.count("\n") == 1
