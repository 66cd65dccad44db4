"""Policies: the same photo and seed give the same pixels, and a wrong policy one plain line."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from osprey.augmentation import Policy, check_policy
from osprey.augmentation.steps import GROUPS, STEPS
from osprey.errors import ConfigError, UserError
from osprey.imaging import Preprocess

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "augmentation").glob("*.yaml"))
KEYS = {
    "name",
    "steps",
    "mixup",
    "cutmix",
    "mix_probability",
    "erasing",
    "mosaic",
    "multi_scale",
} | {"mosaic_until"}
SMALL = Preprocess(size=32)


def photo(height: int = 60, width: int = 80) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([columns * 255 / width, rows * 255 / height, (rows + columns) % 256], axis=2)
    return np.ascontiguousarray(image.astype(np.uint8))


def config(name: str) -> dict[str, Any]:
    path = next(path for path in CONFIGS if path.stem == name)
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def digest(image: np.ndarray) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_builds_and_runs(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert 5 <= len(lines) <= 28
    settings = yaml.safe_load(path.read_text())
    assert set(settings) == KEYS
    assert settings["name"] == path.stem
    policy = Policy(settings["steps"], SMALL)
    for seed, shape in enumerate([(60, 80), (1, 1), (5, 2000), (300, 20), (32, 32)] * 4):
        out = policy(photo(*shape), seed)
        assert out.shape == (32, 32, 3)
        assert out.dtype == np.uint8
        assert out.flags.c_contiguous
    grey = np.repeat(photo()[..., :1], 3, axis=2)
    assert policy(grey, 3).shape == (32, 32, 3)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_seed_decides_every_pixel(path: Path) -> None:
    steps = yaml.safe_load(path.read_text())["steps"]
    image = photo()
    before = image.copy()
    image.setflags(write=False)
    one, other = Policy(steps, SMALL), Policy(steps, SMALL)
    first = [digest(one(image, seed)) for seed in range(20)]
    np.random.default_rng(5).random(10)
    np.random.seed(1)
    for seed in (99, 7, 3):
        other(image, seed)
    assert [digest(other(image, seed)) for seed in reversed(range(20))][::-1] == first
    copied = pickle.loads(pickle.dumps(one))
    assert [digest(copied(image, seed)) for seed in range(20)] == first
    np.testing.assert_array_equal(image, before)
    if steps:
        assert len(set(first)) > 15
    else:
        assert set(first) == {digest(SMALL(image))}


def test_another_process_gives_the_same_pixels() -> None:
    steps = config("heavy")["steps"]
    expected = [digest(Policy(steps, SMALL)(photo(), seed)) for seed in (0, 5, 2**63)]
    program = """
import sys, hashlib, pickle
policy, image = pickle.load(sys.stdin.buffer)
for seed in (0, 5, 2**63): print(hashlib.sha256(policy(image, seed).tobytes()).hexdigest())
import torch
from albumentations.pytorch import ToTensorV2
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps((Policy(steps, SMALL), photo())),
        capture_output=True,
        timeout=120,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert done.stdout.decode().split() == expected
    assert done.stderr == b""


