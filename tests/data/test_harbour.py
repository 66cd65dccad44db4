from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osprey.data.harbour import (
    CLASSES,
    FLEET,
    RENDERER_VERSION,
    Boat,
    Move,
    Photo,
    draw_fish,
    generate,
    render_clip,
    render_harbour,
    render_photo,
)
from osprey.errors import UserError

COUNT = 96
SMALL = {"seed": 3, "count": COUNT, "width": 64, "height": 48}
ATTRIBUTES = {"length", "deck", "light"}


def files_of(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def assert_sound(photo: Photo, label: str, width: int, height: int) -> None:
    assert photo.image.shape == (height, width, 3)
    assert photo.image.dtype == np.uint8
    assert photo.image.std() > 1
    assert bool(photo.boxes) == (label != "NoF")
    for name, x, y, w, h in photo.boxes:
        assert name == label
        assert w > 0 and h > 0
        assert x >= 0 and x + w <= width
        assert y >= 0 and y + h <= height
    assert set(photo.attributes) == ATTRIBUTES
    assert photo.attributes["light"] in {"day", "dusk", "night"}
    lengths = {"absent"} if label == "NoF" else {"short", "medium", "long"}
    assert photo.attributes["length"] in lengths


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield render_harbour(tmp_path_factory.mktemp("sea") / "deep" / "set", **SMALL)


@pytest.fixture(scope="module")
def table(root: Path) -> pd.DataFrame:
    return pd.read_csv(root / "manifest.csv", dtype=str)


def test_same_arguments_give_the_same_bytes_and_another_seed_does_not(
    root: Path, tmp_path: Path
) -> None:
    again = files_of(render_harbour(tmp_path / "again", **SMALL))
    assert again == files_of(root)
    other = files_of(render_harbour(tmp_path / "other", **{**SMALL, "seed": 4}))
    assert other["manifest.csv"] != again["manifest.csv"]
    assert set(other.values()).isdisjoint(
        data for name, data in again.items() if name.endswith(".jpg")
    )


def test_the_manifest_names_every_photo_once(root: Path, table: pd.DataFrame) -> None:
    assert list(table.columns) == [
        "path", "split", "label", "group", "length", "deck", "light", "burst",
    ]  # fmt: skip
    assert len(table) == COUNT
    assert not table.isna().any(axis=None)
    photos = {name for name in files_of(root) if name.endswith(".jpg")}
    assert photos == set(table["path"])
    assert all(f"images/{g}/" in p for g, p in zip(table["group"], table["path"], strict=True))
    for name in table["path"][:5]:
        assert cv2.imread(str(root / name)).shape == (48, 64, 3)


def test_every_class_is_in_every_split_and_no_boat_or_burst_in_two(table: pd.DataFrame) -> None:
    counts = pd.crosstab(table["label"], table["split"])
    assert tuple(counts.index) == CLASSES
    assert set(counts.columns) == {"train", "val", "test"}
    assert (counts > 0).all(axis=None)
    assert (table.groupby("group")["split"].nunique() == 1).all()
    bursts = table.groupby("burst")
    assert (bursts[["split", "label", "group"]].nunique() == 1).all(axis=None)
    assert bursts.size().max() == 3


@pytest.mark.parametrize("count", [generate.SMALLEST, 150, 1600])
def test_class_counts_follow_the_real_catch(count: int) -> None:
    counts = generate.class_counts(count)
    assert sum(counts.values()) == count
    assert max(counts, key=lambda label: counts[label]) == "ALB"
    assert min(counts.values()) == min(40, max(4, count // 24))
    if count == 1600:
        assert 0.4 < counts["ALB"] / count < 0.5
        shots = pd.DataFrame(
            [(s.label, s.boat.split) for s in generate._shots(np.random.default_rng(0), count)],
            columns=["label", "split"],
        )
        assert 0.55 < (shots["split"] == "train").mean() < 0.7
        assert pd.crosstab(shots["label"], shots["split"]).to_numpy().min() >= 4


def test_boxes_are_coco_and_lie_inside_the_photos(root: Path, table: pd.DataFrame) -> None:
    coco = json.loads((root / "boxes.json").read_text())
    names = {category["id"]: category["name"] for category in coco["categories"]}
    assert set(names.values()) == set(CLASSES) - {"NoF"}
    labels = dict(zip(table["path"], table["label"], strict=True))
    files = {image["id"]: image["file_name"] for image in coco["images"]}
    assert set(files.values()) == set(labels)
    for box in coco["annotations"]:
        x, y, w, h = box["bbox"]
        assert w > 0 and h > 0 and x >= 0 and y >= 0 and x + w <= 64 and y + h <= 48
        assert labels[files[box["image_id"]]] == names[box["category_id"]]
    boxed = {files[box["image_id"]] for box in coco["annotations"]}
    assert boxed == {path for path, label in labels.items() if label != "NoF"}
    assert len({box["id"] for box in coco["annotations"]}) == len(coco["annotations"])


def test_a_second_call_writes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    monkeypatch.setattr(generate, "_render", lambda *_: pytest.fail("rendered again"))
    assert render_harbour(root, **SMALL) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    render_harbour(tmp_path, **{**SMALL, "count": generate.SMALLEST})
    assert (tmp_path / "manifest.csv").is_file()


@pytest.mark.parametrize("kind", ["folder", "file", "foreign meta"])
def test_anything_else_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    there = tmp_path / "there"
    if kind == "file":
        there.write_text("mine")
    else:
        there.mkdir()
        (there / ("notes.txt" if kind == "folder" else "meta.json")).write_text("[1]")
    before = files_of(tmp_path)
    with pytest.raises(UserError) as refused:
        render_harbour(there, **SMALL)
    assert str(refused.value) == (
        f"{there} exists and is not a harbour set; name a folder that does not exist yet"
    )
    assert files_of(tmp_path) == before


def test_a_set_with_other_arguments_is_refused(root: Path) -> None:
    before = files_of(root)
    with pytest.raises(UserError) as refused:
        render_harbour(root, **{**SMALL, "seed": 5, "width": 80})
    assert str(refused.value) == (
        f"{root} holds a harbour set with seed=3 not 5, width=64 not 80: "
        "name another folder with data.root=FOLDER, or delete it"
    )
    assert files_of(root) == before
    assert json.loads(before["meta.json"])["renderer"] == RENDERER_VERSION


@pytest.mark.parametrize("name", ["manifest.csv", "boxes.json", "photo"])
def test_a_set_with_files_missing_is_refused(tmp_path: Path, name: str) -> None:
    small = {**SMALL, "count": generate.SMALLEST}
    there = render_harbour(tmp_path / "set", **small)
    (next(there.rglob("*.jpg")) if name == "photo" else there / name).unlink()
    with pytest.raises(UserError) as refused:
        render_harbour(there, **small)
    assert str(refused.value) == (
        f"{there} holds a harbour set of which files are missing; delete it to render it again"
    )


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("seed", -1, 0), ("count", 47, 48), ("width", 8, 32), ("height", 0, 32)],
)
def test_arguments_out_of_range_are_refused(
    tmp_path: Path, name: str, value: int, least: int
) -> None:
    with pytest.raises(UserError) as refused:
        render_harbour(tmp_path / "set", **{**SMALL, name: value})
    assert str(refused.value) == f"harbour: {name} is {value}; give at least {least}"
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("blow", [KeyboardInterrupt, OSError])
def test_an_interrupted_rendering_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blow: type[BaseException]
) -> None:
    left = iter(range(10))
    jpeg = generate._jpeg

    def fail_after_ten(image: np.ndarray, quality: int) -> bytes:
        if next(left, None) is None:
            raise blow
        return jpeg(image, quality)

    monkeypatch.setattr(generate, "_jpeg", fail_after_ten)
    with pytest.raises(blow):
        render_harbour(tmp_path / "set", **SMALL)
    assert not any(tmp_path.iterdir())


