"""Files that cannot be read, are cut off, are empty, or are called something else."""

from __future__ import annotations

from pathlib import PurePosixPath

from osprey.doctor.finding import Finding
from osprey.doctor.survey import Survey

# Endings that name one form.
_ALIKE = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "jpg"),
    **dict.fromkeys((".png", ".apng"), "png"),
    **dict.fromkeys((".tif", ".tiff"), "tif"),
    **dict.fromkeys((".bmp", ".dib"), "bmp"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "pnm"),
    **{".webp": "webp", ".gif": "gif", ".avif": "avif"},
    **dict.fromkeys((".heic", ".heif", ".hif"), "heic"),
}


def check_files(survey: Survey) -> list[Finding]:
    """Look for files that are no sound photos, and for endings that mislead."""
    empty: list[int] = []
    cut: list[int] = []
    other: list[int] = []
    for row, reason in enumerate(survey.looks.reasons):
        if reason:
            kind = empty if "(0 bytes)" in reason else cut if "truncated" in reason else other
            kind.append(row)
    found = [
        _unreadable(survey, "empty_files", "files of zero bytes", empty),
        _unreadable(survey, "truncated_files", "truncated photos", cut),
        _unreadable(survey, "unreadable_files", "files that cannot be read", other),
        _misnamed(survey),
    ]
    return [finding for finding in found if finding is not None]


def _unreadable(survey: Survey, key: str, title: str, rows: list[int]) -> Finding | None:
    if not rows:
        return None
    reasons, paths = survey.looks.reasons, survey.paths
    return Finding(
        key,
        title,
        len(rows),
        "file",
        "copy them again from their source; training leaves them out",
        f"first '{paths[rows[0]]}': {reasons[rows[0]]}",
        drop={row: reasons[row] for row in rows},
        rows=[("file", "why"), *((paths[row], reasons[row]) for row in rows)],
    )


def _misnamed(survey: Survey) -> Finding | None:
    rows, paths = [], survey.paths
    for row, (path, kind) in enumerate(zip(paths, survey.looks.kinds, strict=True)):
        ending = _ALIKE.get(PurePosixPath(path).suffix.lower())
        if kind and ending is not None and ending != kind and not survey.looks.reasons[row]:
            rows.append(row)
    if not rows:
        return None
    kinds = survey.looks.kinds
    return Finding(
        "wrong_endings",
        "endings that mislead",
        len(rows),
        "file",
        "rename them: other programs go by the ending (Osprey by the content)",
        f"first '{paths[rows[0]]}', which is a {kinds[rows[0]].upper()}",
        grave=False,
        sets=[[row] for row in rows],
        captions={row: f"is a {kinds[row].upper()}" for row in rows},
    )
