"""Each seam with the files that docs/extend.md tells people to write, and the commands it shows.

The files go into an empty folder and the commands are run there as they stand, made small. Every
command has a check of what the user's part did; a command without one fails. Nothing of Osprey's is
edited: `osprey_as_it_was` holds that.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from conftest import REPOSITORY, only_run, run_process
from documents import EXTEND, README, commands, lines_of, section, words_of

COMMANDS = sorted({*commands(section(README, "Extend")), *commands(lines_of(EXTEND))})
# A detector trains on photos with boxes: test_foreign_detector.py
TRAIN = [c for c in COMMANDS if words_of(c)[0] == "train" and "task=detection" not in c]
# Settings that make a run small, unless the command itself makes them.
SMALL = {
    "data": "folder",
    "data.root": "PHOTOS",
    "data.size": "32",
    "data.batch_size": "8",
    "data.num_workers": "0",
    "augmentation": "none",
    "model.options": "{width: 4}",
    "optimizer.lr": "0.01",
    "trainer.max_epochs": "2",
    "trainer.autotune": "false",
    "callbacks.progress": "false",
}


def small(line: str, photos: Path) -> list[str]:
    """The command's words and what makes it small."""
    words = words_of(line)
    said = {word.lstrip("+~").partition("=")[0] for word in words}
    own = {group for group in ("task", "data", "model") if f"{group}._target_" in said}
    own |= {"model"} if "model" in said else set()
    if "experiment" in said or {"task", "data"} <= own:
        own |= {"data", "augmentation", "optimizer", "model"}
    more = [
        f"{k}={v}" for k, v in SMALL.items() if k not in said and k.partition(".")[0] not in own
    ]
    if "model" in own and "data" not in own:
        more = [word for word in more if not word.startswith("model.")]
    return [word.replace("=PHOTOS", f"={photos}") for word in [*words, *more]]


def config(run: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((run / "config.yaml").read_text()))


def summary(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "summary.json").read_text()))


def logged(run: Path) -> dict[str, str]:
    """The last row of metrics.csv."""
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))[-1]


def tensors(run: Path) -> dict[str, torch.Tensor]:
    return dict(torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"])


def optimizer_groups(run: Path) -> list[dict[str, Any]]:
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return list(content["optimizer_states"][0]["param_groups"])


def network(width: int) -> Callable[[Path], None]:
    def check(run: Path) -> None:
        assert config(run)["model"]["_target_"] == "my_pkg.nets.ReefNet"
        assert tensors(run)["model.stages.0.weight"].shape == (width, 3, 3, 3)

    return check


def own_loss(run: Path) -> None:
    assert config(run)["task"]["loss"] == {"_target_": "my_pkg.losses.Poly1", "epsilon": 2.0}
    assert float(logged(run)["train/loss"]) > 0


def focal(run: Path) -> None:
    assert config(run)["task"]["loss"] == "focal"


def mcc(run: Path) -> None:
    """It is logged, tested, and chose the best epoch."""
    rows = list(csv.DictReader((run / "metrics.csv").open(newline="")))
    figures = [float(row["val/mcc"]) for row in rows]
    assert summary(run)["epochs"]["best"] == figures.index(max(figures)) + 1
    assert -1 <= summary(run)["test"]["mcc"] <= 1
    assert -1 <= summary(run)["val"]["mcc"] <= 1


def worst_recall(run: Path) -> None:
    test = summary(run)["test"]
    assert test["worst"] == pytest.approx(min(row["recall"] for row in test["per_class"]))


def spray(run: Path) -> None:
    step = config(run)["augmentation"]["steps"][1]
    assert step == {"_target_": "my_pkg.augment.SaltSpray", "drops": 20, "p": 0.3}


def lion(run: Path) -> None:
    assert config(run)["optimizer"]["name"] == "lion"
    schedule = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["lr_schedulers"]
    assert "total_steps" in schedule[0], "OneCycleLR keeps it"


def amsgrad(run: Path) -> None:
    assert {group["amsgrad"] for group in optimizer_groups(run)} == {True}


def sign_sgd(run: Path) -> None:
    groups = optimizer_groups(run)
    assert groups and all(set(group) >= {"lr", "weight_decay"} for group in groups)
    assert all("momentum" not in group and "betas" not in group for group in groups)


def triangle(run: Path) -> None:
    """Down to next to nothing at the end."""
    assert optimizer_groups(run)[0]["lr"] < 0.3 * 0.01


def swa(run: Path) -> None:
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert any("StochasticWeightAveraging" in key for key in content["callbacks"])


def weight_norm(run: Path) -> None:
    assert float(logged(run)["train/weight_norm"]) > 0
    assert config(run)["callbacks"]["early_stopping"] == 5


def json_lines(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "figures.jsonl").read_text().splitlines()]
    assert any("val/macro_f1" in line for line in lines)
    three_loggers(run)


