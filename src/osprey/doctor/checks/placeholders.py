"""Pictures that show nothing: of one colour, or drawn to say that there is no picture."""

from __future__ import annotations

import numpy as np

from osprey.doctor.finding import Finding
from osprey.doctor.survey import Survey

_BLANK = 3.0  # grey levels of contrast
_COLOURS, _FLAT = 14, 0.7  # a drawing: few colours, one of which covers most of it


def check_placeholders(survey: Survey) -> list[Finding]:
    """Look for blank pictures and for drawings such as "image not found"."""
    looks = survey.looks
    blank = survey.readable & (looks.contrast < _BLANK)
    drawn = survey.readable & ~blank & (looks.colours <= _COLOURS) & (looks.flat >= _FLAT)
    rows = np.flatnonzero(blank | drawn).tolist()
    if not rows:
        return []
    return [
        Finding(
            "placeholders",
            "pictures of nothing",
            len(rows),
            "photo",
            "look at them, and delete those that stand for a photo that is missing",
            f"of one colour or hardly more, first '{survey.paths[rows[0]]}'",
            sets=[[row] for row in rows],
            captions={row: "of one colour" if blank[row] else "drawn" for row in rows},
            drop={row: "a picture of one colour" for row in np.flatnonzero(blank).tolist()},
        )
    ]
