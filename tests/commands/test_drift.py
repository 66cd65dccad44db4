"""``osprey drift``: what it takes for drift, and what not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Result, only_run
from hypothesis import given
from hypothesis import strategies as st

from osprey.inference.card import Card
from osprey.inference.drift import (
    Tally,
    class_shares,
    difference,
    score_share,
    tally,
    tally_from,
)

Call = Callable[..., Result]
CLASSES = ["ant", "bee", "cow"]
PREPROCESS = {
    "size": 32, "resize": "squash", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
    "crop_pct": 0.875,
}  # fmt: skip
Records = list[dict[str, Any]]


def records(count: int, shares: list[float], sureness: float, draw: np.random.Generator) -> Records:
    """Answers of a made-up classifier; the larger ``sureness``, the higher their scores."""
    labels = draw.choice(CLASSES, count, p=shares)
    scores = draw.beta(sureness, 1, count)
    return [
        {"file": "x.jpg", "label": str(label), "score": score, "top": [[str(label), score]]}
        for label, score in zip(labels, scores.round(6).tolist(), strict=True)
    ]


def bundle(folder: Path, validation: Records) -> Path:
    """The card of a bundle that answered so on validation."""
    folder.mkdir()
    check = {"metric": "macro_f1", "answers": tally(validation).to_dict()}
    card = Card("classification", "osprey.x.Y", CLASSES, PREPROCESS, "0" * 64, check=check)
    (folder / "card.json").write_text(card.to_json())
    return folder


def log(file: Path, answers: Records, bundle: Any = "fish@1", mode: str = "w") -> Path:
    with file.open(mode) as lines:
        for number, answer in enumerate(answers):
            time = f"2026-05-{1 + number % 20:02}T08:00:00+00:00"
            line = {"time": time, "sha256": "0", "answer": answer, "bundle": bundle}
            lines.write(json.dumps(line) + "\n")
    return file


EVEN = [0.5, 0.3, 0.2]


def test_answers_as_on_validation(here: Path, osprey: Call) -> None:
    draw = np.random.default_rng(1)
    validation = records(400, EVEN, 8, draw)
    bundle(here / "b", validation)
    sample = [validation[row] for row in draw.integers(0, 400, 1000)]
    log(here / "log.jsonl", sample)
    log(here / "log.jsonl", [{"file": "y.jpg", "failure": "y.jpg: no such file"}], mode="a")
    result = osprey("drift", "b", "log.jsonl")
    assert (result.code, result.err) == (0, "")
    first, classes, scores, verdict = result.out.splitlines()
    assert first == (
        "answers  1000 of fish@1, 2026-05-01 to 2026-05-20, 1 photo could not be read; on "
        "validation: 400"
    )
    assert classes == "class    all 3: no further from validation than chance explains"
    assert scores.startswith("scores   below 0.")
    assert "; no further from validation than chance explains (KS 0.0" in scores
    assert verdict == "drift    none that can be told from chance (99% intervals)"


def test_other_classes_and_lower_scores(here: Path, osprey: Call) -> None:
    draw = np.random.default_rng(2)
    bundle(here / "b", records(400, EVEN, 8, draw))
    log(here / "log.jsonl", records(1000, [0.2, 0.3, 0.5], 2, draw))
    result = osprey("drift", "b", "log.jsonl")
    assert (result.code, result.err) == (1, "")
    _, ant, cow, rest, scores, verdict = result.out.splitlines()
    assert cow.startswith("class    cow: ") and ant.startswith("class    ant: ")
    assert " points (+" in cow and " points (-" in ant
    assert rest == "class    the other 1: no further from validation than chance explains"
    assert "; the model is less sure than it was (KS 0." in scores
    assert verdict.startswith("drift    yes: shares of 2 classes and scores (99% intervals). What")


def test_higher_scores_alone(here: Path, osprey: Call) -> None:
    draw = np.random.default_rng(3)
    bundle(here / "b", records(400, EVEN, 2, draw))
    log(here / "log.jsonl", records(1000, EVEN, 8, draw))
    result = osprey("drift", "b", "log.jsonl")
    assert result.code == 1
    assert "; the model is more sure than it was" in result.out
    assert "drift    yes: scores (99%" in result.out


def test_a_log_of_several_bundles(here: Path, osprey: Call) -> None:
    draw = np.random.default_rng(4)
    (here / "registry" / "fish").mkdir(parents=True)
    for version in (1, 2):
        bundle(here / "registry" / "fish" / str(version), records(300, EVEN, 8, draw))
    log(here / "log.jsonl", records(300, EVEN, 8, draw), "fish@1")
    log(here / "log.jsonl", records(300, [0, 0, 1], 8, draw), "fish@2", mode="a")
    assert osprey("drift", "fish@1", "log.jsonl").code == 0
    assert osprey("drift", "fish@2", "log.jsonl").code == 1
    result = osprey("drift", "registry/fish/1", "log.jsonl")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "osprey drift: 'log.jsonl' has answers of several bundles (fish@1: 300, fish@2: 300), none "
        "of them called 'registry/fish/1': name the one to compare as the log does\n"
    )


def test_a_log_of_the_service(here: Path, osprey: Call) -> None:
    """`osprey serve --log` says a bundle's version and the hash of its network."""
    draw = np.random.default_rng(6)
    bundle(here / "b", records(300, EVEN, 8, draw))
    ours = {"version": "fish@1", "sha256": "0" * 64}
    log(here / "log.jsonl", records(300, EVEN, 8, draw), ours)
    log(here / "log.jsonl", records(300, [0, 0, 1], 8, draw), {**ours, "sha256": "1" * 64}, "a")
    result = osprey("drift", "b", "log.jsonl")
    assert result.code == 0, result.err
    assert result.out.startswith("answers  300 of fish@1, ")


