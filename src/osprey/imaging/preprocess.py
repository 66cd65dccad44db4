"""From a decoded photo to model input, stored with every checkpoint and bundle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from osprey.errors import UserError, nearest
from osprey.imaging.boxes import Placement
from osprey.imaging.decode import read_image
from osprey.imaging.resize import resized

RESIZE_MODES = ("squash", "crop", "letterbox")
_PADDING_GREY = 114  # About the mean of natural photos, so borders carry no strong edge.


@dataclass(frozen=True)
class Preprocess:
    """How one photo becomes a square model input, in training, validation and production alike.

    Attributes:
        size: Side of the input in pixels, 8 to 4096.
        resize: ``squash`` scales both sides to ``size``; ``crop`` scales the short side to ``size /
            crop_pct`` and keeps the centre; ``letterbox`` keeps everything and the aspect ratio,
            and pads with grey.
        mean: Per RGB channel, of pixels scaled to 0..1.
        std: Per RGB channel, of pixels scaled to 0..1, 0.001 to 10.
        crop_pct: Fraction of the short side that ``crop`` keeps, 0.1 to 1.
        value_range: Samples of more than 8 bits that `decode` makes black and white, or None.

    Raises:
        UserError: On construction, when a value is of the wrong type or out of range.
    """

    size: int
    resize: str = "squash"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    crop_pct: float = 0.875
    value_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Check every field; lists, as YAML and JSON give them, become tuples."""
        if type(self.size) is not int or not 8 <= self.size <= 4096:
            raise UserError(f"preprocess: size must be a whole number 8 to 4096, not {self.size!r}")
        if self.resize not in RESIZE_MODES:
            hint = nearest(str(self.resize), RESIZE_MODES)
            valid = ", ".join(RESIZE_MODES)
            raise UserError(f"preprocess: unknown resize {self.resize!r}{hint} (one of {valid})")
        object.__setattr__(self, "mean", _three("mean", self.mean, 0.0, 1.0))
        object.__setattr__(self, "std", _three("std", self.std, 0.001, 10.0))
        object.__setattr__(self, "crop_pct", _number("crop_pct", self.crop_pct, 0.1, 1.0))
        if self.value_range is not None:
            object.__setattr__(self, "value_range", _range(self.value_range))

    @property
    def decode_side(self) -> int:
        """The ``min_side`` for `decode`: the smallest short side that loses no detail in use."""
        return self._crop_side if self.resize == "crop" else self.size

    def open(self, path: Path) -> NDArray[np.uint8]:
        """Read one photo at the smallest scale that loses no detail; see `read_image`."""
        return read_image(path, min_side=self.decode_side, value_range=self.value_range)

    @property
    def _crop_side(self) -> int:
        return max(self.size, round(self.size / self.crop_pct))

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize one photo to the model's input.

        Args:
            image: uint8 [H, W, 3], RGB, any H and W from 1 on.

        Returns:
            Contiguous uint8 [size, size, 3]; the input itself where nothing had to change.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(f"expected uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
        if self.resize == "crop":
            return self._crop(image)
        if self.resize == "letterbox":
            return self._letterbox(image)
        return resized(image, self.size, self.size)

    def place(self, height: int, width: int) -> Placement:
        """Where a photo of ``height`` x ``width`` pixels lies in the input.

        With ``crop`` it extends beyond the input. For a photo decoded at a reduced scale this is
        accurate to one pixel of the smaller photo.
        """
        if self.resize == "crop":
            top, left, keep_height, keep_width = self._kept(height, width)
            new_height, new_width = self._crop_sides(keep_height, keep_width)
            scale_x, scale_y = new_width / keep_width, new_height / keep_height
            right, down = (new_width - self.size) // 2, (new_height - self.size) // 2
            return Placement(scale_x, scale_y, -right - left * scale_x, -down - top * scale_y)
        if self.resize == "letterbox":
            top, left, new_height, new_width = self._letterbox_place(height, width)
            return Placement(new_width / width, new_height / height, left, top)
        return Placement(self.size / width, self.size / height, 0, 0)

    def normalise(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return ``(x / 255 - mean) / std`` of uint8 [N, H, W, 3] as float32 [N, 3, H, W]."""
        scale = 1.0 / (255.0 * np.asarray(self.std, dtype=np.float64))
        shift = np.asarray(self.mean, dtype=np.float64) / np.asarray(self.std, dtype=np.float64)
        out = np.multiply(
            batch.transpose(0, 3, 1, 2),
            scale.astype(np.float32)[:, None, None],
            dtype=np.float32,
            order="C",
        )
        out -= shift.astype(np.float32)[:, None, None]
        return cast("NDArray[np.float32]", out)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists, for JSON, YAML and checkpoints."""
        plain = {**asdict(self), "mean": list(self.mean), "std": list(self.std)}
        if self.value_range is None:  # read by any Osprey
            del plain["value_range"]
            return plain
        return {**plain, "value_range": list(self.value_range)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preprocess:
        """Rebuild from `to_dict`'s output, which may come from an untrusted file.

        Raises:
            UserError: Unless exactly the known keys are there, each of the right type and range;
                ``value_range`` may be missing.
        """
        if not isinstance(data, Mapping):
            raise UserError(f"preprocess: expected a mapping, not {type(data).__name__}")
        names = [field.name for field in fields(cls)]
        for key in data:
            if key not in names:
                raise UserError(f"preprocess: unknown key {key!r}{nearest(str(key), names)}")
        missing = [name for name in names if name not in data and name != "value_range"]
        if missing:
            raise UserError(f"preprocess: {', '.join(missing)} missing")
        return cls(**data)

    def _crop_sides(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that ``crop`` resizes to, of which it keeps the middle."""
        scale = self._crop_side / min(height, width)
        return (
            max(self._crop_side, round(height * scale)),
            max(self._crop_side, round(width * scale)),
        )

    def _kept(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of what ``crop`` resizes.

        A sliver would be enlarged to gigabytes; only its middle can survive the crop anyway.
        """
        if max(self._crop_sides(height, width)) <= 8 * self._crop_side:
            return 0, 0, height, width
        most = 8 * min(height, width)
        new_height, new_width = min(height, most), min(width, most)
        return (height - new_height) // 2, (width - new_width) // 2, new_height, new_width

    def _crop(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        top, left, height, width = self._kept(*image.shape[:2])
        image = image[top : top + height, left : left + width]
        new_height, new_width = self._crop_sides(height, width)
        return np.ascontiguousarray(
            _centre(resized(image, new_width, new_height), self.size, self.size)
        )

    def _letterbox_place(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of the photo in the input."""
        scale = self.size / max(height, width)
        new_height = min(self.size, max(1, round(height * scale)))
        new_width = min(self.size, max(1, round(width * scale)))
        return (self.size - new_height) // 2, (self.size - new_width) // 2, new_height, new_width

    def _letterbox(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        top, left, height, width = self._letterbox_place(*image.shape[:2])
        small = resized(image, width, height)
        if small.shape[0] == small.shape[1] == self.size:
            return small
        canvas = np.full((self.size, self.size, 3), _PADDING_GREY, dtype=np.uint8)
        canvas[top : top + height, left : left + width] = small
        return canvas


def _centre(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"preprocess: {name} must be a number, not {value!r:.40}")
    if not math.isfinite(value) or not low <= value <= high:
        raise UserError(f"preprocess: {name} must be {low:g} to {high:g}, not {value!r:.40}")
    return float(value)


def _three(name: str, values: object, low: float, high: float) -> tuple[float, float, float]:
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != 3:
        raise UserError(f"preprocess: {name} must be three numbers (R, G, B), not {values!r:.60}")
    red, green, blue = (_number(name, value, low, high) for value in values)
    return red, green, blue


def _range(values: object) -> tuple[float, float]:
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != 2:
        raise UserError(f"preprocess: value_range must be two numbers, not {values!r:.60}")
    low, high = (_number("value_range", value, -1e30, 1e30) for value in values)
    if not low < high:
        raise UserError(f"preprocess: value_range must rise, not {values!r:.60}")
    return low, high
