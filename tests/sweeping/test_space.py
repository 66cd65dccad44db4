"""The space of a sweep, as Hydra's grammar writes it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osprey.errors import ConfigError
from osprey.sweeping.space import Dimension, read_space

optuna = pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")


def only(word: str) -> Dimension:
    (dimension,) = read_space([word], {}, None).dimensions
    return dimension


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("a=tag(log,interval(1e-5,1e-2))", "FloatDistribution(high=0.01, log=True, low=1e-05)"),
        ("a=interval(1,5)", "FloatDistribution(high=5.0, log=False, low=1.0)"),
        ("a=int(interval(1,5))", "IntDistribution(high=5, log=False, low=1, step=1)"),
        ("a=tag(log,int(interval(1,64)))", "IntDistribution(high=64, log=True, low=1, step=1)"),
        ("a=range(1,10,2)", "IntDistribution(high=9, log=False, low=1, step=2)"),
        ("a=range(5,1,-2)", "IntDistribution(high=5, log=False, low=3, step=2)"),
        ("a=tag(log,range(1,100))", "IntDistribution(high=99, log=True, low=1, step=1)"),
        ("a=x,y", "CategoricalDistribution(choices=('x', 'y'))"),
        ("a=choice(x,1,true)", "CategoricalDistribution(choices=('x', '1', 'True'))"),
        ("a=1,2,1", "CategoricalDistribution(choices=('1', '2'))"),
        ("+a=[1,2],[3]", "CategoricalDistribution(choices=('[1,2]', '[3]'))"),
    ],
)
def test_each_form_is_drawn_from_as_it_reads(word: str, expected: str) -> None:
    trial = optuna.create_study().ask()
    only(word).suggest(trial, grid=False)
    (found,) = trial.distributions.values()
    assert repr(found).replace(", step=None", "") == expected


def test_of_a_range_a_grid_takes_every_value() -> None:
    assert only("a=range(0.0,0.3,0.1)").values == ("0.0", "0.1", "0.2")
    space = read_space(["b=x,y", "a=range(0,2)", "c=5"], {}, None)
    assert [list(c.values()) for c in space.combinations()] == [
        *(["x", "0"], ["x", "1"], ["y", "0"], ["y", "1"])
    ]
    assert (space.fixed, space.size) == (("c=5",), 4)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("a=interval(5,1)", "an interval goes from a lower number to a higher one"),
        ("a=tag(log,interval(0,1))", "the logarithm needs numbers above 0"),
        ("a=tag(log,range(-1,3))", "the logarithm needs numbers above 0"),
        ("a=glob(*)", "give a list of values, range(...) or interval(...)"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(word: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_space([word], {}, None)
    assert str(caught.value) == f"{word}: {message}"


def test_the_option_s_space_counts_where_the_command_line_gives_none() -> None:
    params = {"optimizer.lr": "tag(log, interval(1e-4, 1e-2))", "optimizer.weight_decay": "0,0.1"}
    assert [d.key for d in read_space(["seed=1"], params, None).dimensions] == list(params)
    assert [d.key for d in read_space(["seed=1,2"], params, None).dimensions] == ["seed"]
    kept = read_space(["optimizer.lr=0.5"], params, None)
    assert [d.key for d in kept.dimensions] == ["optimizer.weight_decay"]
    assert kept.fixed == ("optimizer.lr=0.5",)
    listed = read_space([], {"model": ["resnet18", "vit_small"], "seed": [0, 1]}, None)
    assert [d.values for d in listed.dimensions] == [("resnet18", "vit_small"), ("0", "1")]


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=6),
    st.booleans(),
)
def test_before_the_first_trial_every_value_is_composed(counts: list[int], interval: bool) -> None:
    words = [f"k{i}={','.join(f'v{v}' for v in range(n + 1))}" for i, n in enumerate(counts)]
    space = read_space([*words, *(["lr=interval(0.1,1)"] if interval else [])], {}, None)
    assert math.isinf(space.size) == interval
    seen = {word for words in space.to_check() for word in words}
    assert seen == {f"{d.key}={v}" for d in space.dimensions for v in d.samples()}


@given(st.floats(1e-12, 1e12), st.integers(0, 2**32 - 1))
def test_a_drawn_number_arrives_as_it_was_drawn(high: float, seed: int) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    space = read_space([f"a=interval(0.0,{high})"], {}, None)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    (word,) = space.draw(trial, grid=False)
    assert OverridesParser.create().parse_override(word).value() == trial.params["a"]
