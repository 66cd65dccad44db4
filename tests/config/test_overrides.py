"""Whatever a user types after key= reaches the configuration as it was typed."""

from __future__ import annotations

from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from osprey.config.overrides import quoted

AWKWARD = [
    r"(?P<group>boat\d+)_",
    "/photos/my trip (2)",
    "it's here",
    r"C:\photos\new\'",
    "a,b) c",
    "ends with \\",
]


def value_of(word: str) -> object:
    (override,) = OverridesParser.create().parse_overrides(quoted([word]))
    return override.value()


def test_awkward_values_arrive_unchanged() -> None:
    for value in AWKWARD:
        assert value_of(f"data.root={value}") == value


def test_what_hydra_reads_is_left_alone() -> None:
    words = ["model=resnet18,simple_cnn", "a.b=[1,2]", "+c={d: 1}", "~e", "-m", "optimizer.lr=1e-3"]
    assert quoted(words) == words


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=30))
def test_never_makes_a_word_unreadable(value: str) -> None:
    """Either Hydra read it already, or it is now a string with just these characters."""
    word = f"data.root=(({value}"  # an open bracket: never valid in Hydra's own grammar
    if "${" not in value:
        assert value_of(word) == f"(({value}"
