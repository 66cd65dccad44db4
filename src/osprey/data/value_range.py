"""Which samples of a set's deep photos are black and white: by the setting, or by the set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from osprey.config.schema import DataConfig
from osprey.errors import DataError, UnreadableImage
from osprey.imaging.decode import MAX_PIXELS, read_file
from osprey.imaging.deep import RANGE_16, Levels, Range, levels_of, may_be_deep
from osprey.imaging.formats import HEAD, JPEG2000_SUFFIXES
from osprey.system.console import counted
from osprey.system.memory import cores

_FAR_BELOW = RANGE_16 // 4  # a set of 14 bits or fewer leaves at least two unused
_DEEP_SUFFIXES = (".png", ".tif", ".tiff", ".pgm", ".ppm", ".pnm", *JPEG2000_SUFFIXES)


@dataclass
class Deep:
    """Photos with more than 8 bits a sample.

    Attributes:
        count: How many there are.
        low: Their least sample.
        high: Their largest.
        first: The path of one.
    """

    count: int = 0
    low: float = 0.0
    high: float = 0.0
    first: str = ""

    def add(self, low: float, high: float, path: str, count: int = 1) -> None:
        """Take up a photo, or several."""
        if not count:
            return
        self.low, self.high = (
            (min(self.low, low), max(self.high, high)) if self.count else (low, high)
        )
        self.first = self.first or path
        self.count += count


@dataclass
class SetLevels:
    """The deep photos of a set.

    Attributes:
        whole: Those of unsigned 16-bit samples.
        unknown: Those of which nothing says what is white: floats, 32 bits, signed numbers.
    """

    whole: Deep = field(default_factory=Deep)
    unknown: Deep = field(default_factory=Deep)

    def add(self, levels: Levels, path: str) -> None:
        """Take up a photo."""
        (self.whole if levels.whole else self.unknown).add(levels.low, levels.high, path)

    def join(self, others: Iterable[SetLevels]) -> SetLevels:
        """Take up other parts of the set."""
        for other in others:
            for mine, theirs in ((self.whole, other.whole), (self.unknown, other.unknown)):
                mine.add(theirs.low, theirs.high, theirs.first, theirs.count)
        return self


def photo_levels(data: bytes) -> Levels | None:
    """The range of a photo's samples, None of 8 bits; see `osprey.imaging.deep.levels_of`."""
    return levels_of(data, MAX_PIXELS)


def measure_levels(root: Path, paths: Sequence[str]) -> SetLevels:
    """Read the photos whose ending allows more than 8 bits a sample.

    Args:
        root: Folder the paths are relative to.
        paths: The photos.

    Returns:
        The deep ones' levels; what cannot be read is left out.
    """

    def one(path: str) -> SetLevels:
        found = SetLevels()
        try:
            with (root / path).open("rb") as file:
                if not may_be_deep(file.read(HEAD)):
                    return found
            levels = photo_levels(read_file(root / path))
        except (OSError, UnreadableImage):
            return found
        if levels is not None:
            found.add(levels, path)
        return found

    deep = [path for path in paths if path.lower().endswith(_DEEP_SUFFIXES)]
    with ThreadPoolExecutor(cores()) as pool:
        return SetLevels().join(pool.map(one, deep))


def resolve_range(config: DataConfig, levels: SetLevels, notices: list[str]) -> Range | None:
    """The samples of deep photos that become black and white.

    Args:
        config: The data section of the configuration.
        levels: Of the set's deep photos.
        notices: A line is appended where the set decides.

    Returns:
        ``data.value_range``; the whole bits that a 16-bit set fills, if these are 14 or fewer; or
        None, for the high bytes of 16 bits.

    Raises:
        DataError: There are photos of floats, and no setting says their range.
    """
    if config.value_range is not None:
        return config.value_range[0], config.value_range[1]
    if levels.unknown.count:
        seen = levels.unknown
        raise DataError(
            f"data.value_range is not set, and the samples of {counted(seen.count, 'photo')} such "
            f"as '{seen.first}' have no range of their own (floats, 32 bits or signed numbers): "
            f"name what is black and what is white with data.value_range=[LOW,HIGH]; they are "
            f"{seen.low:g} to {seen.high:g}"
        )
    found = range_of(levels, notices)
    if found is not None:
        white = f"(data.value_range=[0,{found[1]:.0f}])"
        notices[-1] += f" {white}; data.value_range=[0,{RANGE_16}] keeps them dark"
    return found


def range_of(levels: SetLevels, notices: list[str]) -> Range | None:
    """The whole bits that 16-bit photos fill, if these are 14 or fewer; else None.

    Args:
        levels: Of a set's deep photos.
        notices: A line is appended if there are some.
    """
    seen = levels.whole
    if not seen.count or not 0 < seen.high <= _FAR_BELOW:
        return None
    white = float((1 << int(seen.high).bit_length()) - 1)
    notices.append(
        f"16-bit photos: the largest sample of {counted(seen.count, 'photo')} is {seen.high:,.0f} "
        f"of {RANGE_16:,}, so white is {white:,.0f}"
    )
    return 0.0, white


def outside_range(levels: SetLevels, value_range: Sequence[float] | None) -> str:
    """A line where a model that knows no range is shown photos that need one; else empty.

    Args:
        levels: Of photos that it was not trained on.
        value_range: Of the run's ``data.value_range``.
    """
    seen = levels.whole
    if value_range is not None or not seen.count or not 0 < seen.high <= _FAR_BELOW:
        return ""
    return (
        f"16-bit photos: the largest sample of {counted(seen.count, 'photo')} is {seen.high:,.0f} "
        f"of {RANGE_16:,}, and the run was trained without data.value_range: they are nearly black"
    )
