"""``--help`` of train and eval: their own groups and settings, a line each, in 80 columns."""

from __future__ import annotations

import re
from pathlib import Path


def test_help_has_a_line_a_setting(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    (here / "mine" / "model").mkdir(parents=True)
    (here / "mine" / "model" / "reef.yaml").write_text("defaults: [_base]\nname: reef\n")
    shown = osprey("train", "--config-dir", "mine", "experiment=probe", "--help")
    assert (shown.code, shown.err) == (0, "")
    assert max(map(len, shown.out.splitlines())) <= 80
    assert "_base" not in shown.out and " reef," in shown.out
    assert (
        "  trainer.max_epochs=0         passes over the training photos (at least 0)\n" in shown.out
    )
    assert re.search(
        r"^  data\.size=64 +pixels; null: the model's own \(8 to 4096\)$", shown.out, re.M
    )
    result = osprey("train", "--help", "model=resnte18")
    assert result.err == ("osprey train: no model called 'resnte18'; did you mean 'resnet18'?\n")


def test_every_setting_is_explained(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    from osprey.config.errors import known_keys
    from osprey.config.groups.sweep import Sweep
    from osprey.config.schema import EvalConfig, TrainConfig

    for command, schema in (("train", TrainConfig), ("train", Sweep), ("eval", EvalConfig)):
        lines = osprey(command, "--help").out.splitlines()
        named = [key for key in known_keys(schema) if key.endswith(".name") or key == "task"]
        groups = {key.partition(".")[0] for key in known_keys(schema) if "." in key}
        for key in set(known_keys(schema)) - set(named) - groups:
            (place,) = (i for i, line in enumerate(lines) if line.startswith(f"  {key}="))
            beside = re.match(r"  \S.*?  +\S", lines[place])
            assert beside or lines[place + 1].startswith(" " * 31), key


def test_help_of_eval_is_eval_s_own(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    shown = osprey("eval", "--help")
    assert (shown.code, shown.err) == (0, "")
    assert max(map(len, shown.out.splitlines())) <= 80
    assert "Groups" not in shown.out and "model" not in shown.out.partition("==")[2].split("\n")[0]
    assert "  data.split=test " in shown.out and "optimizer" not in shown.out
