"""Near copies: saved again, mirrored, turned or cut."""

from __future__ import annotations

from osprey.doctor.checks.copies import copies_found
from osprey.doctor.finding import Finding, joined
from osprey.doctor.survey import Survey


def check_near(survey: Survey) -> list[Finding]:
    """Look for photos that are another's picture in other bytes."""
    pairs = survey.near_pairs
    captions = {pair.second: pair.how for pair in pairs}
    sets = joined(len(survey.readable), [(pair.first, pair.second) for pair in pairs])
    how = " or ".join(sorted(set(pair.how for pair in pairs)))
    return copies_found(survey, sets, "near", how, captions)
