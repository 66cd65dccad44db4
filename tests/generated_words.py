"""Command lines that somebody might type: hypothesis over keys, values, quotes and file names."""

from __future__ import annotations

import contextlib
import io
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from helpers import write_photo
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from osprey.commands import main
from osprey.config.errors import known_keys
from osprey.config.schema import GROUPS, EvalConfig, TrainConfig
from osprey.errors import UserError

ODD = (
    *(
        "",
        " ",
        "null",
        "true",
        "yes",
        "no",
        "0",
        "1",
        "-1",
        "007",
        "1e3",
        "1e999",
        "nan",
        "2024_01",
    ),
    *("[a,b]", "[]", "[yes,null]", "[1,[2]]", "[", "]", "{", "{}", "{a: 1}", "{a}", "(", ")"),
    *("a,b", ",", "a b", "'", '"', "'a", "''", "\\", "\\\\'", "~", "=", "a=b", ":", "@", "#", "%"),
    *("${", "${x}", "\\${x}", "${data.root}", "${seed}", "${oc.env:NONE}", "${a:b}", "$HOME", "*"),
    *(
        "???",
        "!!python/name:os.system",
        "&a",
        "*a",
        "- a",
        "a: b",
        "\t",
        "a\nb",
        "\udcff",
        "é",
        "x" * 300,
    ),
    *("choice(a,b)", "range(1,3)", "glob(*)", "_base", "__main__", ".", "..", "../x", "a/b", "-x"),
    *("photos", "empty", "gone", "labels.csv", "broken.yaml", "broken.json", "photo.png", "mine"),
    *("latest", "runs/old/20200101-000000-0000", "runs", "old", "folder", "coco", "yolo", "table"),
    *(
        "detection",
        "classification",
        "resnet18",
        "fcos",
        "ensemble",
        "timm",
        "probe",
        "csv",
        "lion",
    ),
    *("torch.nn.Linear", "torch", "no.such.Thing", "collections.Counter", ".x", "a..b", "ddp"),
)
FLAGS = (
    *("-m", "--multirun", "-h", "--help", "--halp", "--hydra-help", "--run", "--resolve", "-x"),
    *("--cfg", "--cfg=job", "--cfg=hydra", "--info", "--info=defaults", "--package=model", "--"),
    *("--config-dir=mine", "--config-dir", "--config-dir=gone", "--config-dir=empty", "-"),
    *("--config-name=x", "--config-path=mine", "--shell-completion", "--experimental-rerun=x"),
    "--version",
)
HYDRA_KEYS = (
    *("hydra.run.dir", "hydra.sweep.dir", "hydra.mode", "hydra.job.name", "hydra/sweeper"),
    *(
        "hydra/launcher",
        "hydra",
        "hydra.searchpath",
        "hydra.verbose",
        "hydra.help.header",
        "defaults",
    ),
)
COMPOSED = {
    **{"train": TrainConfig, "eval": EvalConfig, "explain": TrainConfig, "find": TrainConfig},
    "demo": TrainConfig,
}
BY_OPTIONS = ("predict", "crop", "convert", "report", "new", "models")
_FEW = st.characters(codec="utf-8", exclude_characters="/\0")


@dataclass(frozen=True)
class Said:
    """What a command line came to.

    Attributes:
        words: What was typed.
        code: The exit code; None where an exception came through.
        err: What stood on standard error, or the traceback.
    """

    words: list[str]
    code: int | None
    err: str

    @property
    def wrong(self) -> str:
        """Why this is no answer to a user; empty where it is one."""
        if self.code is None or "Traceback" in self.err:
            return "a traceback"
        several = bool({"-m", "--multirun"} & set(self.words))
        if self.code not in ({0, 1, 2} if several else {0, 2}):
            return f"exit code {self.code}"
        lines = [line for line in self.err.splitlines() if re.match(r"osprey( \w+)?: ", line)]
        if len(lines) > 1:
            return "several messages"
        if self.code == 2 and not lines:
            return "no message"
        return ""


def command_lines() -> SearchStrategy[list[str]]:
    """Whole command lines of every command that composes or takes options."""
    composed = st.sampled_from(sorted(COMPOSED)).flatmap(_composed)
    by_options = st.sampled_from(BY_OPTIONS).flatmap(_by_options)
    strange = st.lists(values(), max_size=3)
    return st.one_of(*[composed] * 12, *[by_options] * 6, strange)


