"""Hashes, the search among them, and the map: against plain ways to the same."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import quick
from hypothesis import given
from hypothesis import strategies as st

from osprey.doctor import candidates, near
from osprey.doctor.candidates import likest
from osprey.doctor.finding import joined
from osprey.doctor.hashing import close_pairs, hashes_of, oriented
from osprey.doctor.likeness import alike_pairs
from osprey.doctor.near import near_copies

_LOW = np.arange(8)


def thumbs(seed: int, count: int = 6) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 8, 8), dtype=np.uint8)
    return np.stack([cv2.resize(x, (32, 32), interpolation=cv2.INTER_CUBIC) for x in coarse])


def test_a_hash_is_the_signs_of_the_low_frequencies() -> None:
    pictures = thumbs(0)
    for picture, found in zip(pictures, hashes_of(pictures), strict=True):
        low = cv2.dct(picture.astype(np.float32))[:8, :8]
        signs = low > 0
        signs[0, 0] = False
        assert np.packbits(signs.ravel()).view(np.uint64)[0] == found


@pytest.mark.parametrize("orientation", range(8))
def test_a_turned_photo_s_hash_follows_from_the_photo_s(orientation: int) -> None:
    pictures = thumbs(1)
    turned = np.stack([oriented(picture, orientation) for picture in pictures])
    apart = np.bitwise_count(hashes_of(turned) ^ hashes_of(pictures, orientation=orientation))
    assert apart.max() <= 1  # a coefficient of nearly 0 may have either sign


def test_a_window_s_hash_is_that_of_the_part() -> None:
    pictures = thumbs(2)
    large = np.stack([cv2.resize(x, (320, 320), interpolation=cv2.INTER_CUBIC) for x in pictures])
    parts = [cv2.resize(x[:288, 32:], (32, 32), interpolation=cv2.INTER_AREA) for x in large]
    apart = np.bitwise_count(hashes_of(np.stack(parts)) ^ hashes_of(pictures, (0.1, 0.0, 0.9)))
    assert apart.max() <= 4


@quick
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(0, 20), st.booleans())
def test_close_pairs_are_all_pairs(seed: int, count: int, radius: int, both: bool) -> None:
    draw = np.random.default_rng(seed)
    known = draw.integers(0, 2**63, count, dtype=np.uint64) & np.uint64(0xFFFF)
    asked = known ^ np.uint64(1 if both else 0)
    first, second = close_pairs(asked, known, radius, both=both)
    near = np.bitwise_count(asked[:, None] ^ known[None]) <= radius
    near &= ~np.eye(count, dtype=bool) if both else np.triu(np.ones_like(near), 1)
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == set(
        map(tuple, np.argwhere(near).tolist())
    )
    assert len(first) == near.sum()


def test_pairs_join() -> None:
    assert joined(9, [(1, 2), (5, 4), (2, 7)]) == [[1, 2, 7], [4, 5]]
    assert joined(9, []) == []


def test_alike_pairs_are_those_of_one_direction() -> None:
    features = np.random.default_rng(0).normal(size=(600, 8)).astype(np.float32)
    features[599], features[3] = 2 * features[0], features[2]
    pairs = alike_pairs(features, 0.9999, 10)
    assert {pair[:2] for pair in pairs} == {(0, 599), (2, 3)}


def test_of_many_alike_pairs_only_the_likest_are_held() -> None:
    features = np.ones((2000, 4), dtype=np.float32)
    features[[7, 1900], 0] = 1.5
    tracemalloc.start()
    pairs = alike_pairs(features, 0.9, 10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(pairs) == 10 and all(cosine > 0.999 for *_, cosine in pairs)
    assert peak < 100e6  # two million pairs as tuples would be 300 MB


@quick
@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(1, 5))
def test_the_likest_are_the_first_of_each_photo(seed: int, count: int, most: int) -> None:
    first, second = np.random.default_rng(seed).integers(0, 9, (2, count))
    second = second + 9
    kept = likest(first, second, most)
    for place in range(count):
        before = [int((ends[:place] == ends[place]).sum()) for ends in (first, second)]
        assert kept[place] == (min(before) < most)


def test_frames_of_a_camera_that_stands_still_are_no_pairs_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, count = np.random.default_rng(0), 60
    scene = cv2.resize(draw.random((9, 9, 3)), (128, 128), interpolation=cv2.INTER_CUBIC)
    scene = 40 + 120 * scene + 60 * cv2.resize(draw.random((40, 40, 3)), (128, 128))
    pictures = [np.clip(scene + draw.normal(0, 2, scene.shape), 0, 255) for _ in range(count)]
    pictures.append(pictures[0][:, ::-1])
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture.astype(np.uint8))
    small = [
        cv2.resize(picture.mean(axis=2), (32, 32), interpolation=cv2.INTER_AREA)
        for picture in pictures
    ]
    asked = []

    def counted(queries: np.ndarray, *more: object, **how: bool) -> object:
        asked.append(len(queries))
        return close_pairs(queries, *more, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(candidates, "close_pairs", counted)
    compared = []
    real = near.same_picture
    monkeypatch.setattr(near, "same_picture", lambda *pair: compared.append(1) or real(*pair))
    paths = [f"{number}.png" for number in range(count + 1)]
    found = near_copies(tmp_path, paths, np.array(small, dtype=np.uint8))
    assert joined(count + 1, [(pair.first, pair.second) for pair in found]) == [[*range(count + 1)]]
    assert [pair.how for pair in found if pair.second == count] == ["mirrored"]
    assert asked == [count + 1] + [2] * 33
    assert len(compared) < 5 * count, "of 1,830 pairs"
