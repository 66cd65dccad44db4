"""Label twins: class names that are one to people and two to a computer."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict

from osprey.doctor.finding import Finding
from osprey.doctor.survey import Survey


def check_names(survey: Survey) -> list[Finding]:
    """Look for class names that differ in blanks, capitals, hyphens or accents' bytes alone."""
    counts = Counter(survey.raw.target.names(survey.raw))
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(counts):
        alike[_plain(name)].append(name)
    twins = [names for names in alike.values() if len(names) > 1]
    if not twins:
        return []
    first = " and ".join(f"'{name}' (n={counts[name]})" for name in twins[0])
    return [
        Finding(
            "label_twins",
            "labels that are probably one",
            len(twins),
            "class",
            "write each class in one way; data.case=merge joins those that differ in capitals",
            f"first {first}",
            rows=[
                ("written as", "photos or boxes"),
                *(
                    (" / ".join(f"'{n}'" for n in names), " / ".join(str(counts[n]) for n in names))
                    for names in twins
                ),
            ],
        )
    ]


def _plain(name: str) -> str:
    """A name without what people do not see or do not mean."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_\-.]+", " ", text).strip()
