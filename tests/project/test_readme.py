"""What README.md and docs/ tell people to type and to write works as it stands there.

The commands and files of ``docs/extend.md`` are run for real in ``tests/extend``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY
from documents import DOCUMENTS, EXTEND, README, commands, lines_of, section, words_of, write_files

SEAMS = set(commands(section(README, "Extend")))
TYPED = {
    command
    for document in DOCUMENTS
    if document != EXTEND
    for command in commands(lines_of(document))
    if command not in SEAMS and words_of(command)[0] in ("train", "eval", "models")
}
PREDICT = {
    command
    for document in DOCUMENTS
    for command in commands(lines_of(document))
    if words_of(command)[0] == "predict" and "--plugin" not in command
}


@pytest.mark.parametrize("line", sorted(TYPED))
def test_training_commands_compose(line: str, here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    words = words_of(line)
    if "--config-dir" in words:
        pytest.skip("composed with its files below")
    if any(word.startswith("resume=") for word in words):
        result = osprey(*words)
        assert "no run with a checkpoint to go on from" in result.err
        return
    if "from=latest" in words:
        result = osprey(*words)
        assert "there is no finished run under 'runs'" in result.err
        return
    if "model=registry" in words:
        assert "there is no bundle 'fish' in the registry 'registry'" in osprey(*words).err
        return
    if any(word.startswith("sweep.resume=") for word in words):
        assert "there is no sweep under 'runs/sweeps'" in osprey(*words).err
        return
    if any(word.startswith("sweep=") for word in words):
        pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")
        from osprey.commands.train import PROGRAM
        from osprey.config.call import read_call
        from osprey.sweeping.preflight import trials_to_check

        assert list(trials_to_check(read_call("train", words[1:], PROGRAM)))
        return
    if "data.root=PHOTOS" not in words and any(w.startswith("data.") for w in words[1:]):
        words += ["data=folder", "data.root=PHOTOS"] if words[0] == "train" else []
    if "-m" in words:  # Hydra shows one job's configuration at a time
        words = [word.split(",")[0] for word in words if word != "-m"]
    result = osprey(*words, "--cfg", "job")
    assert result.code == 0, result.err
    assert "trainer:" in result.out or words[0] == "eval"


@pytest.mark.parametrize("line", sorted(PREDICT))
def test_predict_commands_parse(line: str, here: Path) -> None:
    from osprey.commands.predicting.options import parser

    (here / "cameras.txt").write_text("rtsp://me:secret@boat-1/live\n")
    arguments = parser().parse_args(words_of(line)[1:])
    asked = arguments.image or arguments.folder or arguments.video
    assert asked or arguments.camera is not None


@pytest.mark.parametrize("document", ["README.md", "docs/configuration.md"])
def test_a_backbone_is_one_file(document: str, here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    write_files(REPOSITORY / document, here)
    result = osprey("train", "--config-dir", "mine", "model=tiny", "--cfg", "job")
    assert result.code == 0, result.err
    assert yaml.safe_load(result.out)["model"]["name"] == "tf_efficientnet_lite0"


def test_the_yaml_files_work_together(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    write_files(REPOSITORY / "docs" / "configuration.md", here)
    result = osprey(
        "train", "--config-dir", "mine", "experiment=reef", "model=tiny", "--cfg", "job"
    )
    assert result.code == 0, result.err
    config = yaml.safe_load(result.out)
    assert config["model"]["name"] == "tf_efficientnet_lite0"
    assert (config["data"]["group"], config["data"]["reader"]) == ("diver", "table")
    assert config["trainer"]["max_epochs"] == 20

    from osprey.augmentation import check_policy

    check_policy(config["augmentation"]["steps"])
    result = osprey("train", "--config-dir", "mine", "experiment=reef", "model=tiny")
    assert result.err == (
        "osprey train: data.root: there is no folder '/photos/reef' (nor is there a folder "
        "'/photos')\n"
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        file, _, heading = target.partition("#")
        path = document.parent / file if file else document
        assert path.exists(), f"{document.name}: {target}"
        if heading:
            assert heading in {_anchor(line) for line in lines_of(path) if line.startswith("#")}


def _anchor(heading: str) -> str:
    """A heading's name in links, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lstrip("# ").lower()).replace(" ", "-")


def test_every_document_is_linked_from_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    assert [d.name for d in DOCUMENTS[1:] if f"(docs/{d.name})" not in text] == []


def test_the_section_on_extending_is_short() -> None:
    assert len(section(README, "Extend")) <= 25
