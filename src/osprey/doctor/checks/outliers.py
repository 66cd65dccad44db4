"""Photos unlike the others in size, shape, sharpness or brightness."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from osprey.doctor.finding import Finding
from osprey.doctor.survey import Survey

_SMALL = 48  # pixels of the short side
_FACTOR = 3.0  # by which a shape or a size differs from the usual
_DARK, _BRIGHT = 25.0, 240.0  # grey levels, on average
_BLURRED = 0.12  # edges over contrast: a photo in focus has 0.2 to 1
_FAR = 2.5  # times the usual distance from the median (of the logarithm)
_NOT_BLANK = 3.0  # grey levels of contrast of a photo on which something may be seen
_BLANK = 4.0  # grey levels of contrast: below, sharpness says nothing


def check_outliers(survey: Survey) -> list[Finding]:
    """Look for small, oddly shaped, blurred, dark and bright photos."""
    if not survey.readable.any():
        return []
    found = [*_by_size(survey), _blurred(survey), *_by_light(survey)]
    return [finding for finding in found if finding is not None]


def _by_size(survey: Survey) -> list[Finding | None]:
    looks, readable = survey.looks, survey.readable
    sizes = np.maximum(looks.sizes, 1).astype(np.float64)
    short, shape = sizes.min(axis=1), np.log(sizes[:, 0] / sizes[:, 1])
    odd = np.abs(shape - np.median(shape[readable])) > np.log(_FACTOR)

    def caption(row: int) -> str:
        return f"{looks.sizes[row, 0]} x {looks.sizes[row, 1]}"

    return [
        _finding(
            survey,
            "small_photos",
            f"photos below {_SMALL} pixels",
            readable & (short < _SMALL) & (short * _FACTOR < np.median(short[readable])),
            "find larger ones: enlarging adds no detail",
            caption,
        ),
        _finding(
            survey,
            "odd_shapes",
            "photos of an odd shape",
            readable & odd,
            "data.resize=letterbox keeps their shape; a panorama or a strip is best cut",
            caption,
        ),
    ]


def _blurred(survey: Survey) -> Finding | None:
    looks = survey.looks
    shown = survey.readable & (looks.contrast >= _BLANK)
    sharp = np.log(np.maximum(looks.sharpness, 1e-6).astype(np.float64))
    return _finding(
        survey,
        "blurred_photos",
        "blurred photos",
        shown & (looks.sharpness < _BLURRED) & (sharp < _usual_low(sharp, shown)),
        "keep them only if such photos will be asked about",
        lambda row: f"sharpness {looks.sharpness[row]:.2f}",
    )


def _by_light(survey: Survey) -> Iterator[Finding | None]:
    looks = survey.looks
    shown = survey.readable & (looks.contrast >= _NOT_BLANK)
    for key, title, mask in (
        ("dark_photos", "dark photos", looks.brightness < _DARK),
        ("bright_photos", "overexposed photos", looks.brightness > _BRIGHT),
    ):
        yield _finding(
            survey,
            key,
            title,
            shown & mask,
            "look whether anything can be seen on them",
            lambda row: f"brightness {looks.brightness[row]:.0f} of 255",
        )


def _usual_low(values: NDArray[np.float64], among: NDArray[np.bool_]) -> float:
    """What is far below the usual: the median less several times the median distance from it."""
    if not among.any():
        return -np.inf
    middle = float(np.median(values[among]))
    return middle - _FAR * float(np.median(np.abs(values[among] - middle)))


def _finding(
    survey: Survey,
    key: str,
    title: str,
    mask: NDArray[np.bool_],
    advice: str,
    caption: Callable[[int], str],
) -> Finding | None:
    rows = np.flatnonzero(mask).tolist()
    if not rows:
        return None
    captions = {row: caption(row) for row in rows}
    first = f"first '{survey.paths[rows[0]]}' ({captions[rows[0]]})"
    shown = [[row] for row in rows]
    return Finding(key, title, len(rows), "photo", advice, first, False, shown, captions)
