"""``osprey retrain RUN``: train a run's command again, with changes."""

from __future__ import annotations

import shlex
from pathlib import Path

from osprey.commands import train
from osprey.errors import ConfigError
from osprey.runs.again import command_of, replaced
from osprey.runs.folder import find_run
from osprey.system.console import say

_USAGE = """\
usage: osprey retrain RUN [key=value ...]

Train a run's command again, in a new run folder. RUN is a folder, a name below runs, or latest.
What is given after it takes the place of the same setting of before:

  osprey retrain latest seed=1 trainer.max_epochs=30
  osprey retrain runs/fish/20260101-120000-abcd model=resnet50

Hydra's flags work as in 'osprey train': -m tries several values, --cfg job shows the settings."""


def _tell_dropped(before: list[str], words: list[str], changes: list[str]) -> None:
    """Say which settings of before a group that is chosen anew drops."""
    named = {word.partition("=")[0] for word in changes}
    gone = [word for word in before if word not in words and word.partition("=")[0] not in named]
    if dropped := [word for word in gone if "=" in word]:
        groups = dict.fromkeys(word.partition(".")[0] for word in dropped)
        why = f"as {' and '.join(groups)} is chosen anew: add what is to stay"
        say(f"dropped {shlex.join(dropped)}, {why}")


def main(argv: list[str]) -> int:
    """Say what is trained, and train it."""
    if not argv or any(word in ("-h", "--help") for word in argv):
        say(_USAGE)
        return 0 if argv else 2
    name = argv[0]
    if name.startswith("-") or "=" in name:
        raise ConfigError(f"'{name}' stands where a run should: osprey retrain RUN [key=value ...]")
    places = [word.partition("=")[2] for word in argv if word.startswith("paths.runs=")]
    run = find_run(name, Path(places[-1] if places else "runs"))
    before = command_of(run)
    words = replaced(before, argv[1:])
    _tell_dropped(before, words, argv[1:])
    say(f"again   {shlex.join(['osprey', 'train', *words])}")
    return train.main(words)
