"""What users type: kept letter by letter, checked first, answered in one line with what works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, environment, make_photos, only_run

NOWHERE = ("data=folder", "data.root=/nonex")
MOVED = "Osprey names its own run folders: use paths.runs=FOLDER and name=NAME"
ESCAPE = r"as part of a name it has a backslash, within single quotes: 'data.root=\${"

# Words after `data=folder data.root=/nonex`, and the one line; '' where only the folder is missing.
ANSWERS = {
    "name=a/b": "name: 'a/b' cannot be a folder's name",
    "name=null": "name: it cannot be null: give a text",
    "name=": "name= is empty: give it a value",
    "seed=null": "seed: it cannot be null: give a whole number",
    "seed=": "seed: '' is not a whole number",
    "trainer.autotune=perhaps": "trainer.autotune: 'perhaps' is not true or false",
    "data.file=": "data.file= is empty: give it a value, or null for none",
    "data.classes=1": "data.classes: it is a list: write [a,b], [a] for one, [] for none",
    "data.classes=[yes,null]": "",
    "data.columns={path: 1e3}": "",
    "model.pretrained=1e3": "model.pretrained: there is no file '1e3'",
    "model=_base": "no model called '_base'; 'osprey train --help' lists them",
    "model=1e3": "no model called '1e3'; there are: ",
    "experiment=null": "",
    "~callbacks.ema_decay": "",
    "~callbacks.ema_dekay": (
        "unknown setting 'callbacks.ema_dekay'; did you mean 'callbacks.ema_decay'?"
    ),
    "~optimizer.lr=3": "~optimizer.lr: its value is 0.003: write ~optimizer.lr alone",
    "~model": "~model: every run has one: choose it with model=NAME",
    "+seed=1": "+seed: it is there already: leave out the plus",
    "data.root=": "data.root= is empty: give it a value",
    "data.root=null": "data.root: it cannot be null: give a text",
    "data.root=1e3": "data.root: there is no folder '1e3'",
    "data.root=007": "data.root: there is no folder '007'",
    "data.root=2024_01": "data.root: there is no folder '2024_01'",
    "data.root=yes": "data.root: there is no folder 'yes'",
    "data.root=~nobody": "data.root: there is no folder '~nobody'",
    "data.root=${x}": (
        f"data.root: there is no setting 'x' that ${{x}} could stand for; {ESCAPE}x}}'"
    ),
    "data.root=a${": f"data.root: a '${{' that cannot be read; {ESCAPE}...}}'",
    "data.root=${up:x}": (
        f"data.root: there is nothing called 'up' to look up with ${{up:...}}; {ESCAPE}up:...}}'"
    ),
    "data.root=${oc.env:NOT_SET}": "data.root: there is no environment variable 'NOT_SET'",
    r"data.root=\${x}": "data.root: there is no folder '${x}'",
    "seed=1,2": "'seed=1,2' has several values: add -m to try each",
    "seed=choice(1,2)": "'seed=choice(1,2)' has several values: add -m to try each",
    "hydra.run.dir=/x": f"hydra.run.dir: {MOVED}",
    "hydra.sweep.subdir=x": f"hydra.sweep.subdir: {MOVED}",
    "hydra.job.chdir=true": (
        "hydra.job.chdir: Osprey works in the folder it is called in: use paths.runs=FOLDER"
    ),
    "hydra.mode=MULTIRUN": "hydra.mode: leave it out, and add -m for a sweep",
    "hydra.verbose=-1": ("Hydra cannot use 'hydra.verbose=-1': a value of another kind is wanted"),
    "hydra.searchpath.x=a": (
        "Hydra cannot use 'hydra.searchpath.x=a': invalid literal for int() with base 10: 'x'"
    ),
    "~extras=[]": "Hydra cannot use '~extras=[]': Config group override deletion value must be a "
    "string : ",
    "--halp": (
        "there is no option '--halp'; did you mean '--help'; 'osprey train --help' tells what "
        "there is"
    ),
    "--config-path=x": (
        "--config-path would leave Osprey's own configs out: use --config-dir FOLDER"
    ),
    "--config-dir=x": "--config-dir: there is no folder 'x'",
    "--resolve": "--resolve goes with --cfg: add --cfg job",
    "--shell-completion": ("--shell-completion goes with one of install=SHELL and uninstall=SHELL"),
}


@pytest.mark.parametrize("word", ANSWERS)
def test_one_line_before_any_work(word: str, here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("train", *NOWHERE, word)
    said = ANSWERS[word] or "data.root: there is no folder '/nonex'"
    whole = f"osprey train: {said}"
    assert result.err.startswith(whole) if said.endswith(": ") else result.err == f"{whole}\n"
    assert (result.code, list(here.iterdir())) == (2, [])


REMEDIES = {
    "data.root=${x}": "data.root: there is no folder '${x}'",
    "data.root=/photos/a,b": "data.root: there is no folder '/photos/a,b' (nor is there a folder "
    "'/photos')",
    r"data.root=\\nas,b": r"data.root: there is no folder '\\nas,b'",
    "data.root=$a,b": "data.root: there is no folder '$a,b'",
    "data.classes=a,b": "data.root: there is no folder '/nonex'",
}


@pytest.mark.parametrize("word", REMEDIES)
def test_the_remedy_works_in_a_shell(word: str, here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("train", *NOWHERE, word)
    remedy = result.err.rpartition(": ")[2].strip()
    line = f"{sys.executable} -m osprey train {' '.join(NOWHERE)} {remedy}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=here, env=environment(), capture_output=True, text=True
    )
    assert done.stderr == f"osprey train: {REMEDIES[word]}\n"


def test_a_photo_folder_of_any_name(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    make_photos(here / "${x}", per_class=8)
    result = osprey("train", "data=folder", r"data.root=\${x}", *TINY, "trainer.max_epochs=1")
    assert result.code == 0, result.err
    run = only_run(here)
    assert osprey("eval", f"run={run}").code == 0
    assert osprey("report", run).code == 0
    result = osprey("train", f"resume={run}", "trainer.max_epochs=2")
    assert result.code == 0, result.err


def test_flags_stand_anywhere(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    for words in (
        ["seed=1,-1", "-m", *NOWHERE],
        ["-m", "seed=1,-1", *NOWHERE],
        [*NOWHERE, "seed=1,-1", "--multirun"],
    ):
        result = osprey("train", *words, "data.root=.", "paths.runs=../r", "paths.cache=../c")
        assert (result.code, result.err) == (
            2,
            "osprey train: seed: -1 is out of range (0 to 4294967295) (in the trial seed=-1)\n",
        )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["model=simple_cnn,resnte18"],
            "no model called 'resnte18'; did you mean 'resnet18'? (in the trial model=resnte18)",
        ),
        (
            ["model=simple_cnn,fcos"],
            "model=fcos finds boxes: add task=detection (in the trial model=fcos)",
        ),
        (
            ["data.root=photos,fotos"],
            "data.root: there is no folder 'fotos'; did you mean 'photos'? (in the trial "
            "data.root=fotos)",
        ),
        (["seed=0,1", "optimizer.lr=-1"], "optimizer.lr: -1.0 is out of range (at least 0)"),
    ],
)
def test_a_sweep_is_checked_whole(words: list[str], message: str, here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    make_photos(here / "photos", per_class=1)
    result = osprey("train", "-m", "data=folder", "data.root=photos", *words)
    assert result.err == f"osprey train: {message}\n"
    assert (result.code, result.out) == (2, "")
    assert [path.name for path in here.iterdir()] == ["photos"], "no trial was begun"


def test_a_sweep_of_eval_is_checked_whole(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("eval", "-m", "tta=none,flop")
    assert (result.code, result.err) == (
        2,
        "osprey eval: tta: unknown 'flop'; did you mean 'flip'? (one of none, flip, dihedral) "
        "(in the trial tta=flop)\n",
    )


def test_hints_for_another_task(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    root = f"data.root={photos}"
    for words, message in (
        (
            ["task=detection", "data=folder", "model=fcos", root],
            "task=detection needs boxes, and data=folder has labels alone: use data=voc, coco, "
            "yolo, megadetector, boxes or harbour_boxes",
        ),
        (
            ["task=detection", "data=voc", "model=fcos", "experiment=probe", root],
            "experiment=probe is for task=classification: leave it out, or leave out "
            "task=detection",
        ),
        (
            ["task=detection", "data=voc", "model=fcos", "model.head_init=linear_probe", root],
            "model.head_init goes with task=classification: set it to random",
        ),
    ):
        assert osprey("train", *words).err == f"osprey train: {message}\n"


def write(file: Path, content: str | bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seed: 1\n\ttags: [a]\n", "{file} line 2: a tab: indent with spaces"),
        ("tags: [a, b\nseed: 3\n", "{file} line 1: '[' is not closed by ']'"),
        ("data: {size: 64\nseed: 3\n", "{file} line 1: '{{' is not closed by '}}'"),
        ('name: "x\nseed: 3\n', "{file} line 1: a quote is not closed"),
        ("name: x: y\n", "{file} line 1: a second ':' in one line: put the value in quotes"),
        ("seed: 3\ntags\nname: x\n", "{file} line 2: expected 'key: value'"),
        (b"\xff\xfe", "{file} is not UTF-8: save it as such"),
        ("name: a\x05b\n", "{file} has a character that YAML does not allow (#x5)"),
        (
            "# @package _global_\ndata: {classes: [yes, no]}\n",
            "data.classes: it is text, and true is a truth value to YAML: write it in quotes",
        ),
        (
            "# @package _global_\nname: 1e3\n",
            "name: it is text, and 1000.0 is a number to YAML: write it in quotes",
        ),
        (
            "# @package _global_\nmodel: 3\n",
            "model: it is a group of settings, and '3' is none: choose an option (model=NAME), or "
            "set model.NAME=VALUE",
        ),
        ("defaults: [mine]\n", "a config file names itself in its defaults list"),
        ("# @package _global_\nhydra: {run: {dir: x}}\n", f"hydra.run.dir: {MOVED}"),
    ],
)
def test_a_config_file_of_the_user_s(
    content: str | bytes,
    message: str,
    here: Path,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    file = here / "mine" / "experiment" / "mine.yaml"
    write(file, content)
    result = osprey("train", *NOWHERE, "--config-dir", "mine", "experiment=mine")
    said = message.format(file=f"'{file}'")
    assert (result.code, result.err) == (2, f"osprey train: {said}\n")


def test_the_user_s_file_wins_and_that_is_told(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    write(here / "mine/model/resnet18.yaml", "defaults: [_base]\nname: mine\n")
    write(here / "mine/model/other.yaml", "defaults: [_base]\nname: other\n")
    words = ["train", *NOWHERE, "--config-dir", "mine", "model=resnet18"]
    shown = osprey(*words, "--cfg", "job", "--package", "model")
    assert "name: mine\n" in shown.out
    told = f"configs model/resnet18.yaml of '{here}/mine' replaces Osprey's of the same name\n"
    assert osprey(*words).out == told
    write(here / "mine/data/folder.yaml", "defaults: [_base]\nname: f\nreader: folder\n")
    told = told.replace("model/", "data/folder.yaml, model/").replace("replaces", "replace")
    assert osprey(*words).out == told


def test_a_search_path_hides_no_file(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    write(here / "mine/model/reef.yaml", "defaults: [_base]\nname: reef\n")
    words = ["train", f"hydra.searchpath=[file://{here}/mine]", "model=reef", *NOWHERE]
    assert osprey(*words).err == "osprey train: data.root: there is no folder '/nonex'\n"
    write(here / "mine/model/resnet18.yaml", "defaults: [_base]\nname: mine\n")
    assert osprey(*words).err == (
        "osprey train: hydra.searchpath: Osprey's own model/resnet18.yaml would be used in place "
        f"of that of '{here}/mine': use --config-dir {here}/mine\n"
    )


def test_data_of_eval_is_no_group(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey("eval", "data=folder").err == (
        "osprey eval: data is a group of settings: data.split, data.root, data.reader, data.file, "
        "...\n"
    )


def test_an_option_with_nothing_in_it(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("predict", "--folder", "", "--output", "o.csv")
    assert (result.code, result.err) == (
        2,
        "osprey predict: argument --folder: it is empty; 'osprey predict --help' tells what there "
        "is\n",
    )


def test_no_command(osprey) -> None:  # type: ignore[no-untyped-def]
    for word, message in (
        ("--halp", "there is no command '--halp'; did you mean '--help'?"),
        ("a\nb", r"there is no command 'a\nb'"),
    ):
        result = osprey(word)
        assert (result.code, result.err) == (2, f"osprey: {message}\n")
