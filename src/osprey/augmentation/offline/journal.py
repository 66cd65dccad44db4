"""The record of an output folder of copies, and the label file written from it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from osprey.data.balance import balancing_weights
from osprey.data.box_column import label_photos
from osprey.data.folder_journal import FolderJournal
from osprey.data.manifest import Manifest
from osprey.system.files import write_csv

SETTINGS = "augment.json"
FAILURES = "failures.csv"  # photos that cannot be read, in the output folder
COLUMNS = ("path", "label", "weight", "source", "variant")
_BOXES = ("width", "height", "boxes")


class AugmentJournal(FolderJournal):
    """Rows by ``status``: ``original``, ``copy``, ``nothing`` written, ``failure`` to read."""

    settings_file = SETTINGS
    verb = "augment"
    doing = "augmenting"

    def label_table(
        self, manifest: Manifest, further: Sequence[str], *, by_group: bool
    ) -> pd.DataFrame:
        """The new label file: what was written, in the order of the photos.

        Args:
            manifest: The photos.
            further: Columns of theirs that are kept.
            by_group: Weights even out groups within a class, too.

        Returns:
            `COLUMNS`; ``split`` where it is known, then ``further``, then ``width``, ``height`` and
            ``boxes`` where there are boxes. Photos in val or test weigh 1.
        """
        known = manifest.table.set_index("path")
        order = {path: number for number, path in enumerate(known.index)}
        rows = sorted(
            self.of("original", "copy"), key=lambda row: (order[row["source"]], row["variant"])
        )
        table = pd.DataFrame(rows, columns=["path", "source", "variant", *_BOXES])
        boxed = "boxes" in manifest.table
        if boxed:
            table = label_photos(table)
        else:
            table = table.drop(columns=list(_BOXES))
            table["label"] = table["source"].map(known["label"])
        table["split"] = table["source"].map(known["split"])
        table["weight"] = 1.0
        train = table["split"].isin(["", "train"])
        evened = [table["label"][train].tolist()]
        if by_group:
            evened.append(table["source"].map(known["group"])[train].tolist())
        table.loc[train, "weight"] = balancing_weights(evened)
        kept = [name for name in further if name not in table]
        for name in kept:
            table[name] = table["source"].map(known[name])
        splits = ["split"] if (table["split"] != "").any() else []
        return table[[*COLUMNS, *splits, *kept, *(_BOXES if boxed else ())]]

    def write_failures(self) -> None:
        """Write failures.csv, photos that cannot be read with the reason, or remove an old one."""
        target = self.folder / FAILURES
        rows = [(row["source"], row["failure"]) for row in self.of("failure")]
        if not rows:
            target.unlink(missing_ok=True)
            return
        write_csv(target, ("source", "failure"), rows, line_end="\n", fixed=True)
