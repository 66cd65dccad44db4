"""``classify --image`` of several photos: a line each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from osprey.commands.classifying.fetch import fetch
from osprey.commands.classifying.named import is_address
from osprey.errors import UnreadableImage
from osprey.inference.predictor import Predictor
from osprey.inference.reader import Answer
from osprey.system.console import counted, say, warn
from osprey.system.path_list import PathList


def classify_several(arguments: argparse.Namespace, photos: PathList, predictor: Predictor) -> int:
    """Print each photo's name and what is on it.

    Args:
        arguments: The command line.
        photos: Files and addresses.
        predictor: The bundle.

    Returns:
        The exit code: 1 with ``--strict`` if a photo could not be read, else 0.
    """
    failed, classes = 0, predictor.classes
    for name, answer in _answers(photos, predictor):
        if isinstance(answer, str):
            failed += 1
            warn(answer)
            continue
        found = answer.ranked(classes) if arguments.verbose else answer.labels(classes)
        say(f"{name}: {found}")
    if failed:
        warn(f"{counted(failed, 'photo')} could not be read, so without an answer")
    return 1 if failed and arguments.strict else 0


def _answers(photos: PathList, predictor: Predictor) -> Iterator[tuple[str, Answer | str]]:
    """Each photo with its answer, or why there is none."""
    for fetched, names in groupby(photos, is_address):
        if not fetched:
            for answer in predictor.predict(map(Path, names)):
                yield answer.file, answer.failure or answer
            continue
        for name in names:
            try:
                answer = predictor.one((name, fetch(name)))
            except UnreadableImage as error:
                yield name, str(error)
            else:
                yield name, answer.failure or answer
