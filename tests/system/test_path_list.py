"""Paths in one buffer: what goes in comes out, in little memory."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from osprey.system.path_list import PathList, Paths

names = st.binary(min_size=1, max_size=20).map(os.fsdecode).filter(lambda s: "\0" not in s)


@given(st.lists(names), st.slices(12))
def test_as_a_list_does(some: list[str], part: slice) -> None:
    expected = [Path(name) for name in some]
    paths = Paths(some)
    assert list(paths) == expected and len(paths) == len(some) and bool(paths) == bool(some)
    assert list(paths[part]) == expected[part]
    assert list(paths[part][1:]) == expected[part][1:]
    assert [paths[row] for row in range(-len(some), len(some))] == expected * 2


def test_a_path_takes_its_letters_and_a_number() -> None:
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    paths = PathList(f"folder/of/photos/{number:023}.jpg" for number in range(20_000))
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken / len(paths) < 1.2 * (44 + 8)
