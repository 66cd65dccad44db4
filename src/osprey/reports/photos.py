"""The pictures of a run folder, embedded in the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from osprey.reports.run_record import RunRecord


def batch(run: RunRecord) -> dict[str, Any] | None:
    """The mosaic of training photos and the position of each tile, in CSS percentages.

    Args:
        run: The run.

    Returns:
        ``picture`` (data URI), ``width`` and ``tiles``; None if there is no mosaic.
    """
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
            "x": f"{100 * (i % columns) / max(1, columns - 1):.3f}",
            "y": f"{100 * (i // columns) * (tile + strip) / max(1, spare):.3f}",
        }
        for i, label in enumerate(labels)
    ]
    return {"picture": picture, "width": 100 * columns, "tiles": tiles}


def gallery(run: RunRecord, kinds: Mapping[str, str]) -> list[dict[str, Any]]:
    """The gallery's photos with their pictures; those without are left out.

    Args:
        run: The run.
        kinds: Titles of the groups, by ``kind`` of the entries in gallery.json.

    Returns:
        ``{"kind", "title", "photos"}`` of each group that has photos, in the order of ``kinds``; a
        photo is its entry with ``picture`` and ``cam`` (or None) as data URIs.
    """
    found = run.plot("gallery.json")
    if not found or found["split"] != run.split:
        return []
    groups = []
    for kind, title in kinds.items():
        photos = []
        for photo in found["photos"]:
            picture = run.picture(photo["picture"])
            if photo["kind"] == kind and picture is not None:
                cam = run.picture(photo["cam"]) if photo.get("cam") else None
                photos.append({**photo, "picture": picture, "cam": cam})
        if photos:
            groups.append({"kind": kind, "title": title, "photos": photos})
    return groups
