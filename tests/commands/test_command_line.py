"""Mistakes in options are told in one line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import Result

HELP = "--help' tells what there is\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("report", "--outputs", "x"),
            f"there is no option '--outputs'; did you mean '--output'; 'osprey report {HELP}",
        ),
        (
            ("models", "resnet*", "vit*"),
            f"there is no place for 'vit*' (names with spaces need quotes); 'osprey models {HELP}",
        ),
        (
            ("convert", "--to", "csv"),
            "the following arguments are required: --input, --output; 'osprey convert " + HELP,
        ),
        (
            ("crop", "--input_folder", "a", "--output_folder", "b", "--margin", "99"),
            f"argument --margin: '99' is not a number from 0 to 10; 'osprey crop {HELP}",
        ),
    ],
)
def test_one_line(words: tuple[str, ...], message: str, osprey: Callable[..., Result]) -> None:
    result = osprey(*words)
    assert (result.code, result.err) == (2, f"osprey {words[0]}: {message}")
