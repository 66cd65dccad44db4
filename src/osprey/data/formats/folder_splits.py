"""Splits of photos with boxes that nothing but the names of their folders says."""

from __future__ import annotations

from osprey.data.formats.table import Collector
from osprey.data.notices import Guess
from osprey.data.split_names import SplitNames


def split_by_folders(found: Collector) -> None:
    """Take folders such as ``train2017`` and ``val2017`` for splits, where no photo has one.

    Args:
        found: The photos; a line is appended that says which folders were taken.
    """
    if any(image.get("split") for image in found.images):
        return
    names = SplitNames(found.options.split_names)
    folders = sorted({part for i in found.images for part in i["file"].split("/")[:-1]})
    like = {folder: split for folder in folders if (split := names.sure(folder))}
    like |= names.of_folders(folders)
    if "train" not in like.values() or len(set(like.values())) < 2:
        return
    for image in found.images:
        of = {like[part] for part in image["file"].split("/")[:-1] if part in like}
        if len(of) == 1:
            image["split"] = of.pop()
    said = ", ".join(f"'{folder}' as {split}" for folder, split in like.items())
    none = ", ".join(f"{folder}: none" for folder in like)
    how = "" if found.options.converting else f" (data.split_names='{{{none}}}' does not)"
    found.notices.append(Guess(f"folders taken as splits: {said}{how}"))
