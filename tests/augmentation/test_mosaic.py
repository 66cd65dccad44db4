"""Mosaics and batches at other sizes: boxes go where their pixels go."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_box_policy import SMALL, check_form, edges, painted, same

from osprey.augmentation import BoxAugmentation, BoxPolicy
from osprey.augmentation.mosaic import four_in_one
from osprey.augmentation.rescale import rescale
from osprey.data.labelled import Labelled
from osprey.imaging import Preprocess

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 0, 255)]


def coloured(number: int, height: int, width: int, box: tuple[int, int, int, int]) -> Labelled:
    """One photo of a mosaic, told from the others by its colour; its label is its number."""
    image = np.full((height, width, 3), 60, np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = COLOURS[number]
    return Labelled(image, np.array([box], np.float32), np.array([number]))


@given(
    st.lists(
        st.tuples(st.integers(40, 200), st.integers(40, 200), st.floats(0, 1), st.floats(0, 1)),
        min_size=4, max_size=4,
    ),
    st.sampled_from(["squash", "letterbox"]), st.sampled_from([64, 96, 128]), st.integers(0, 2**31),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_each_box_of_a_mosaic_fits_its_pixels(
    drawn: list[tuple[int, int, float, float]], resize: str, side: int, seed: int
) -> None:
    photos = []
    for number, (height, width, across, down) in enumerate(drawn):
        x, y = round(across * (width // 2)), round(down * (height // 2))
        photos.append(coloured(number, height, width, (x, y, x + width // 2, y + height // 2)))
    rng = np.random.default_rng(seed)
    done = four_in_one(photos, Preprocess(size=64, resize=resize), side, rng)
    check_form(done, side)
    for number, colour in enumerate(COLOURS):
        far = np.abs(done.image.astype(int) - colour).sum(axis=2)
        lit = far < 250
        boxes = done.boxes[done.labels == number]
        assert len(boxes) <= 1
        if len(boxes):
            np.testing.assert_allclose(edges(lit), boxes[0], atol=1.5)
        else:  # dropped, so that little of it is there
            assert lit.sum() < 0.3 * (side / 2) ** 2
    assert (done.image == 60).all(axis=2).any() or len(done.boxes)


class Photos(list[Labelled]):
    """A training split in memory."""

    def labelled(self, row: int) -> Labelled:
        return self[row]


def test_the_seed_decides_which_photos_become_mosaics_and_of_which_others() -> None:
    photos = Photos(painted(60, 80, (10, 10, 10 + 3 * n, 40)) for n in range(3, 20))
    policy = BoxPolicy(["HorizontalFlip"], SMALL)
    augment = BoxAugmentation(policy, 0.5)
    copied = pickle.loads(pickle.dumps(augment))
    assert repr(copied) == repr(augment)
    mosaics = 0
    for seed in range(200):
        done = augment(photos, seed % 17, seed)
        check_form(done)
        if seed < 20:
            assert same(copied(photos, seed % 17, seed), done)
        mosaics += not same(done, policy(photos[seed % 17], seed))
    assert 75 < mosaics < 125
    never = BoxAugmentation(policy)
    assert same(never(photos, 3, 9), policy(photos[3], 9))


def test_the_last_part_of_the_training_sees_no_mosaics() -> None:
    photos = Photos(painted(60, 80, (10, 10, 10 + 3 * n, 40)) for n in range(3, 20))
    policy = BoxPolicy(["HorizontalFlip"], SMALL)
    augment = BoxAugmentation(policy, 1.0, until=0.8)
    for seed in range(20):
        plain = policy(photos[3], seed)
        assert not same(augment(photos, 3, seed, 0.7), plain)
        assert same(augment(photos, 3, seed, 0.8), plain)


def test_a_mosaic_of_photos_without_boxes_has_none() -> None:
    augment = BoxAugmentation(BoxPolicy(["RandomResizedCrop"], SMALL), 1.0)
    done = augment(Photos([painted(30, 40), painted(1, 1)]), 0, 0)
    check_form(done)
    assert not len(done.labels)


@given(
    side=st.sampled_from([64, 160, 320]), spread=st.sampled_from([0.1, 0.25, 0.5]),
    seed=st.integers(0, 2**31),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_a_batch_at_another_size_keeps_boxes_on_their_pixels(
    side: int, spread: float, seed: int
) -> None:
    torch.manual_seed(seed)
    box = [side // 4, side // 8, 3 * side // 4, side // 2]
    images = torch.zeros(2, 3, side, side).contiguous(memory_format=torch.channels_last)
    images[0, :, box[1] : box[3], box[0] : box[2]] = 1
    truth = [torch.tensor([box], dtype=torch.float32), torch.zeros(0, 4)]
    done, boxes = rescale(images, truth, spread)
    new = done.shape[-1]
    assert done.shape == (2, 3, new, new)
    assert done.dtype == images.dtype
    assert done.is_contiguous(memory_format=torch.channels_last)
    assert new % 32 == 0 or new == side
    assert side * (1 - spread) <= new <= side * (1 + spread)
    np.testing.assert_allclose(edges(done[0, 0].numpy() > 0.5), boxes[0][0].numpy(), atol=1.1)
    assert boxes[1].shape == (0, 4)


def test_every_size_is_drawn_and_the_seed_decides() -> None:
    images = torch.zeros(1, 3, 128, 128)
    torch.manual_seed(0)
    sides = [rescale(images, [torch.zeros(0, 4)], 0.25)[0].shape[-1] for _ in range(60)]
    assert set(sides) == {96, 128, 160}
    torch.manual_seed(0)
    assert [rescale(images, [torch.zeros(0, 4)], 0.25)[0].shape[-1] for _ in range(60)] == sides
    assert rescale(images, [torch.zeros(0, 4)], 0.0)[0] is images


@pytest.mark.parametrize("workers", [0, 2])
def test_mosaics_are_the_same_from_any_number_of_workers(workers: int) -> None:
    from torch.utils.data import DataLoader

    photos = Photos(painted(60, 80, (10, 10, 10 + 3 * n, 40)) for n in range(3, 11))
    augment = BoxAugmentation(BoxPolicy(["RandomResizedCrop"], SMALL), 0.7)
    keys = [(augment, photos, row) for row in range(len(photos))]
    loader = DataLoader(keys, batch_size=None, num_workers=workers, collate_fn=_apply)  # type: ignore[arg-type]
    assert all(map(same, loader, map(_apply, keys)))


def _apply(key: tuple[BoxAugmentation, Photos, int]) -> Labelled:
    augment, photos, row = key
    return augment(photos, row, 100 + row)
