"""Mistakes in the user's own parts: one plain line, exit code 2, nothing of a run left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, environment

REEF = ["model._target_=my_pkg.nets.ReefNet", "+model.width=4"]


@pytest.fixture
def refused(my_pkg: Path, photos: Path, osprey):  # type: ignore[no-untyped-def]
    """Train with further words; the one line that comes back."""
    tiny = [word for word in TINY if not word.startswith("model.")]

    def call(*words: str) -> str:
        result = osprey("train", "data=folder", f"data.root={photos}", *tiny, *words)
        assert result.code == 2, result.err
        assert result.err.startswith("osprey train: ") and result.err.count("\n") == 1
        assert "epoch" not in result.out
        assert not list(my_pkg.glob("runs/*/*/config.yaml")), "no run is left behind"
        return str(result.err).removeprefix("osprey train: ").rstrip("\n")

    return call


def places(folder: Path) -> str:
    return f"(looked in the current folder '{folder}' and the installed packages)"


# ------------------------------------------------------------ targets


def test_a_class_that_is_not_there(refused) -> None:  # type: ignore[no-untyped-def]
    assert refused("model._target_=my_pkg.nets.RefNet") == (
        "model._target_: 'my_pkg.nets.RefNet' cannot be imported: module 'my_pkg.nets' has no "
        "'RefNet'; did you mean 'ReefNet'?"
    )


def test_a_package_that_is_not_there(refused, my_pkg: Path) -> None:  # type: ignore[no-untyped-def]
    assert refused("model._target_=my_pk.nets.ReefNet") == (
        "model._target_: 'my_pk.nets.ReefNet' cannot be imported: there is no module 'my_pk'; did "
        f"you mean 'my_pkg'? {places(my_pkg)}"
    )


def test_a_module_that_is_not_there(refused) -> None:  # type: ignore[no-untyped-def]
    line = refused("model._target_=my_pkg.net.ReefNet")
    assert line.startswith("model._target_: 'my_pkg.net.ReefNet' cannot be imported: ")
    assert line.endswith("'; did you mean 'nets'?")


@pytest.mark.parametrize(
    ("key", "target", "kind"),
    [
        ("model", "my_pkg.wrong.helper", "torch.nn.Module"),
        ("task.loss", "my_pkg.wrong.helper", "torch.nn.Module"),
        ("+task.metrics.odd", "my_pkg.wrong.helper", "torchmetrics.Metric"),
        ("+callbacks.odd", "my_pkg.wrong.helper", "pytorch_lightning.Callback"),
        ("+logger.odd", "my_pkg.wrong.helper", "pytorch_lightning.loggers.Logger"),
    ],
)
def test_the_wrong_kind(key: str, target: str, kind: str, refused, my_pkg: Path) -> None:  # type: ignore[no-untyped-def]
    (my_pkg / "my_pkg" / "wrong.py").write_text('def helper():\n    return "help"\n')
    plain = key.lstrip("+")
    assert refused(f"{key}._target_={target}") == (
        f"{plain}._target_: '{target}' gives a str, not a {kind}"
    )


def test_a_class_that_raises(refused, my_pkg: Path) -> None:  # type: ignore[no-untyped-def]
    text = "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self, num_classes):\n"
    (my_pkg / "my_pkg" / "wrong.py").write_text(text + "        raise ValueError('too wide')\n")
    line = refused("model._target_=my_pkg.wrong.Net")
    assert line.startswith("model._target_: 'my_pkg.wrong.Net' ")
    assert "ValueError: too wide" in line


# ------------------------------------------------------------ arguments


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["model._target_=my_pkg.nets.ReefNet"],
            "model._target_: 'my_pkg.nets.ReefNet' needs 'width': add +model.width=VALUE",
        ),
        (
            [*REEF, "+model.widht=8"],
            "model.widht: 'my_pkg.nets.ReefNet' takes no such argument; did you mean 'width'?",
        ),
        (
            ["model._target_=my_pkg.nets.ReefNet", "+model.width=wide"],
            "model.width: 'wide' is not a whole number",
        ),
        (
            [*REEF, "+model.drop_rate=much"],
            "model.drop_rate: 'much' is not a number",
        ),
        (
            ["task.loss._target_=my_pkg.losses.Poly1", "+task.loss.epsilom=1"],
            "task.loss.epsilom: 'my_pkg.losses.Poly1' takes no such argument; did you mean "
            "'epsilon'?",
        ),
        (
            ["+callbacks.norm._target_=my_pkg.watch.WeightNorm", "+callbacks.norm.nane=x"],
            "callbacks.norm.nane: 'my_pkg.watch.WeightNorm' takes no such argument; did you mean "
            "'name'?",
        ),
        (
            ["+trainer.val_check_intervall=0.5"],
            "trainer.val_check_intervall: 'pytorch_lightning.Trainer' takes no such argument; did "
            "you mean 'val_check_interval'?",
        ),
    ],
)
def test_arguments(words: list[str], message: str, refused) -> None:  # type: ignore[no-untyped-def]
    assert refused(*words) == message


def test_an_argument_in_yaml(refused, my_pkg: Path) -> None:  # type: ignore[no-untyped-def]
    """Of a file as of a command line."""
    (my_pkg / "mine/model/reefnet.yaml").write_text(
        "_target_: my_pkg.nets.ReefNet\nwidth: 4\ndroprate: 0.1\n"
    )
    assert refused("--config-dir", "mine", "model=reefnet") == (
        "model.droprate: 'my_pkg.nets.ReefNet' takes no such argument; did you mean 'drop_rate'?"
    )


# ------------------------------------------------------------ plugins


def test_a_plugin_that_raises(refused, my_pkg: Path) -> None:  # type: ignore[no-untyped-def]
    (my_pkg / "my_pkg" / "__init__.py").write_text("1 / 0\n")
    assert refused("plugins=[my_pkg]") == (
        "plugins: 'my_pkg' failed to import: ZeroDivisionError: division by zero"
    )


def test_a_plugin_that_is_not_there(refused, my_pkg: Path) -> None:  # type: ignore[no-untyped-def]
    assert refused("plugins=[my_pk]") == (
        f"plugins: there is no module 'my_pk'; did you mean 'my_pkg'? {places(my_pkg)}"
    )


def test_of_a_command_with_options(my_pkg: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("predict", "--image", photos / "red/red_00.png", "--plugin", "my_pk")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "osprey predict: --plugin: there is no module 'my_pk'; did you mean 'my_pkg'? "
        f"{places(my_pkg)}\n"
    )


# ------------------------------------------------------------ what is watched


SWA = "pytorch_lightning.callbacks.StochasticWeightAveraging"


def test_a_callback_switched_on_twice(refused) -> None:  # type: ignore[no-untyped-def]
    words = [f"+callbacks.{name}._target_={SWA}" for name in ("swa", "second")]
    words += [f"+callbacks.{name}.swa_lrs=1e-3" for name in ("swa", "second")]
    assert refused(*words) == (
        f"callbacks.second: '{SWA}' is switched on twice (also as callbacks.swa): set one of them "
        "to null"
    )


def test_a_callback_switched_off(my_pkg: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    (my_pkg / "mine/callbacks").mkdir()
    (my_pkg / "mine/callbacks/both.yaml").write_text(
        "defaults: [_base]\n"
        "one: {_target_: my_pkg.watch.WeightNorm, name: one}\n"
        "two: {_target_: my_pkg.watch.WeightNorm, name: two}\n"
    )
    words = ["--config-dir", "mine", "callbacks=both", "callbacks.two=null"]
    result = osprey("train", "data=folder", f"data.root={photos}", *TINY, *words)
    assert result.code == 0, result.err
    (table,) = my_pkg.glob("runs/*/*/metrics.csv")
    header = table.read_text().splitlines()[0].split(",")
    assert "train/one" in header and "train/two" not in header


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mode=up"], "mode: unknown 'up' (one of max, min)"),
    ],
)
def test_mode(words: list[str], message: str, refused) -> None:  # type: ignore[no-untyped-def]
    assert refused(*words) == message


def test_a_monitor_that_nobody_logs(my_pkg: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    words = ["data=folder", f"data.root={photos}", *TINY, "monitor=val/x", "mode=max"]
    result = osprey("train", *words)
    assert result.code == 2
    (line,) = result.err.splitlines()
    assert line == (
        "osprey train: monitor=val/x is not logged; did you mean 'val/ece'? (logged are "
        "train/loss, val/ece, val/log_loss, val/macro_f1, val/top1, val/top5)"
    )
    # A callback of the user's own may log it: then the first epoch tells.
    own = "+callbacks.stop._target_=pytorch_lightning.callbacks.Timer"
    result = osprey("train", *words, own, "+callbacks.stop.duration=00:01:00:00")
    assert result.code == 2
    assert "osprey train: monitor=val/x is not logged; logged are: " in result.err


# ------------------------------------------------------------ own settings answer without torch


@pytest.mark.parametrize(
    "words", [["optimizer.lr=fast"], ["model=resnte18"], ["trainer.max_epoch=3"], ["mode=up"]]
)
def test_osprey_s_own_settings_answer_before_torch(words: list[str], here: Path) -> None:
    code = (
        "import sys; from osprey.commands import main; code = main(); "
        "sys.exit(code if 'torch' not in sys.modules else 99)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "train", *words],
        cwd=here,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