def test_what_cannot_be_compared(here: Path, osprey: Call) -> None:
    draw = np.random.default_rng(5)
    validation = records(300, EVEN, 8, draw)
    bundle(here / "b", validation)
    log(here / "few.jsonl", validation[:29])
    (here / "none.jsonl").write_text("{\n[]\n7\n" + json.dumps({"detections": []}))
    other = {"label": "dog", "score": 1.0, "top": [["dog", 1.0]]}
    log(here / "other.jsonl", [*validation[:40], other])
    for name, message in (
        ("few.jsonl", "'few.jsonl' has 29 answers: 30 or more are needed"),
        ("none.jsonl", "'none.jsonl' has no answer of a classifier: is it a log of answers?"),
        ("gone.jsonl", "there is no file 'gone.jsonl': name a log of answers, one JSON a line"),
        (
            "other.jsonl",
            "'other.jsonl' names 'dog', which is no class of 'b': these are answers of another "
            "bundle",
        ),
    ):
        result = osprey("drift", "b", name)
        assert (result.code, result.out, result.err) == (2, "", f"osprey drift: {message}\n")
    card = json.loads((here / "b" / "card.json").read_text())
    for broken in (None, {}, {"classes": {"ant": -1}}, {**card["check"]["answers"], "scores": []}):
        changed = {**card, "check": {"answers": broken}}
        (here / "b" / "card.json").write_text(json.dumps(changed))
        result = osprey("drift", "b", "few.jsonl")
        assert result.code == 2 and result.err.count("\n") == 1
        assert "does not hold how it answered on validation" in result.err


def test_cut_off_lines_are_left_out_and_told(here: Path, osprey: Call) -> None:
    draw = np.random.default_rng(6)
    validation = records(100, EVEN, 8, draw)
    bundle(here / "b", validation)
    with log(here / "log.jsonl", validation).open("a") as file:
        file.write('{"time": "2026-05-')
    result = osprey("drift", "b", "log.jsonl")
    assert result.code == 0
    assert result.err == "left out: 1 line of 'log.jsonl', no answer of a classifier\n"


def test_an_exported_run_and_classify_s_own_lines(
    bundles: Path, osprey: Call, photos: Path
) -> None:
    run = only_run(bundles)
    assert osprey("classify", "--folder", photos, "--output", "a.jsonl").code == 0
    result = osprey("drift", run, "a.jsonl")
    assert result.code == 0, result.out + result.err
    assert result.out.startswith("answers  36; on validation: ")
    lines = [line for line in Path("a.jsonl").read_text().splitlines() if '"red"' in line[:120]]
    Path("red.jsonl").write_text("".join(f"{line}\n" for line in lines[:12] * 20))
    result = osprey("drift", run, "red.jsonl")
    assert result.code == 1 and "class    red: 100.0% of answers, " in result.out


# ---------------------------------------------------------------- the statistics


def test_chance_seldom_passes_for_drift() -> None:
    draw = np.random.default_rng(7)
    alarms = {"classes": 0, "scores": 0}
    trials = 400
    for _ in range(trials):
        shares = draw.dirichlet([1, 1, 0.2]).tolist()
        sureness, (n, m) = draw.uniform(0.5, 20), draw.integers(30, 600, 2)
        then, now = (tally(records(int(k), shares, sureness, draw)) for k in (n, m))
        alarms["classes"] += any(share.differs for share in class_shares(now, then, CLASSES))
        alarms["scores"] += score_share(now, then)[0].differs
    assert max(alarms.values()) <= 0.02 * trials, alarms


counts = st.tuples(st.integers(0, 500), st.integers(1, 500)).map(lambda two: (min(two), two[1]))


@given(counts, counts, st.floats(1, 4))
def test_an_interval_holds_its_difference_and_mirrors(
    first: tuple[int, int], second: tuple[int, int], z: float
) -> None:
    low, high = difference(*first, *second, z)
    value = first[0] / first[1] - second[0] / second[1]
    assert -1 - 1e-9 <= low <= value + 1e-9 and value - 1e-9 <= high <= 1 + 1e-9
    mirrored = difference(*second, *first, z)
    assert mirrored == pytest.approx((-high, -low))
    wider = difference(*first, *second, z + 1)
    assert wider[0] <= low + 1e-9 and high <= wider[1] + 1e-9


answers = st.lists(
    st.tuples(st.sampled_from(CLASSES), st.floats(0, 1)).map(lambda two: {"top": [list(two)]}),
    min_size=1,
    max_size=80,
)


@given(answers)
def test_a_log_that_is_validation_itself_never_drifts(found: Records) -> None:
    one, other = tally(found), tally(found * 3)
    assert not any(share.differs for share in class_shares(other, one, CLASSES))
    share, limit = score_share(other, one)
    assert not share.differs and limit > 0
    again = tally_from(json.loads(json.dumps(one.to_dict())), CLASSES)
    assert again is not None and again.scores == one.scores and again.classes == one.classes


@given(st.integers(100, 2000), st.floats(0, 0.4), st.floats(0.6, 1))
def test_scores_all_lower_always_drift(count: int, low: float, high: float) -> None:
    then, now = Tally(), Tally()
    for _ in range(count):
        then.add("ant", high)
        now.add("ant", low)
    assert score_share(now, then)[0].differs and score_share(then, now)[0].differs