def test_a_set_finished_meanwhile_by_somebody_else_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {**SMALL, "count": generate.SMALLEST}
    render = generate._render

    def overtaken(partial: Path, *arguments: int) -> None:
        monkeypatch.setattr(generate, "_render", render)
        render_harbour(tmp_path / "set", **small)
        render(partial, *arguments)

    monkeypatch.setattr(generate, "_render", overtaken)
    render_harbour(tmp_path / "set", **small)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    boat=st.sampled_from(FLEET),
    label=st.sampled_from(CLASSES),
    size=st.sampled_from([(160, 120), (64, 48), (48, 96), (33, 32)]),
)
def test_any_photo_is_sound(seed: int, boat: Boat, label: str, size: tuple[int, int]) -> None:
    width, height = size
    photo = render_photo(np.random.default_rng(seed), boat, label, width=width, height=height)
    assert_sound(photo, label, width, height)
    assert photo.attributes["deck"] == boat.deck


def test_a_near_copy_is_near_but_no_copy() -> None:
    def of(seed: int, move: Move | None) -> np.ndarray:
        photo = render_photo(np.random.default_rng(seed), FLEET[0], "YFT", move=move)
        return photo.image.astype(float)

    first, again, other = of(1, None), of(1, Move(0.01, 0.01, 2.0, grain=1)), of(2, None)
    assert 0 < np.abs(first - again).mean() < np.abs(first - other).mean() / 2


def test_a_fish_has_premultiplied_alpha_and_an_unknown_label_is_an_error() -> None:
    for label in set(CLASSES) - {"NoF"}:
        sprite = draw_fish(np.random.default_rng(0), label, 120.0)
        assert sprite.dtype == np.uint8 and sprite.shape[2] == 4
        assert (sprite[..., :3].max(axis=2) <= sprite[..., 3].astype(int) + 2).all()
        assert 0.05 < (sprite[..., 3] > 0).mean() < 0.7
    with pytest.raises(ValueError, match="'NoF'"):
        draw_fish(np.random.default_rng(0), "NoF", 120.0)


@pytest.mark.parametrize("frames", [1, 5, 16])
def test_a_clip_has_labels_and_boxes_for_every_frame(frames: int) -> None:
    for seed in range(4):
        clip = render_clip(seed, frames=frames, width=64, height=48)
        assert clip.frames.shape == (frames, 48, 64, 3)
        assert clip.frames.dtype == np.uint8
        assert len(clip.labels) == len(clip.boxes) == frames
        assert clip.group in {boat.name for boat in FLEET}
        for label, boxes in zip(clip.labels, clip.boxes, strict=True):
            assert label == (clip.label if boxes else "NoF")
            for name, x, y, w, h in boxes:
                assert name == clip.label and w > 0 and h > 0
                assert x >= 0 and x + w <= 64 and y >= 0 and y + h <= 48


def test_clips_repeat_differ_and_show_and_miss_the_fish() -> None:
    clips = [render_clip(seed, width=64, height=48) for seed in range(12)]
    assert (clips[0].frames == render_clip(0, width=64, height=48).frames).all()
    assert (clips[0].frames != clips[1].frames).any()
    seen = [set(clip.labels) for clip in clips if clip.label != "NoF"]
    assert any("NoF" in labels for labels in seen)
    assert all(len(labels - {"NoF"}) == 1 for labels in seen)
