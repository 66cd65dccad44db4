"""``osprey demo``: train on the embedded data set, then name what is on a photo of its test."""

from __future__ import annotations

import shlex
from pathlib import Path

import pandas as pd

from osprey.commands import classify, predict, train
from osprey.errors import ConfigError
from osprey.runs.folder import RunFolder, find_run
from osprey.system.console import say

_HELP = """usage: osprey demo [SETTING=VALUE ...]

Trains a small network on Osprey's embedded photos of fish on boats (half a minute on two
cores), tests it, exports it, and names the fish on a photo of its test. Settings are osprey
train's."""


def main(argv: list[str]) -> int:
    """Train as ``argv`` says, predict, and say how to go on with one's own photos."""
    if {"-h", "--help"} & set(argv):
        say(_HELP)
        return 0
    flags = [word for word in argv if word.startswith("-")]
    if flags:
        raise ConfigError(f"{flags[0]} goes with osprey train: the demo takes settings (key=value)")
    code = train.main(argv)  # nothing is asked of a run that was stopped
    if code:
        return code
    photo = str(_test_photo(find_run("latest", _runs(argv))))
    say()
    say(shlex.join(["osprey", "predict", "--image", photo, "--verbose"]))
    code = predict.main(["--image", photo, "--verbose", "--runs", str(_runs(argv))])
    run = find_run("latest", _runs(argv))
    if code == 0 and (run.path / "bundle").is_dir():
        say()
        say(shlex.join(["classify", "--image", photo, "--model", str(run.path)]))
        code = classify.main(["--image", photo, "--model", str(run.path)])
    if code == 0:
        say()
        say("with your own photos, a folder for each class:")
        say("  osprey train experiment=probe data=folder data.root=PHOTOS")
        say("  osprey predict --image YOUR_PHOTO.jpg")
    return code


def _runs(argv: list[str]) -> Path:
    named = [word.partition("=")[2] for word in argv if word.startswith("paths.runs=")]
    return Path(named[-1] if named else "runs")


def _test_photo(run: RunFolder) -> Path:
    """A photo that the run did not learn from, and names rightly, if there is one."""
    root = Path(run.load_config().data.root)
    table = pd.read_csv(run.path / "predictions.csv")
    right = table[table["label"] == table["predicted"]]
    photo = root / str((right if len(right) else table)["path"].iloc[0])
    here = Path.cwd()
    return photo.relative_to(here) if photo.is_relative_to(here) else photo
