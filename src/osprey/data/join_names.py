"""Class names of several sources that are one to people and two to a computer."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping

from osprey.data.class_names import MERGE, tidy_name
from osprey.system.console import counted

_SHOWN = 10  # such names that are told one by one


def point_out_names(names: Mapping[str, Counter[str]], case: str, notices: list[str]) -> None:
    """Say which names differ between sources in capitals, spaces or form, and what merges them.

    Args:
        names: Of each source its class names as they were read and as they are now.
        case: ``data.case`` of the join.
        notices: A line a name is appended.
    """
    alike: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for source, found in names.items():
        for name in found:
            alike[_key(name)][name].append(source)
    lines = []
    for spelt in alike.values():
        places = {source for sources in spelt.values() for source in sources}
        if len(spelt) > 1 and len(places) > 1:
            lines.append(_line(spelt, case))
    notices += lines[:_SHOWN]
    if lines[_SHOWN:]:
        notices.append(f"and {counted(len(lines) - _SHOWN, 'name')} more that differ like these")


def _key(name: str) -> str:
    """A name without capitals, blanks, hyphens and underscores, in one form of its letters."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_\-]+", "", plain) or plain


def _line(spelt: Mapping[str, list[str]], case: str) -> str:
    shown = ", ".join(f"'{name}' ({', '.join(sources)})" for name, sources in spelt.items())
    tidy = {tidy_name(name) for name in spelt}
    if len(tidy) == 1:
        return f"one class '{tidy.pop()}': {shown} differ in blanks or in how letters are written"
    first, *_ = spelt
    other, (source, *_) = next((n, s) for n, s in spelt.items() if tidy_name(n) != tidy_name(first))
    setting = f"classes: {{{other}: {first}}} of source {source}"
    if len({name.casefold() for name in tidy}) > 1:
        return f"{shown} look like one class and are kept apart: {setting} merges them"
    if case == MERGE:
        return f"{shown} differ in capitals alone: merged by data.case=merge"
    return f"{shown} differ in capitals alone: {setting}, or data.case=merge, merges them"
