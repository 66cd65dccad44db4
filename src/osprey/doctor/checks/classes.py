"""Counts of the classes: too small, unbalanced, missing from a split."""

from __future__ import annotations

from collections import Counter

from osprey.data.manifest import SPLITS
from osprey.doctor.finding import Finding
from osprey.doctor.survey import Survey
from osprey.system.console import counted

_FEW = 10  # samples of a class: of fewer, neither training nor a test says much
_UNBALANCED = 10.0  # the largest class over the smallest


_Table = list[tuple[str, ...]]  # lines of it, the first its headings


def check_classes(survey: Survey) -> list[Finding]:
    """Look for a single class, small classes, imbalance, and classes that a split lacks."""
    target = survey.manifest.target
    counts = target.counts(survey.manifest)
    totals = Counter(target.names(survey.manifest))
    if len(totals) < 2 and target.one_label:
        only = next(iter(totals), "")
        advice = "a classifier needs two: is data.root one folder too deep?"
        return [Finding("single_class", "only one class", 1, "class", advice, f"'{only}'")]
    order = [name for name, _ in totals.most_common()]
    table: _Table = [
        ("class", "all", *SPLITS),
        *((n, str(totals[n]), *(str(counts[s].get(n, 0)) for s in SPLITS)) for n in order),
    ]
    return [
        *_small(order, totals, table),
        *_absent(survey, order, counts),
        *_unbalanced(order, totals, table, target.unit),
    ]


def _small(order: list[str], totals: Counter[str], table: _Table) -> list[Finding]:
    """Classes of few samples."""
    small = [name for name in order if totals[name] < _FEW]
    if not small:
        return []
    few = ", ".join(f"'{name}' ({totals[name]})" for name in reversed(small[-5:]))
    return [
        Finding(
            "small_classes",
            f"classes of fewer than {_FEW}",
            len(small),
            "class",
            "collect more, join them, or leave them out with data.classes=[...]",
            f"smallest: {few}",
            rows=table,
        )
    ]


def _unbalanced(order: list[str], totals: Counter[str], table: _Table, unit: str) -> list[Finding]:
    """The largest class against the smallest."""
    ratio = totals[order[0]] / totals[order[-1]] if order else 1.0
    if ratio < _UNBALANCED:
        return []
    return [
        Finding(
            "imbalance",
            "classes are unbalanced",
            round(ratio),
            "time",
            "read each class's AP, and try data.sampler=sqrt"
            if unit == "box"
            else "read macro-F1, and try data.sampler=sqrt or task.class_weights=sqrt",
            f"'{order[0]}' has {counted(totals[order[0]], unit)}, '{order[-1]}' "
            f"{totals[order[-1]]}",
            grave=False,
            rows=table,
        )
    ]


def _absent(survey: Survey, order: list[str], counts: dict[str, dict[str, int]]) -> list[Finding]:
    """Classes without a sample in train, and those that are never validated or tested."""
    found = []
    used = set(survey.splits) - {""}
    for split in (split for split in SPLITS if split in used):
        absent = [name for name in order if name not in counts[split]]
        if not absent:
            continue
        some = ", ".join(f"'{n}'" for n in absent[:5]) + (" ..." if absent[5:] else "")
        train = split == "train"
        found.append(
            Finding(
                f"classes_absent_from_{split}",
                f"classes that {split} lacks",
                len(absent),
                "class",
                "move some there, or leave the class out with data.classes=[...]"
                if train
                else "the figures say nothing of them: move some there",
                some,
                grave=train,
            )
        )
    return found
