"""The map of photos: places of features, and the page of a probe that holds it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import quick
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from osprey.reports import photo_map
from osprey.reports.photo_map import COLUMNS, TILE, flat_map, map_payload, sheet_of


@pytest.fixture(autouse=True)
def without_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_map, "find_spec", lambda name: None)


@pytest.mark.parametrize("photos", [50, 5, 4])
def test_the_map_is_the_principal_components(photos: int) -> None:
    draw = np.random.default_rng(0)
    plane = draw.normal(size=(photos, 2)) * (5, 2)
    features = (plane @ np.linalg.qr(draw.normal(size=(6, 2)))[0].T + 3).astype(np.float32)
    places, how = flat_map(features)
    assert how.endswith("which hold 100.0% of their variance")
    assert places.min() == 0 and places.max() == 1
    assert abs(np.corrcoef(places[:, 0], plane[:, 0])[0, 1]) > 0.9
    assert (flat_map(features)[0] == places).all()


@quick
@given(arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)),
              elements=st.floats(-9, 9, width=32)))  # fmt: skip
def test_any_features_have_a_place(features: np.ndarray) -> None:
    places, how = flat_map(features)
    assert places.shape == (len(features), 2) and np.isfinite(places).all()
    assert places.min() >= 0 and places.max() <= 1 and "nan" not in how


def test_umap_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def umap(**options: int) -> SimpleNamespace:
        assert options["random_state"] == 0
        return SimpleNamespace(fit_transform=lambda values: 2 * values[:, ::-1])

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=umap))
    monkeypatch.setattr(photo_map, "find_spec", lambda name: name == "umap")
    features = np.random.default_rng(0).random((60, 2), dtype=np.float32)
    places, how = flat_map(features)
    assert how.startswith("by UMAP")
    assert np.corrcoef(places[:, 0], features[:, 1])[0, 1] > 0.999
    assert not flat_map(features[:9])[1].startswith("by UMAP")  # too few for it


def test_of_many_groups_the_largest_have_colours() -> None:
    groups = np.array([f"g{number}" for number in range(20) for _ in range(1 + (number == 7))])
    paths = [f"{number}.jpg" for number in range(len(groups))]
    places = np.zeros((len(groups), 2), np.float32)
    group = map_payload(places, range(len(groups)), paths, {"group": groups})["by"]["group"]
    assert group["names"][0] == "g7" and group["coloured"] == 11 and len(group["names"]) == 20
    assert [group["names"][code] for code in group["codes"]] == groups.tolist()


def test_pictures_lie_on_the_sheet_in_rows() -> None:
    tiles = np.arange(COLUMNS + 2, dtype=np.uint8)[:, None, None, None]
    sheet = sheet_of(np.broadcast_to(tiles, (COLUMNS + 2, TILE, TILE, 3)))
    assert sheet.shape == (2 * TILE, COLUMNS * TILE, 3)
    assert (sheet[:TILE, TILE : 2 * TILE] == 1).all()
    assert (sheet[TILE:, TILE : 2 * TILE] == COLUMNS + 1).all() and (sheet[TILE:, -1] == 255).all()
