"""The Dockerfiles of deploy/, read as far as the tests need."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import cast

from conftest import REPOSITORY

DEPLOY = REPOSITORY / "deploy"


@dataclass(frozen=True)
class Instruction:
    """One of a Dockerfile.

    Attributes:
        keyword: Its first word.
        text: The rest, on one line.
    """

    keyword: str
    text: str


def read(name: str) -> list[Instruction]:
    """The instructions of a Dockerfile, in order."""
    lines = (DEPLOY / name).read_text().splitlines()
    text = "\n".join(line for line in lines if line.strip() and not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", text).splitlines()
    return [Instruction(line.partition(" ")[0], line.partition(" ")[2]) for line in joined]


def stage(name: str, number: int) -> list[Instruction]:
    """The instructions of one stage, the first being 0."""
    instructions = read(name)
    starts = [n for n, found in enumerate(instructions) if found.keyword == "FROM"]
    ends = [*starts[1:], len(instructions)]
    return instructions[starts[number] + 1 : ends[number]]


def words_of(text: str) -> list[str]:
    """The words of an instruction in JSON's form."""
    return cast("list[str]", json.loads(text))
