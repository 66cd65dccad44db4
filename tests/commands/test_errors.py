"""Every mistake a user can make on the command line: one line, exit code 2, nothing written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, TINY, Result, environment, make_photos

DATA = ", ".join(sorted(path.stem for path in (REPOSITORY / "configs" / "data").glob("*.yaml")))

MISTAKES = {
    "optimizer.lrr=1": "unknown setting 'optimizer.lrr'; did you mean 'optimizer.lr'?",
    "lr=1": "unknown setting 'lr'; did you mean 'optimizer.lr'?",
    "+data.sise=3": "unknown setting 'data.sise'; did you mean 'data.size'?",
    "trainer.max_epochs=many": "trainer.max_epochs: 'many' is not a whole number",
    "trainer.max_epochs=0": (
        "trainer.max_epochs=0 trains nothing: set 1 or more, or model.head_init=linear_probe "
        "to fit the head alone"
    ),
    "optimizer.lr=fast": "optimizer.lr: 'fast' is not a number",
    "optimizer.lr=nan": "optimizer.lr: nan is out of range (at least 0)",
    "task.clas_weights=sqrt": (
        "unknown setting 'task.clas_weights'; did you mean 'task.class_weights'?"
    ),
    "model=resnte18": "no model called 'resnte18'; did you mean 'resnet18'?",
    "data=zzz": f"no data called 'zzz'; there are: {DATA}",
    "experiment=clothes": "no experiment called 'clothes'; did you mean 'clothing'?",
    "model=timm": "model.name is not set: add model.name=VALUE to the command",
    "data=folder": "data.root is not set: add data.root=VALUE to the command",
    "just words": (
        "cannot read 'just words': settings are written key=value, and values with spaces or "
        "commas need quotes"
    ),
    "task.loss=focl": (
        "task.loss: unknown 'focl'; did you mean 'focal'? "
        "(one of cross_entropy, focal, class_balanced)"
    ),
    "data.resize=squish": (
        "data.resize: unknown 'squish'; did you mean 'squash'? (one of squash, crop, letterbox)"
    ),
    "model.pretrained=true": (
        "simple_cnn has no pretrained weights: set model.pretrained=false or =PATH"
    ),
    "model.pretrained=none.pth": "model.pretrained: there is no file 'none.pth'",
    "model.freeze=backbone": (
        "model.pretrained=false leaves random weights, which are neither held nor probed: add "
        "model.freeze=none, or give model.pretrained=PATH or true"
    ),
    "model.freeze=bakbone": (
        "model.freeze: unknown 'bakbone'; did you mean 'backbone'? (one of none, backbone)"
    ),
    "data.fold=1": "data.fold=1 needs data.folds",
    "trainer.devices=2": "trainer.devices=2 needs trainer=ddp or trainer=fsdp",
    "trainer.precision=16-mix": (
        "trainer.precision: unknown '16-mix'; did you mean '16-mixed'? "
        "(one of auto, 32-true, bf16-mixed, 16-mixed)"
    ),
    "model.options.dropp=0.1": (
        "model.options.dropp: a new entry is written with a plus: +model.options.NAME=VALUE"
    ),
    "model=simple_cnn,resnet18": (
        "'model=simple_cnn,resnet18' has several values: add -m to try each"
    ),
    "resume=latest": (
        "there is no run with a checkpoint to go on from under 'runs': train one with "
        "'osprey train'"
    ),
    "augmentation.steps=[HorizontalFlop]": (
        "unknown augmentation step 'HorizontalFlop'; did you mean 'HorizontalFlip'?"
    ),
    "name=../elsewhere": "name: '../elsewhere' cannot be a folder's name",
}


@pytest.mark.parametrize("word", MISTAKES)
def test_one_line_and_exit_code_2(word: str, here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    more = ["data.render_count=200"] if word.startswith("name=") else []
    result: Result = osprey("train", word, *more)
    assert result.err == f"osprey train: {MISTAKES[word]}\n"
    assert (result.code, result.out) == (2, "" if not more else result.out)
    assert not list(here.glob("runs/*")), "a refused command writes no run"


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--help"],
        ["train", "optimizer.lrr=1"],
        ["train", "model=resnte18"],
        ["train", "trainer.max_epochs=0"],
        ["train", "model=ensemble", "model.runs=[a,b]"],
        ["train", "data=folder", "data.root=/nowhere/at/all"],
        ["eval", "--help"],
        ["predict", "--help"],
        ["models", "--help"],
        ["--help"],
    ],
)
def test_answers_without_importing_torch(words: list[str], here: Path) -> None:
    code = (
        "import sys\n"
        "from osprey.commands import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pytorch_lightning', 'timm', 'albumentations'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=here,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_unknown_command(osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("trian")
    assert result.code == 2
    assert result.err == "osprey: there is no command 'trian'; did you mean 'train'?\n"


def folder_error(osprey, root: Path, *more: str) -> str:  # type: ignore[no-untyped-def]
    result: Result = osprey("train", "data=folder", f"data.root={root}", *TINY, *more)
    assert result.code == 2, result.out
    assert result.err.count("\n") == 1
    return result.err.removeprefix("osprey train: ").rstrip("\n")


def test_wrong_data(here: Path, tmp_path: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    root = make_photos(tmp_path / "photos", per_class=6)
    assert folder_error(osprey, tmp_path / "fotos") == (
        f"data.root: there is no folder '{tmp_path}/fotos'; did you mean 'photos'?"
    )
    assert folder_error(osprey, root / "red") == (
        f"photos lie directly in '{root}/red': put those of each class into a folder named after "
        "it, give a table with data.reader=table data.file=labels.csv, or, where names say the "
        r"class, a pattern such as data.label='(?P<label>[A-Za-z]+)_\d+'"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    assert folder_error(osprey, empty).startswith(f"no photos under '{empty}' (looked for .")
    assert folder_error(osprey, root, "data.classes=[red]") == (
        f"only one class, 'red', in '{root}': a classifier needs two; is data.root one folder too "
        "deep?"
    )
    assert not (here / "runs").exists()


def test_missing_val_split_and_class_missing_from_train(
    here: Path,
    tmp_path: Path,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    root = tmp_path / "given"
    make_photos(root / "train", per_class=6)
    make_photos(root / "test", per_class=2)
    result = osprey("train", "data=folder", f"data.root={root}", *TINY)
    assert result.code == 0 and "no validation split: 15% cut from train\n" in result.out
    for photo in (root / "train" / "red").iterdir():
        photo.unlink()
    assert folder_error(osprey, root, "data.val_fraction=0.2") == (
        "class 'red' has no photo in train (2 in test): move some there, or leave it out with "
        "data.classes=[...]"
    )


def test_leaking_split(here: Path, tmp_path: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    root = tmp_path / "leaky"
    for split in ("train", "val", "test"):
        make_photos(root / split, per_class=4)
    pattern = r"data.group='(?P<group>_\d+)'"
    assert folder_error(osprey, root, pattern) == (
        "4 of 4 groups straddle splits: _00 (train+val+test), _01 (train+val+test), "
        "_02 (train+val+test), _03 (train+val+test); split by group with data.given_split=false, "
        "or accept flattering figures with data.allow_leakage=true"
    )


def test_unknown_flag_and_config_dir(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("train", "--config-dir", "nowhere")
    assert result.code == 2
    assert "'nowhere'" in result.err or str(here / "nowhere") in result.err
    assert osprey("train", "--epochs", "3").code == 2


def test_refused_before_learning_leaves_no_run(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    import torch

    words = ["train", "data=folder", f"data.root={photos}", *TINY[2:]]
    if not torch.cuda.is_available():
        result = osprey(*words, "trainer=fsdp")
        assert (result.code, result.err) == (
            2,
            "osprey train: trainer.strategy=fsdp needs a GPU and there is none: use "
            "trainer=default, or trainer=ddp_sim to rehearse on the CPU\n",
        )
    odd = here / "odd.pth"
    odd.write_bytes(b"not a model")
    result = osprey(*words, f"model.pretrained={odd}")
    assert result.code == 2
    assert result.err.startswith(f"osprey train: model.pretrained: '{odd}' ")
    assert not list(here.glob("runs/*/*")), "nothing was learnt, nothing stays"


def test_devices_and_sizes_that_are_not_there(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    import torch

    words = ["train", "data=folder", f"data.root={photos}"]
    result = osprey(*words, "model=inception_v3", "model.pretrained=false", "data.size=64")
    assert (result.code, result.err) == (
        2,
        "osprey train: data.size: 'inception_v3' cannot take photos of 64 px; its own size is "
        "299 px\n",
    )
    if not torch.cuda.is_available():
        result = osprey(*words, *TINY, "trainer.accelerator=gpu")
        message = "accelerator=gpu: this machine has none; use auto or cpu"
        assert (result.code, result.err) == (2, f"osprey train: {message}\n")
    result = osprey(*words, *TINY, "trainer=ddp_sim", "data.batch_size=9")
    message = "data.batch_size=9 cannot be shared evenly by 2 processes"
    assert (result.code, result.err) == (2, f"osprey train: {message}\n")
    assert not list(here.glob("runs/*/*"))
    (here / "runs").mkdir(exist_ok=True)
    link = here / "gone"
    link.symlink_to(here / "unmounted" / "scratch")
    result = osprey(*words, *TINY, f"paths.runs={link}")
    assert (result.code, result.err) == (
        2,
        f"osprey train: paths.runs: cannot write to '{link}' (File exists)\n",
    )


def test_own_photos_without_naming_the_reader(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("train", f"data.root={photos}")
    assert (result.code, result.err) == (
        2,
        f"osprey train: data.root: '{photos}' is no harbour set; for your own photos add "
        "data=folder\n",
    )


def test_eval_mistakes(trained: Path, monkeypatch: pytest.MonkeyPatch, osprey) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(trained)
    for word, message in {
        "num_workers=-1": "num_workers: -1 is out of range (0 to 256)",
        "data.split=tets": (
            "data.split: unknown 'tets'; did you mean 'test'? (one of train, val, test)"
        ),
        "checkpoint=first": "checkpoint: unknown 'first' (one of best, last)",
        "run=nothing": "there is no run 'nothing'; name a folder below 'runs', or latest",
    }.items():
        result = osprey("eval", word)
        assert (result.code, result.err) == (2, f"osprey eval: {message}\n")
