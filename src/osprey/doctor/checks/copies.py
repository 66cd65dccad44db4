"""Exact copies: across splits, under several labels, and others."""

from __future__ import annotations

import numpy as np

from osprey.doctor.finding import Finding, sets_of
from osprey.doctor.survey import Survey


def check_copies(survey: Survey) -> list[Finding]:
    """Look for photos that are there more than once, byte for byte."""
    rows = np.flatnonzero(survey.readable)
    sets = sets_of(survey.firsts, rows)
    return copies_found(survey, sets, "exact", "byte for byte", {})


def copies_found(
    survey: Survey, sets: list[list[int]], kind: str, how: str, captions: dict[int, str]
) -> list[Finding]:
    """Findings of sets of copies: across splits, under several labels, the others.

    Args:
        survey: What is known of the data set.
        sets: Rows of photos that are one picture.
        kind: ``exact`` or ``near``.
        how: In which way they are copies.
        captions: Lines below photos.
    """
    across = [rows for rows in sets if survey.across(rows)]
    conflicting: list[list[int]] = []
    if survey.manifest.target.one_label:  # else it is the rarest of a photo's boxes' classes
        labels = survey.labels
        conflicting = [rows for rows in sets if len({labels[row] for row in rows}) > 1]
    within = [rows for rows in sets if not survey.across(rows) and rows not in conflicting]
    found = []
    if across:
        found.append(_across(survey, across, kind, how, captions))
    if conflicting:
        found.append(_conflicting(survey, conflicting, kind, captions))
    if within:
        found.append(_within(survey, within, kind, how, captions))
    return found


def _across(
    survey: Survey, sets: list[list[int]], kind: str, how: str, captions: dict[int, str]
) -> Finding:
    paths = survey.paths
    count = sum(survey.splits[row] in ("val", "test") for rows in sets for row in rows)
    return Finding(
        f"{kind}_copies_across_splits",
        f"{kind} copies across splits",
        count,
        "photo",
        "figures flatter: delete the copies, or write a clean manifest with fix=OUT.csv",
        f"{count} of val or test are also in another split, {how}, first "
        f"'{paths[sets[0][0]]}' = '{paths[sets[0][1]]}'",
        sets=sets,
        captions=captions,
        together=[(rows, f"{kind} copies") for rows in sets],
    )


def _conflicting(
    survey: Survey, sets: list[list[int]], kind: str, captions: dict[int, str]
) -> Finding:
    paths, labels = survey.paths, survey.labels
    one, other = sets[0][0], sets[0][-1]
    exact = kind == "exact"
    title = f"{kind} copies under several labels"
    return Finding(
        f"{kind}_copies_under_several_labels",
        title,
        sum(map(len, sets)),
        "photo",
        "correct the labels" + (", or leave them out with data.conflicts=drop" if exact else ""),
        f"first '{paths[one]}' ({labels[one]}) and '{paths[other]}' ({labels[other]})",
        sets=sets,
        captions=captions,
        drop={row: title for rows in sets for row in rows} if exact else {},
    )


def _within(
    survey: Survey, sets: list[list[int]], kind: str, how: str, captions: dict[int, str]
) -> Finding:
    paths = survey.paths
    return Finding(
        f"{kind}_copies",
        f"{kind} copies within a split",
        sum(map(len, sets)) - len(sets),
        "photo",
        "they count twice: delete all but one"
        + ("; training keeps them in one split" if kind == "exact" else ""),
        f"{how}, first '{paths[sets[0][0]]}' = '{paths[sets[0][1]]}'",
        grave=False,
        sets=sets,
        captions=captions,
        together=[(rows, f"{kind} copies") for rows in sets],
    )
