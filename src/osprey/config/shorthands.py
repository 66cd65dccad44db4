"""Words and numbers that stand for a node, and go on working beside the long form.

``callbacks.early_stopping=5`` is ``{patience: 5}``, ``task.loss=focal`` one of Osprey's losses.
Hydra cannot set ``task.loss._target_`` where a word stands: the word is replaced by a node first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SHORTHANDS = (
    "task.loss",
    "data.reader",
    "data.sampler",
    "data.collate",
    "callbacks.early_stopping",
    "trainer.strategy",
    "trainer.profiler",
)


def long_form(argv: Sequence[str]) -> list[str]:
    """``KEY._target_=X`` of a shorthand as ``KEY={_target_: X}``, and plain words as they are."""
    pattern = "|".join(re.escape(key) for key in SHORTHANDS)
    words = []
    for word in argv:
        found = re.fullmatch(rf"\+{{0,2}}({pattern})\._target_=(.+)", word)
        words.append(f"{found[1]}={{_target_: {found[2]}}}" if found else word)
    return words
