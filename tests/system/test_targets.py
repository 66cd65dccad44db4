"""Targets: what a dotted name leads to, and whether its arguments fit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from osprey.errors import CheckpointError, ConfigError
from osprey.system.instantiate import instantiate
from osprey.system.plugins import command_scope, load_plugins
from osprey.system.targets import check_plain_type, import_target
from osprey.system.trust import is_trusted, refuse_untrusted, targets_in, trust_targets


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of the user's in the current folder."""
    folder = tmp_path / "coral_pkg"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "nets.py").write_text(
        "class Net:\n"
        "    def __init__(self, width: int, rate: float = 0.5, kind: str = 'a', inner=None):\n"
        "        self.width, self.rate, self.inner = width, rate, inner\n"
        "def fails():\n    raise ValueError('too deep')\n"
    )
    (folder / "broken.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    with command_scope():
        trust_targets({"_target_": "coral_pkg.nets.Net"})
        yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "coral_pkg"]:
        del sys.modules[name]


def message(target: str) -> str:
    with pytest.raises(ConfigError) as caught:
        import_target("model", target)
    return str(caught.value)


def test_what_cannot_be_imported(package: Path) -> None:
    head = "model._target_: "
    assert message("coral_pkg.nets.Nett") == (
        f"{head}'coral_pkg.nets.Nett' cannot be imported: module 'coral_pkg.nets' has no 'Nett'; "
        "did you mean 'Net'?"
    )
    assert message("coral_pkg.nests.Net") == (
        f"{head}'coral_pkg.nests.Net' cannot be imported: module 'coral_pkg' has no 'nests'; "
        "did you mean 'nets'?"
    )
    assert message("corel_pkg.nets.Net") == (
        f"{head}'corel_pkg.nets.Net' cannot be imported: there is no module 'corel_pkg'; did you "
        f"mean 'coral_pkg'? (looked in the current folder '{package.parent}' and the installed "
        "packages)"
    )
    assert message("coral_pkg.broken.Net") == (
        f"{head}'coral_pkg.broken.Net' cannot be imported: ZeroDivisionError: division by zero"
    )
    assert message("Net") == (
        f"{head}'Net' is not the dotted name of a class, such as my_pkg.nets.Net"
    )
    assert message("coral_pkg.nets") == f"{head}'coral_pkg.nets' is neither a class nor a function"


@pytest.mark.parametrize(
    ("node", "text"),
    [
        ({}, "model._target_: 'coral_pkg.nets.Net' needs 'width': add +model.width=VALUE"),
        (
            {"widht": 3},
            "model.widht: 'coral_pkg.nets.Net' takes no such argument; did you mean 'width'?",
        ),
        ({"width": "wide"}, "model.width: 'wide' is not a whole number"),
        ({"width": 1.5}, "model.width: '1.5' is not a whole number"),
        ({"width": 1, "rate": "fast"}, "model.rate: 'fast' is not a number"),
        ({"width": True}, "model.width: 'True' is not a whole number"),
    ],
)
def test_arguments(package: Path, node: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        instantiate("model", {"_target_": "coral_pkg.nets.Net", **node})
    assert str(caught.value) == text


def test_nodes_within_nodes_and_what_is_given_at_run_time(package: Path) -> None:
    inner = {"_target_": "coral_pkg.nets.Net", "width": 2}
    made = instantiate(
        "model", {"_target_": "coral_pkg.nets.Net", "inner": inner}, run_time={"width": 5, "x": 1}
    )
    assert (made.width, made.inner.width) == (5, 2)
    later = instantiate("model", {**inner, "_partial_": True, "rate": 0.1})
    assert later(width=7).width == 7


def test_of_another_kind_or_failing(package: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        instantiate("model", {"_target_": "coral_pkg.nets.Net", "width": 1}, Path)
    assert str(caught.value) == (
        "model._target_: 'coral_pkg.nets.Net' gives a Net, not a pathlib.Path"
    )
    with pytest.raises(ConfigError) as caught:
        instantiate("model", {"_target_": "coral_pkg.nets.fails"})
    assert str(caught.value) == (
        "model._target_: 'coral_pkg.nets.fails' failed: ValueError: too deep"
    )


@pytest.mark.parametrize(
    ("hint", "value", "fits"),
    [
        (int, 3, True),
        (int, "3", False),
        (float, 3, True),
        (float | None, None, True),
        (int | str, "x", True),
        (bool, 1, False),
        (Literal["a", "b"], "a", True),
        (Literal["a", "b"], "c", False),
        (list[int], "anything", True),
        (Path, "a path", True),
    ],
)
def test_plain_types(hint: Any, value: object, fits: bool) -> None:
    if fits:
        check_plain_type("key", value, hint)
        return
    with pytest.raises(ConfigError, match=r"^key: "):
        check_plain_type("key", value, hint)


def test_trust_ends_with_the_command(package: Path) -> None:
    tree = {"a": [{"_target_": "coral_pkg.x"}], "b": {"_target_": "torch.nn.Linear"}}
    assert list(targets_in(tree)) == ["coral_pkg.x", "torch.nn.Linear"]
    with command_scope():
        load_plugins(["coral_pkg"])
        refuse_untrusted("run 'r'", targets_in(tree))
    assert is_trusted("torch.optim.SGD") and is_trusted("osprey.models.simple_cnn.SimpleCNN")
    for target in ("os.system", "torch.hub.load", "builtins.eval", "osprey.commands.main"):
        assert not is_trusted(target)
        with pytest.raises(CheckpointError, match=r"if you trust it$"):
            refuse_untrusted("run 'r'", [target])


def test_a_command_vouches_for_what_it_names_and_no_more() -> None:
    with command_scope():
        trust_targets([{"_target_": "pytorch_lightning.loggers.CSVLogger"}, {"_target_": "a.B"}])
        assert is_trusted("pytorch_lightning.loggers.CSVLogger") and is_trusted("a.B")
        for target in ("pytorch_lightning.loggers.MLFlowLogger", "a.C", "osprey.commands.main"):
            assert not is_trusted(target)
    assert not is_trusted("a.B")


@pytest.mark.parametrize(
    "target", ["torch.nn.modules.os.system", "torchmetrics.utilities.imports.sys.exit"]
)
def test_a_known_package_is_no_detour(target: str) -> None:
    with command_scope(), pytest.raises(ConfigError):
        import_target("task.loss", target)
