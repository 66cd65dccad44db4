"""Photos with their detections drawn on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osprey.data.folders import DRAWN, outside
from osprey.data.naming import unique_stems
from osprey.errors import UserError
from osprey.imaging import read_image
from osprey.imaging.boxes import Detections
from osprey.imaging.deep import Range
from osprey.imaging.drawing import draw_boxes
from osprey.imaging.encode import jpeg_bytes
from osprey.system.outputs import own_path, refuse_existing


class Pictures:
    """Writes annotated photos, in the same subfolders as the photos.

    Args:
        target: The folder to write to.
        photos: All photos.
        root: The folder they come from; None for a single photo.
        force: Replace files that Osprey did not write.

    Attributes:
        value_range: Of the model, see `osprey.imaging.decode`; photos are drawn as it sees them.

    Raises:
        UserError: Pictures would be written among the photos of that folder, or replace files that
            Osprey did not write.
    """

    def __init__(
        self, target: Path, photos: Sequence[Path], root: Path | None, *, force: bool = False
    ) -> None:
        self.force = force
        self.value_range: Range | None = None
        one = photos[0]
        # In the photo's own folder the picture gets another name.
        beside = root is None and target.resolve() in (one.parent.resolve(), one.resolve().parent)
        ending = DRAWN if beside else ".jpg"
        above = one.parent if root is None else root
        self.files = {
            photo: target / name.relative_to(above).with_name(f"{name.name}{ending}")
            for photo, name in unique_stems(photos).items()
        }
        if root is not None:
            folders = {file.parent for file in self.files.values()}
            outside([target, *sorted(folders)], root, photos, "--save-dir")
        refuse_existing(self.files.values(), "--save-dir", force=force)

    def is_there(self, photo: Path, entry: Mapping[str, Any]) -> bool:
        """Whether an answer's picture was written and still is there.

        Args:
            photo: One of the photos.
            entry: As of `BoxTable.entry`; a photo that could not be read has no picture.
        """
        return "failure" in entry["said"] or self.files[photo].is_file()

    def draw(
        self,
        photo: Path,
        found: Detections,
        texts: Sequence[str],
        pixels: NDArray[np.uint8] | None = None,
    ) -> None:
        """Write one picture.

        Args:
            photo: One of the photos.
            found: The detections to draw.
            texts: The label of each box.
            pixels: uint8 [H, W, 3], the photo, if it is decoded already.

        Raises:
            UnreadableImage: The photo cannot be decoded.
            UserError: The picture cannot be written, or would replace a file that Osprey did not
                write.
        """
        if pixels is None:
            pixels = read_image(photo, value_range=self.value_range)
        picture = draw_boxes(pixels, found.boxes, texts, found.labels.tolist())
        file = self.files[photo]
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with own_path(file, "--save-dir", force=self.force) as partial:
                partial.write_bytes(jpeg_bytes(picture))
        except OSError as error:
            raise UserError(f"--save-dir: cannot write '{file}' ({error.strerror})") from None
