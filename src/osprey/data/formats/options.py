"""What a reader of annotations is told besides where to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Of each setting of ``data``, the option of ``osprey convert`` that says the same.
_OPTIONS = {"file": "--input", "root": "--images", "strict": "--strict", "pixels": "--pixels"}


@dataclass(frozen=True)
class Options:
    """How to read, where a file can be read in more than one way.

    Attributes:
        strict: Stop at annotations of a photo that is not there, instead of counting them.
        pixels: YOLO's numbers are pixels, not fractions.
        origin: Number of the first pixel in VOC's boxes, 0 or 1; None: by the set.
        whole: Keep what only some forms hold (outlines, attributes, ids), to write it again.
        split_names: What names of splits mean, as `SplitNames` takes it.
        converting: Read by ``osprey convert``, whose options messages then name.
    """

    strict: bool = False
    pixels: bool = False
    origin: int | None = None
    whole: bool = False
    converting: bool = False
    split_names: Mapping[str, str] | None = None

    def hint(self, setting: str, value: str = "") -> str:
        """How this command's user says a setting, such as ``data.origin=0`` or ``--origin 0``.

        Args:
            setting: Its name in ``data``.
            value: What to set it to.
        """
        if not self.converting:
            return f"data.{setting}={value}"
        option = _OPTIONS.get(setting, f"--{setting}")
        return option if value == "true" else f"{option} {value}".rstrip()


TRAINING = Options()