def test_a_forked_worker_gives_the_same_pixels() -> None:
    policy = Policy(config("standard")["steps"], SMALL)
    expected = digest(policy(photo(), 11))
    policy(photo(), 12)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, digest(policy(photo(), 11)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        assert pipe.read() == expected


def test_nested_groups_share_the_seed() -> None:
    inner = {"SomeOf": {"n": 1, "transforms": [{"GaussNoise": {"p": 1.0}}, {"Rotate": {"p": 1.0}}]}}
    steps = [{"OneOf": {"p": 1.0, "transforms": [{"Sequential": {"transforms": [inner]}}, "Blur"]}}]
    policy = Policy(steps, SMALL)
    first = [digest(policy(photo(), seed)) for seed in range(12)]
    assert [digest(Policy(steps, SMALL)(photo(), seed)) for seed in range(12)] == first
    assert len(set(first)) > 4


def test_steps_without_a_size_see_the_final_pixels() -> None:
    policy = Policy([{"HorizontalFlip": {"p": 1.0}}], SMALL)
    np.testing.assert_array_equal(policy(photo(), 0), SMALL(photo())[:, ::-1])
    assert policy.decode_side() == 32
    boxed = Preprocess(size=32, resize="crop")
    assert Policy([], boxed).decode_side() == boxed.decode_side


@pytest.mark.parametrize(
    "step",
    [
        "RandomResizedCrop",
        {"RandomSizedCrop": {"min_max_height": [20, 50]}},
        "RandomCrop",
        "CenterCrop",
        "Resize",
        "SmallestMaxSize",
        "LongestMaxSize",
        "PadIfNeeded",
        {"RandomCrop": {"height": 20, "width": 50}},
    ],
)
def test_sizes_left_out_are_the_models(step: Any) -> None:
    policy = Policy([step], SMALL)
    assert policy(photo(), 0).shape == (32, 32, 3)
    assert policy.decode_side() == 64


def test_a_whole_crop_is_squash() -> None:
    steps = [{"RandomResizedCrop": {"scale": [1.0, 1.0], "ratio": [4 / 3, 4 / 3]}}]
    np.testing.assert_array_equal(Policy(steps, SMALL)(photo(), 0), SMALL(photo()))


NEEDS = {
    "Crop": {"x_max": 20, "y_max": 20},
    "CropAndPad": {"percent": 0.1},
    "GridElasticDeform": {"num_grid_xy": [4, 4], "magnitude": 5},
    "RandomSizedCrop": {"min_max_height": [20, 50]},
    "XYMasking": {"num_masks_x": 1, "num_masks_y": 1, "mask_x_length": 9, "mask_y_length": 9},
}


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_offered_step_runs_and_repeats(name: str) -> None:
    steps = [{name: {**NEEDS.get(name, {}), "p": 1.0}}]
    image = photo()
    image.setflags(write=False)
    one, other = Policy(steps, SMALL), Policy(steps, SMALL)
    first = [digest(one(image, seed)) for seed in range(2)]
    assert [digest(other(image, seed)) for seed in (1, 0)][::-1] == first


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            ["HorizontalFlop"],
            "unknown augmentation step 'HorizontalFlop'; did you mean 'HorizontalFlip'?",
        ),
        (
            [{"OneOf": {"transforms": ["Blurr"]}}],
            "unknown augmentation step 'Blurr'; did you mean 'Blur'?",
        ),
        (["__class__"], "unknown augmentation step '__class__'"),
        (
            ["Normalize"],
            "augmentation step 'Normalize' is not available: normalisation runs on the device",
        ),
        (["Lambda"], "augmentation step 'Lambda' is not available: a policy is plain data"),
        (
            [{"Rotate": {"limt": 3}}],
            "augmentation step 'Rotate': unknown parameter 'limt'; did you mean 'limit'?",
        ),
        (
            [{"Blur": {"zzz": 1}}],
            "augmentation step 'Blur': unknown parameter 'zzz' (one of blur_limit, p)",
        ),
        (
            [{"HorizontalFlip": {"p": 2}}],
            "augmentation step 'HorizontalFlip': 'p' = 2: should be less than or equal to 1",
        ),
        (
            [{"RandomResizedCrop": {"scale": [3, 1]}}],
            "augmentation step 'RandomResizedCrop': 'scale' = (3, 1): "
            "All values in (3.0, 1.0) must be >= 0 and <= 1",
        ),
        (
            ["RandomSizedCrop"],
            "augmentation step 'RandomSizedCrop': parameter 'min_max_height' is required",
        ),
        (
            [{"SomeOf": {"n": 3, "transforms": ["Blur"]}}],
            "augmentation step 'SomeOf': 'n' must be 1 to 1, not 3",
        ),
        (
            [{"OneOf": {"p": "x", "transforms": ["Blur"]}}],
            "augmentation step 'OneOf': 'p' must be 0 to 1, not 'x'",
        ),
        ([{"OneOf": {}}], "augmentation step 'OneOf': 'transforms' needs at least one step"),
        (
            [{"OneOf": {"transforms": [{"Blur": {"p": 0.0}}]}}],
            "augmentation step 'OneOf': every step in it has p = 0",
        ),
        ({"Blur": {}}, "augmentation steps must be a list, not {'Blur': {}}"),
        ("Blur", "augmentation steps must be a list, not 'Blur'"),
        (None, "augmentation steps must be a list, not None"),
        (
            [{"Blur": {}, "Affine": {}}],
            "an augmentation step is 'Name' or {Name: {parameter: value}}, "
            "not {'Blur': {}, 'Affine': {}}",
        ),
        ([{"Blur": 3}], "augmentation step 'Blur': expected parameters, not 3"),
    ],
)
def test_messages(steps: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_policy(steps)
    assert str(caught.value) == message
    assert isinstance(caught.value, UserError)


def test_a_step_that_leaves_rgb_is_refused() -> None:
    policy = Policy([{"ToGray": {"num_output_channels": 1, "p": 1.0}}], SMALL)
    with pytest.raises(
        ConfigError, match=r"^augmentation step 'ToGray' must return uint8 RGB, not"
    ):
        policy(photo(), 0)


def test_a_step_that_fails_on_a_photo_is_named() -> None:
    policy = Policy([{"Crop": {"x_min": 50, "x_max": 90, "y_max": 20, "p": 1.0}}], SMALL)
    with pytest.raises(ConfigError, match=r"^augmentation step 'Crop' failed on a 32 x 32 image: "):
        policy(photo(), 0)


def test_names_are_albumentations_own() -> None:
    import albumentations

    assert all(hasattr(albumentations, name) for name in STEPS | GROUPS)


def test_imports_stay_light() -> None:
    program = """
import sys
import osprey.augmentation
from osprey.imaging import Preprocess
from osprey.augmentation import Policy, check_policy
Policy([], Preprocess(size=32))
assert not {'torch', 'albumentations'} & set(sys.modules), 'at import'
try: check_policy(['Blurr'])
except Exception: pass
assert 'albumentations' not in sys.modules, 'for a wrong name'
check_policy(['Blur'])
assert 'torch' not in sys.modules, 'for a check'
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
