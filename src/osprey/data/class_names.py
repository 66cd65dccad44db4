"""Class names that are one to people and two to a computer."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from osprey.data.manifest import Manifest
from osprey.data.notices import Guess
from osprey.errors import DataError

ASK, MERGE, KEEP = "ask", "merge", "keep"


def tidy_class_names(manifest: Manifest, case: str, notices: list[str]) -> Manifest:
    """Give each class one name: composed letters (Unicode's NFC), no blanks at its ends.

    Args:
        manifest: The samples.
        case: What becomes of names that differ in capitals alone: ``ask`` refuses them, ``merge``
            makes one class of them, by the most frequent name, ``keep`` leaves them.
        notices: Each merge appends a line.

    Raises:
        DataError: Names differ in capitals alone, and ``case`` is ``ask``.
    """
    target = manifest.target
    same = _groups(Counter(target.names(manifest)), tidy_name)
    changed = {name: tidy for tidy, names in same.items() for name in names if name != tidy}
    for tidy, names in same.items():
        if len(names) > 1:
            notices.append(merged_line(tidy, names))
    manifest = target.rename_classes(manifest, changed) if changed else manifest
    alike = _groups(Counter(target.names(manifest)), str.casefold)
    alike = {key: names for key, names in alike.items() if len(names) > 1}
    if not alike or case == KEEP:
        return manifest
    first = next(iter(alike.values()))
    if case == ASK:
        shown = " and ".join(f"'{name}' (n={count})" for name, count in first.most_common())
        raise DataError(
            f"classes {shown} differ in capitals alone: data.case=merge makes them one, "
            "data.case=keep leaves them apart"
        )
    chosen: dict[str, str] = {}
    for names in alike.values():
        best = names.most_common(1)[0][0]
        others = sorted(set(names) - {best})
        chosen |= dict.fromkeys(others, best)
        notices.append(f"one class '{best}': also {', '.join(others)} (data.case=merge)")
    return target.rename_classes(manifest, chosen)


def merged_line(tidy: str, names: Iterable[str]) -> str:
    """A line that says which spellings became one class."""
    shown = ", ".join(f"'{name}'" for name in sorted(names))
    return Guess(f"one class '{tidy}': {shown} differ in blanks or in how letters are written")


def tidy_name(name: str) -> str:
    """A class name in composed letters, with one blank between words and none at its ends."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def _groups(counts: Mapping[str, int], key: Callable[[str], str]) -> dict[str, Counter[str]]:
    """Names that have one key, each with how often it is there."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for name, count in counts.items():
        found[key(name)][name] += count
    return dict(found)
