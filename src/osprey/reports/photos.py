"""The pictures of a run folder, made part of the page."""

from __future__ import annotations

from typing import Any

from osprey.reports.facts import RunFacts

_KINDS = {
    "worst": "Worst mistakes: wrong, and surest of it",
    "doubtful": "Most doubtful: the two best classes nearly level",
}


def batch(run: RunFacts) -> dict[str, Any] | None:
    """The mosaic of training photos and where on it each tile lies, in CSS percentages."""
    layout, picture = run.plot("batch.json"), run.picture("plots/batch.jpg")
    if not layout or picture is None:
        return None
    columns, tile, strip = layout["columns"], layout["tile"], layout["strip"]
    labels = layout["labels"]
    rows = -(-len(labels) // columns)
    spare = rows * (tile + strip) - tile
    tiles = [
        {
            "label": label,
            "x": f"{100 * (i % columns) / (columns - 1):.3f}",
            "y": f"{100 * (i // columns) * (tile + strip) / spare:.3f}",
        }
        for i, label in enumerate(labels)
    ]
    return {"picture": picture, "width": 100 * columns, "tiles": tiles}


def gallery(run: RunFacts) -> list[dict[str, Any]]:
    """Worst mistakes and most doubtful photos, each with its picture; those without are left out.

    ``row`` is the photo's place in the table of predictions, which the page's filter knows.
    """
    found = run.plot("gallery.json")
    if not found or found["split"] != run.shown.split:
        return []
    groups = []
    for kind, title in _KINDS.items():
        photos = []
        for photo in found["photos"]:
            picture = run.picture(photo["picture"])
            if photo["kind"] == kind and picture is not None:
                cam = run.picture(photo["cam"]) if photo["cam"] else None
                right = photo["label"] == photo["predicted"]
                photos.append({**photo, "picture": picture, "cam": cam, "right": right})
        if photos:
            groups.append({"kind": kind, "title": title, "photos": photos})
    return groups