def three_loggers(run: Path) -> None:
    assert list(run.rglob("events.out.tfevents.*"))
    assert list(run.glob("wandb/offline-run-*"))
    assert (run / "metrics.csv").is_file()


def trainer_arguments(run: Path) -> None:
    trainer = config(run)["trainer"]
    assert trainer["val_check_interval"] == 0.25


def reader(run: Path) -> None:
    assert summary(run)["classes"] == ["blue", "green", "red"]
    assert config(run)["data"]["reader"] == {"_target_": "my_pkg.data.read_names"}


def sampler(run: Path) -> None:
    node = {"_target_": "my_pkg.data.rare_first", "power": 1.0}
    assert config(run)["data"]["sampler"] == node


def collate(run: Path) -> None:
    assert config(run)["data"]["collate"] == {"_target_": "my_pkg.data.with_flipped"}
    assert summary(run)["test"]["n"] > 0


def digits(run: Path) -> None:
    assert config(run)["task"]["_target_"] == "my_pkg.lit.LitDigits"
    assert summary(run)["test"]["acc"] >= 0.25
    assert (run / "checkpoints" / "best.ckpt").is_file()


def digits_and_loggers(run: Path) -> None:
    digits(run)
    three_loggers(run)


CHECKS: dict[str, Callable[[Path], None]] = {
    "+model.width=64": network(64),
    "model.width=32": network(32),
    "task.loss=focal": focal,
    "task.loss._target_": own_loss,
    "MatthewsCorrCoef": mcc,
    "WorstRecall": worst_recall,
    "augmentation=spray": spray,
    "optimizer=lion": lion,
    "amsgrad": amsgrad,
    "SignSGD": sign_sgd,
    "triangle": triangle,
    "StochasticWeightAveraging": swa,
    "WeightNorm": weight_norm,
    "JsonLines": json_lines,
    "'logger=[csv,wandb,tensorboard]' +trainer": three_loggers,
    "'logger=[csv,wandb,tensorboard]' callbacks": digits_and_loggers,
    "val_check_interval": trainer_arguments,
    "read_names": reader,
    "rare_first": sampler,
    "with_flipped": collate,
    "LitDigits": digits,
    "experiment=digits": digits,
}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, marks=pytest.mark.slow if number % 4 else ())
        for number, line in enumerate(line for line in TRAIN if " -m " not in line)
    ],
)
def test_the_command_does_what_it_says(line: str, my_pkg: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    checks = [check for token, check in CHECKS.items() if token in line]
    assert checks, "say in CHECKS what this command has to do"
    words = small(line, photos)
    if "tensorboard" in line:
        pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    if "wandb" in line:  # it starts processes, and reads its key from the home folder
        quiet = {"WANDB_API_KEY": "", "HOME": str(my_pkg), "NETRC": str(my_pkg / "none")}
        result = run_process(words, my_pkg, **quiet)
    else:
        result = osprey(*words)
    assert result.code == 0, result.err
    run = only_run(my_pkg)
    for check in checks:
        check(run)


def test_a_sweep_over_the_user_s_own_settings(my_pkg: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    (line,) = (line for line in TRAIN if " -m " in line)
    result = osprey(*small(line, my_pkg))
    assert result.code == 0, result.err
    runs = [path.parent for path in my_pkg.glob("runs/*/*/summary.json") if not _is_link(path)]
    assert sorted((config(r)["task"]["net"]["hidden"], config(r)["seed"]) for r in runs) == [
        *((16, 0), (16, 1), (32, 0), (32, 1))
    ]
    shown = result.out.split("sweep, best first by validation acc")[1].splitlines()
    figures = [float(row.split()[1]) for row in shown if row.startswith("  val ")]
    assert len(figures) == 4 and figures == sorted(figures, reverse=True)


def _is_link(path: Path) -> bool:
    return any(parent.is_symlink() for parent in path.parents)


def test_the_steps_of_an_augmentation_are_drawn_alike(my_pkg: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    """The user's own step repeats itself from the seed, as Osprey's do."""
    line = "osprey train --config-dir mine augmentation=spray"
    for name in ("first", "second"):
        result = osprey(*small(line, photos), f"name={name}", "trainer.max_epochs=1")
        assert result.code == 0, result.err
    first, second = (next(my_pkg.glob(f"runs/{name}/2*")) for name in ("first", "second"))
    assert logged(first)["train/loss"] == logged(second)["train/loss"]


# ------------------------------------------------------------ a run whose network is the user's own


REEF = ["model._target_=my_pkg.nets.ReefNet", "+model.width=4"]


@pytest.fixture
def reef_run(my_pkg: Path, photos: Path, osprey) -> Path:  # type: ignore[no-untyped-def]
    result = osprey(*small(f"osprey train plugins=[my_pkg] {' '.join(REEF)}", photos))
    assert result.code == 0, result.err
    return only_run(my_pkg)


def test_what_follows_a_training(reef_run: Path, my_pkg: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    photo = str(photos / "red" / "red_00.png")
    places = {"RUN": str(reef_run), "PHOTO": photo}
    lines = [x for x in COMMANDS if words_of(x)[0] in ("predict", "eval")]
    assert len(lines) == 3
    for line in lines:
        result = osprey(*(places.get(word, word) for word in words_of(line)))
        assert result.code == 0, result.err
    assert osprey("report", reef_run).code == 0

    result = osprey("train", f"resume={reef_run}", "plugins=[my_pkg]", "trainer.max_epochs=3")
    assert result.code == 0, result.err
    assert summary(reef_run)["epochs"]["trained"] == 3
    environment = json.loads((reef_run / "environment.json").read_text())
    assert "my_pkg" in json.dumps(environment), "whose code it was"


def test_weights_of_its_own_and_a_frozen_backbone(
    reef_run: Path, my_pkg: Path, photos: Path, osprey
) -> None:  # type: ignore[no-untyped-def]
    """What a network with a head like timm's can do besides."""
    plain = {key.removeprefix("model."): value for key, value in tensors(reef_run).items()}
    torch.save(plain, my_pkg / "weights.pth")
    words = f"{' '.join(REEF)} model.pretrained=weights.pth model.freeze=backbone name=frozen"
    result = osprey(*small(f"osprey train {words}", photos))
    assert result.code == 0, result.err
    assert "M of them trained" in result.out
    after = tensors(next(my_pkg.glob("runs/frozen/2*")))
    assert torch.equal(after["model.stages.0.weight"], plain["stages.0.weight"])
    assert not torch.equal(after["model.head.weight"], plain["head.weight"])


def test_explain_lists_what_a_target_takes(my_pkg: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("explain", "model._target_=my_pkg.nets.ReefNet", "plugins=[my_pkg]")
    assert result.code == 0, result.err
    rows = {row.split()[0]: row for row in result.out.splitlines() if row.strip()}
    assert "int" in rows["model.width"]
    assert "Channels of the first convolution" in rows["model.width"]
    assert "0.0" in rows["model.drop_rate"]
    assert "Dropout before the head" in rows["model.drop_rate"]
    assert osprey("explain", "model=resnet18").code == 0


def test_a_plugin_brings_its_configs(my_pkg: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    (my_pkg / "mine").rename(my_pkg / "my_pkg" / "configs")
    line = "osprey train plugins=[my_pkg] model=reefnet model.width=4"
    result = osprey(*small(line, photos))
    assert result.code == 0, result.err
    network(4)(only_run(my_pkg))


# ------------------------------------------------------------ nothing of Osprey's is edited


def _digest() -> str:
    digest = hashlib.sha256()
    for folder in ("src/osprey", "configs"):
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.fixture(autouse=True, scope="module")
def osprey_as_it_was() -> Iterator[None]:
    """All of the above leaves Osprey's files as they were."""
    before = _digest()
    yield
    assert _digest() == before


def test_all_that_is_written_is_the_user_s(my_pkg: Path) -> None:
    files = [path for path in my_pkg.rglob("*") if path.is_file()]
    assert {path.relative_to(my_pkg).parts[0] for path in files} == {"my_pkg", "mine"}
