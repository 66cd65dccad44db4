"""What features tell: likenesses across splits, and labels that the photos contradict."""

from __future__ import annotations

import numpy as np

from osprey.doctor.finding import Finding, joined
from osprey.doctor.likeness import Likeness, alike_pairs
from osprey.doctor.survey import Survey

_ALIKE = 0.95  # cosine of two photos' features
_MOST = 2000  # pairs
_SURE = 0.5  # least probability of another class, beside that class's own usual one


def check_features(survey: Survey) -> list[Finding]:
    """Look for photos that are alike across splits, and for doubtful labels."""
    likeness = survey.likeness
    if likeness is None:
        return []
    found = [_alike(survey, likeness)]
    if survey.manifest.target.one_label and len(likeness.classes) > 1:
        found.append(_doubtful(survey, likeness))
    return [finding for finding in found if finding is not None]


def _alike(survey: Survey, likeness: Likeness) -> Finding | None:
    near = [(pair.first, pair.second) for pair in survey.near_pairs]
    sets = enumerate(joined(len(survey.readable), near))
    known = {row: number for number, rows in sets for row in rows}
    firsts, rows = survey.firsts, likeness.rows
    pairs: list[tuple[int, int]] = []
    captions: dict[int, str] = {}
    for one, other, cosine in alike_pairs(likeness.features, _ALIKE, _MOST):
        pair = int(rows[one]), int(rows[other])
        near_copies = pair[0] in known and known[pair[0]] == known.get(pair[1])
        if firsts[pair[0]] == firsts[pair[1]] or near_copies or not survey.across(pair):
            continue
        pairs.append(pair)
        captions.setdefault(pair[1], f"likeness {cosine:.3f}")
    if not pairs:
        return None
    held = {row for pair in pairs for row in pair if survey.splits[row] in ("val", "test")}
    return Finding(
        "alike_across_splits",
        "photos alike across splits, by features",
        len(held),
        "photo",
        "look whether they show one thing on one occasion; then give them a group (data.group=...)",
        f"{len(pairs)} pairs with a cosine of {_ALIKE:g} or more, likest first",
        grave=False,
        sets=pairs,
        captions=captions,
    )


def _doubtful(survey: Survey, likeness: Likeness) -> Finding | None:
    """Labels far less likely than another, as confident learning has it (Northcutt et al. 2021)."""
    places = {name: place for place, name in enumerate(likeness.classes)}
    own = np.array([places[survey.labels[row]] for row in likeness.rows])
    answers, every = likeness.answers, np.arange(len(own))
    # What a class usually gets on its own photos: some classes are never answered surely.
    usual = np.array(
        [answers[own == k, k].mean() if (own == k).any() else 1.0 for k in range(len(places))]
    )
    others = answers.copy()
    others[every, own] = 0
    best = others.argmax(axis=1)
    margin = others[every, best] - answers[every, own]
    sure = others[every, best] >= np.maximum(usual[best], _SURE)
    doubtful = np.flatnonzero(sure & (margin > 0))
    if not len(doubtful):
        return None
    order = doubtful[np.argsort(-margin[doubtful], kind="stable")]
    rows = likeness.rows[order].tolist()
    captions = {
        int(likeness.rows[k]): f"{survey.labels[likeness.rows[k]]}? looks like "
        f"{likeness.classes[best[k]]} ({others[k, best[k]]:.2f})"
        for k in order
    }
    return Finding(
        "doubtful_labels",
        "doubtful labels",
        len(rows),
        "photo",
        "look at them, the most doubtful first, and correct those that are wrong",
        f"first '{survey.paths[rows[0]]}': {captions[rows[0]]}",
        grave=False,
        sets=[[row] for row in rows],
        captions=captions,
    )
