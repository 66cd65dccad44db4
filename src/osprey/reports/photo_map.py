"""A map of photos by their features: places in two dimensions, colours, and small pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from osprey.reports.run_record import RunRecord

TILE = 48  # pixels of a picture's side
COLUMNS = 50  # pictures beside each other on the sheet
_NAMED = 12  # classes or groups with a colour of their own
_NEIGHBOURS = 15  # UMAP's own default
_FEWEST = 50  # photos of which UMAP makes anything

Places = NDArray[np.float32]


def flat_map(features: NDArray[np.float32]) -> tuple[Places, str]:
    """Features in two dimensions: by UMAP where it is installed, else by principal components.

    Args:
        features: float32 [M, C].

    Returns:
        float32 [M, 2], each axis from 0 to 1; and how they were found, as the end of a sentence.
    """
    if len(features) >= _FEWEST and find_spec("umap") is not None:
        import umap

        places = umap.UMAP(n_neighbors=_NEIGHBOURS, random_state=0).fit_transform(features)
        return _stretched(np.asarray(places)), "by UMAP: near each other is alike, far says little"
    places, share = _principal(features)
    return places, (
        "along the two directions in which they differ most, which hold "
        f"{100 * share:.1f}% of their variance"
    )


def _principal(features: NDArray[np.float32]) -> tuple[Places, float]:
    """The two principal components, and the share of the variance that they hold."""
    centred = (features - features.mean(axis=0)).astype(np.float64)
    total = float(np.square(centred).sum())
    # Of the smaller of the two squares.
    wide = centred.shape[1] > len(centred)
    square = centred @ centred.T if wide else centred.T @ centred
    values, vectors = eigh(square, subset_by_index=(max(0, len(square) - 2), len(square) - 1))
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    places = np.zeros((len(centred), 2))
    places[:, : len(values)] = vectors * np.sqrt(values) if wide else centred @ vectors
    highest = np.abs(places).argmax(axis=0)
    places *= np.where(places[highest, [0, 1]] < 0, -1, 1)  # a sign that is the same each time
    return _stretched(places), float(values.sum()) / total if total else 0.0


def _stretched(places: NDArray[np.float64]) -> Places:
    low, high = places.min(axis=0), places.max(axis=0)
    result: Places = ((places - low) / np.maximum(high - low, 1e-9)).astype(np.float32)
    return result


def map_payload(
    places: Places,
    tiles: Sequence[int],
    paths: Sequence[str],
    columns: Mapping[str, NDArray[np.str_]],
) -> dict[str, Any]:
    """What the page's script draws of M photos, as plain data.

    Args:
        places: float32 [M, 2], 0 to 1.
        tiles: The place of each photo's picture on the sheet.
        paths: Of the photos.
        columns: What they can be coloured by, such as ``class``: a value a photo.
    """
    return {
        "x": np.round(places[:, 0], 4).tolist(),
        "y": np.round(1 - places[:, 1], 4).tolist(),
        "tile": list(tiles),
        "path": list(paths),
        "by": {name: _coloured(values) for name, values in columns.items()},
        "columns": COLUMNS,
        "side": TILE,
    }


def _coloured(values: NDArray[np.str_]) -> dict[str, Any]:
    """Values as codes of names, the most frequent first; beyond a few all others share one."""
    names, counts = np.unique(values, return_counts=True)
    order = names[np.argsort(-counts, kind="stable")].tolist()
    kept = order if len(order) <= _NAMED else order[: _NAMED - 1]
    codes = {name: code for code, name in enumerate(order)}
    return {
        "names": order,
        "coloured": len(kept),
        "codes": [codes[value] for value in values.tolist()],
    }


def sheet_of(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """All pictures on one sheet.

    Args:
        tiles: uint8 [M, TILE, TILE, 3].

    Returns:
        uint8 [rows * TILE, COLUMNS * TILE, 3].
    """
    lines = -(-len(tiles) // COLUMNS)
    sheet = np.full((lines * TILE, COLUMNS * TILE, 3), 255, dtype=np.uint8)
    for place, tile in enumerate(tiles):
        y, x = place // COLUMNS * TILE, place % COLUMNS * TILE
        sheet[y : y + TILE, x : x + TILE] = tile
    return sheet


def map_section(
    points: Mapping[str, Any], how: str, network: str, sheet: str, of: int
) -> dict[str, Any]:
    """The values of the template ``photo_map.html``.

    Args:
        points: From `map_payload`.
        how: From `flat_map`.
        network: Whose features they are.
        sheet: The sheet as a data URI.
        of: How many photos there are, shown or not.
    """
    return {
        "payload": json.dumps(points, ensure_ascii=False).replace("<", "\\u003c"),
        "sheet": sheet,
        "network": network,
        "how": how,
        "photos": len(points["path"]),
        "of": of,
        "colours": list(points["by"]),
    }


def map_of(run: RunRecord) -> dict[str, Any] | None:
    """The map that a run's folder holds; None where it holds none."""
    found, sheet = run.plot("map.json"), run.picture("plots/map.jpg")
    if not found or sheet is None:
        return None
    return map_section(found["points"], found["how"], "the frozen network", sheet, found["of"])