def values() -> SearchStrategy[str]:
    """What may stand after ``=`` or an option."""
    return st.one_of(st.sampled_from(ODD), st.sampled_from(ODD), st.text(_FEW, max_size=8))


def settings(keys: list[str]) -> SearchStrategy[str]:
    """``key=value``, with mistakes of typing."""
    mistyped = st.sampled_from(keys).map(lambda key: key[:-1] + key[-1] * 2)
    key = st.one_of(*[st.sampled_from(keys)] * 14, mistyped, st.sampled_from(HYDRA_KEYS))
    prefix = st.sampled_from([""] * 12 + ["+", "++", "~"])
    joined = st.sampled_from(["="] * 20 + ["", " = "])
    more = st.sampled_from([""] * 16 + [".x", "._target_", ".0"])
    return st.tuples(prefix, key, more, joined, values()).map("".join)


def _composed(command: str) -> SearchStrategy[list[str]]:
    keys = known_keys(COMPOSED[command]) + [*GROUPS, "experiment", "debug"] * 2
    words = st.lists(
        st.one_of(*[settings(keys)] * 6, st.sampled_from(FLAGS)),
        min_size=1,
        max_size=4,
    )
    first = {"train": ["data=folder", "data.root=photos"], "explain": ["model"], "find": ["lr"]}
    first["demo"] = first["train"]
    return words.map(lambda found: [command, *first.get(command, []), *found])


def _by_options(command: str) -> SearchStrategy[list[str]]:
    needed = {
        "predict": ["--run", "old", "--image", "photo.png"],
        "crop": ["--input_folder", "photos", "--output_folder", "cut"],
        "convert": ["--input", "labels.csv", "--output", "out.json", "--to", "coco"],
    }.get(command, [])
    first = st.sampled_from([needed, needed, []])
    options = st.sampled_from(_options_of(command))
    pair = st.tuples(options, values()).map(list)
    parts = st.lists(st.one_of(pair, pair, values().map(lambda v: [v])), max_size=4)
    return st.tuples(first, parts).map(
        lambda found: [command, *found[0], *(word for part in found[1] for word in part)]
    )


def _options_of(command: str) -> list[str]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([command, "--help"])
    return sorted(set(re.findall(r"--[a-z][\w-]*", printed.getvalue())) - {"--camera"})


def furnish(folder: Path) -> None:
    """Files of the names in `ODD`: photos, an empty folder, damaged files, a run's remains."""
    for label in ("a", "b"):
        for number in range(6):
            write_photo(folder / "photos" / label / f"{number}.png", 20 * number + 9)
    write_photo(folder / "photo.png")
    (folder / "empty").mkdir()
    (folder / "labels.csv").write_text("path,label\nphotos/a/0.png,a\n")
    (folder / "broken.json").write_text('{"images": [')
    (folder / "broken.yaml").write_text("names: [a\n\tb: c")
    old = folder / "runs" / "old" / "20200101-000000-0000"
    (old / "checkpoints").mkdir(parents=True)
    (old / "config.yaml").write_text("task: {name: classification}\n")
    (old / "summary.json").write_text("{}")
    for name in ("best", "last"):
        (old / "checkpoints" / f"{name}.ckpt").write_bytes(b"nothing")
    mine = {"model/resnet18": "defaults: [_base]\nname: mine", "model/tab": "a:\n\tb: c"}
    mine |= {"experiment/probe": "# @package _global_\nmodel: 3", "data/list": "- a\n- b"}
    for name, text in mine.items():
        file = folder / "mine" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@contextlib.contextmanager
def nothing_trained() -> Iterator[None]:
    """Let everything be checked, and no network be built."""
    stop = UserError("nothing is trained here")
    with (
        mock.patch("osprey.engine.experiment.go_on", return_value={}),
        mock.patch("osprey.commands.find._assemble", side_effect=stop),
        mock.patch("osprey.models.listing.measure", side_effect=stop),
    ):
        yield


def run(words: list[str]) -> Said:
    """Call a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    code: int | None = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as stop:  # argparse leaves this way
            code = stop.code if isinstance(stop.code, int) else 0
        except Exception:
            return Said(words, None, err.getvalue() + traceback.format_exc())
    return Said(words, code, err.getvalue())
