"""``osprey drift``: how a bundle's answers differ from those that it gave on validation."""

from __future__ import annotations

import argparse
import json
from array import array
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osprey.commands.command_line import Parser
from osprey.commands.drift_features import (
    compared,
    features_of,
    say_features,
    say_shares,
    shares_of,
)
from osprey.errors import UserError
from osprey.inference.card import read_card
from osprey.inference.drift import (
    ALPHA,
    Share,
    Tally,
    class_shares,
    first_of,
    score_share,
    tally_from,
)
from osprey.inference.feature_drift import spread_from
from osprey.inference.registry import find_bundle
from osprey.system.console import counted, say, warn

_FEWEST = 30  # answers: of fewer, chance explains nearly everything
_SHOWN = 10  # classes that differ


def main(argv: list[str]) -> int:
    """Compare, and return 1 where there is drift."""
    arguments = _parser().parse_args(argv)
    registry, runs = Path(arguments.registry), Path(arguments.runs)
    folder, name = find_bundle(arguments.bundle, registry, runs, "BUNDLE")
    card = read_card(folder)
    then = tally_from(card.check.get("answers"), card.classes)
    if then is None:
        raise UserError(
            f"bundle '{folder}' does not hold how it answered on validation, as classifiers "
            "exported by this Osprey do: export its run again"
        )
    names = {card.sha256, name, f"{card.name}@{card.run}"}
    answers = _of_bundle(_read(Path(arguments.log)), names, name, arguments.log)
    now = answers.tally
    strange = set(now.classes).difference(card.classes)
    if strange:
        raise UserError(
            f"'{arguments.log}' names '{min(strange)}', which is no class of '{folder}': these are "
            "answers of another bundle"
        )
    if now.count < _FEWEST:
        raise UserError(f"'{arguments.log}' has {now.count} answers: {_FEWEST} or more are needed")
    say(f"answers  {now.count}{answers.told()}; on validation: {then.count}")
    classes = class_shares(now, then, card.classes)
    scores, limit = score_share(now, then)
    say_shares("class", classes, _SHOWN)
    _say_scores(scores, limit)
    found = shares_of(answers.features, spread_from(card.check.get("features")))
    if found is not None:
        say_features(*found)
    features = found is not None and any(share.differs for share in found[0])
    return _verdict([share for share in classes if share.differs], scores, features)


@dataclass
class _Answers:
    """Those of one bundle in a log."""

    bundle: str
    sha256: str = ""
    tally: Tally = field(default_factory=Tally)
    failures: int = 0
    days: list[str] = field(default_factory=list)  # the first and the last
    features: list[array[float]] = field(default_factory=list)

    def told(self) -> str:
        """What they are, after their number."""
        by = f" of {self.bundle}" if self.bundle else ""
        when = f", {' to '.join(dict.fromkeys(self.days))}" if self.days else ""
        unread = f", {counted(self.failures, 'photo')} could not be read" if self.failures else ""
        return by + when + unread

    def add(self, line: dict[str, Any], record: dict[str, Any]) -> None:
        """Count a line of the log."""
        first, day = first_of(record), str(line.get("time", ""))[:10]
        if first is None:
            self.failures += 1
            return
        self.tally.add(*first)
        if (features := features_of(line)) is not None:
            self.features.append(features)
        if day:
            self.days = [min([day, *self.days]), max([day, *self.days])]


def _read(log: Path) -> dict[str, _Answers]:
    """A log's answers by bundle; lines of ``classify --format jsonl`` are answers, too."""
    found: dict[str, _Answers] = {}
    strange = 0
    for line in _lines(log):
        record = line.get("answer", line) if isinstance(line, dict) else None
        if not isinstance(record, dict) or not ("top" in record or "failure" in record):
            strange += 1
            continue
        bundle, sha256 = _bundle_of(line)
        found.setdefault(sha256 or bundle, _Answers(bundle, sha256)).add(line, record)
    if not found:
        raise UserError(f"'{log}' has no answer of a classifier: is it a log of answers?")
    if strange:
        warn(f"left out: {counted(strange, 'line')} of '{log}', no answer of a classifier")
    return found


def _bundle_of(line: dict[str, Any]) -> tuple[str, str]:
    """What a line calls its bundle, and the hash of the bundle's network, as far as it says."""
    bundle = line.get("bundle", "")
    if isinstance(bundle, dict):  # as `osprey serve --log` writes it
        return str(bundle.get("version", "")), str(bundle.get("sha256", ""))
    return str(bundle), ""


def _lines(log: Path) -> Iterator[Any]:
    """Each line's content; None of one that is cut off or damaged."""
    if not log.is_file():
        raise UserError(f"there is no file '{log}': name a log of answers, one JSON a line")
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                yield None


def _of_bundle(
    found: dict[str, _Answers], names: AbstractSet[str], name: str, log: str
) -> _Answers:
    """The answers of the bundle asked about; those of the log's only one, whatever its name."""
    for one in found.values():
        if not names.isdisjoint((one.sha256, one.bundle)):
            return one
    if len(found) == 1:
        (only,) = found.values()
        return only
    counts = ", ".join(f"{one.bundle or 'none named'}: {one.tally.count}" for one in found.values())
    raise UserError(
        f"'{log}' has answers of several bundles ({counts}), none of them called '{name}': name "
        "the one to compare as the log does"
    )


def _say_scores(share: Share, limit: float) -> None:
    gap = abs(share.now - share.then)
    meaning = "no further from validation than chance explains"
    if share.differs:
        meaning = f"the model is {'less' if share.now > share.then else 'more'} sure than it was"
    say(f"scores   below {share.name}: {compared(share)}; {meaning} (KS {gap:.3f}, {limit:.3f})")


def _verdict(classes: Sequence[Share], scores: Share, features: bool) -> int:
    level = f"{100 - 100 * ALPHA:g}%"
    if not classes and not scores.differs and not features:
        say(f"drift    none that can be told from chance ({level} intervals)")
        return 0
    what = [f"shares of {counted(len(classes), 'class')}"] if classes else []
    what += ["scores"] if scores.differs else []
    what += ["features"] if features else []
    say(
        f"drift    yes: {' and '.join(what)} ({level} intervals). What validation measured may not "
        "hold for these photos: label some, and test on them with osprey eval"
    )
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="osprey drift",
        description="How a bundle's answers differ from those that it gave on validation: shares "
        "of the classes, scores, and features if it tells them. Exit code 0: no drift, 1: drift.",
    )
    parser.add_argument("bundle", metavar="BUNDLE", help="a name, a run or a bundle's folder")
    parser.add_argument(
        "log", metavar="ANSWERS.jsonl", help="log of osprey serve, or classify's --format jsonl"
    )
    parser.add_registry()
    parser.add_runs()
    return parser
