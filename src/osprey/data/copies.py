"""Exact copies of photos, known by their bytes: what belongs together, and what contradicts."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.data.manifest import Manifest
from osprey.errors import DataError
from osprey.system.console import counted

CONTENT = "sha256"  # the manifest's column: SHA-256 of a file's bytes, 64 hexadecimal digits
_PIECE = 65_536  # digests written as text at once
_SHOWN = 3  # photos under two labels that a message names


def with_content(manifest: Manifest, digests: NDArray[np.uint8] | None) -> Manifest:
    """The manifest with its column ``sha256``.

    Args:
        manifest: N samples.
        digests: uint8 [N, 32]. None where no file was read: a column that the source brought
            is left out then, for nobody knows whether it is true of these files.
    """
    table = manifest.table.drop(columns=CONTENT, errors="ignore")
    if digests is None:
        return replace(manifest, table=table)
    # Piece by piece: a list of a million Python strings is several times the column.
    starts = range(0, len(digests), _PIECE)
    pieces = [pd.Series(_hex(digests[start : start + _PIECE])) for start in starts]
    column = pd.concat(pieces).set_axis(table.index) if pieces else ""
    return replace(manifest, table=table.assign(**{CONTENT: column}))


def _hex(digests: NDArray[np.uint8]) -> list[str]:
    text = digests.tobytes().hex()
    return [text[i : i + 64] for i in range(0, len(text), 64)]


def originals(manifest: Manifest) -> NDArray[np.int64] | None:
    """The row of each sample's first copy, its own where it is the first.

    Returns:
        int64 [N]; None where all photos differ, or nothing is known of their bytes.
    """
    if not manifest.knows_content:
        return None
    codes, values = pd.factorize(manifest.table[CONTENT])
    if len(values) == len(codes):
        return None
    first = np.unique(codes, return_index=True)[1][codes]
    return np.asarray(first, dtype=np.int64)


def joined_groups(manifest: Manifest) -> NDArray[np.str_]:
    """Each sample's group, where groups that have a photo in common are one and the same."""
    groups = manifest.table["group"].to_numpy(dtype=str)
    first = originals(manifest)
    if first is None or (across := groups != groups[first]).sum() == 0:
        return groups
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names, codes = np.unique(groups, return_inverse=True)
    pairs = (codes[across], codes[first][across])
    links = coo_array((np.ones(len(pairs[0]), dtype=np.int8), pairs), shape=(len(names),) * 2)
    part = connected_components(links, directed=False)[1]
    lead = np.unique(part, return_index=True)[1]  # of each part the group that comes first
    joined: NDArray[np.str_] = names[lead[part]][codes]
    return joined


def follow_given(manifest: Manifest, split: NDArray[np.object_]) -> NDArray[np.object_]:
    """Samples without a split join the split that is given for a copy of theirs."""
    first = originals(manifest)
    if first is None:
        return split
    given = pd.Series(split).where(split != "")
    known = given.groupby(first).transform("first").fillna("")
    return np.where(split == "", known.to_numpy(dtype=object), split)


def report_copies(manifest: Manifest, notices: list[str]) -> None:
    """Say how many exact copies there are, and whether the user's own split separates some."""
    first = originals(manifest)
    if first is None:
        return
    table = manifest.table
    split, path = table["split"].to_numpy(dtype=object), table["path"].to_numpy(dtype=object)
    copies = np.flatnonzero(first != np.arange(len(first)))
    apart = copies[split[copies] != split[first[copies]]]
    if len(apart):
        parts = table["split"].groupby(first).transform("nunique").to_numpy()
        count = int(((parts > 1) & (split != "train")).sum())
        row = apart[0]
        notices.append(
            f"leaky split: {counted(count, 'photo')} of val or test {_is(count)} also in "
            f"another split, byte for byte, first '{path[first[row]]}' "
            f"({split[first[row]]}) = '{path[row]}' "
            f"({split[row]}): figures will flatter; delete the copies, or cut a clean split with "
            "data.given_split=false"
        )
        return
    row, count = copies[0], len(copies)
    what = (
        "1 photo is an exact copy of another"
        if count == 1
        else f"{count} photos are exact copies of others"
    )
    notices.append(
        f"{what}, first '{path[first[row]]}' = '{path[row]}': copies share a split"
        f"{_other_boxes(manifest, copies, first)}"
    )


def _other_boxes(manifest: Manifest, copies: NDArray[np.intp], first: NDArray[np.int64]) -> str:
    """How many copies have other boxes than the first, of which one lacks what the other shows."""
    if manifest.target.one_label:
        return ""
    boxes = manifest.table["boxes"].to_numpy(dtype=object)
    other = copies[boxes[copies] != boxes[first[copies]]]
    if not len(other):
        return ""
    row, path = other[0], manifest.table["path"].to_numpy(dtype=object)
    pair = f"'{path[first[row]]}' and '{path[row]}'"
    count = counted(len(other), "photo")
    whose = "its copy" if len(other) == 1 else "their copies"
    return f"; {count} with other boxes than {whose}, first {pair}: what one lacks is background"


def resolve_conflicts(manifest: Manifest, how: str, notices: list[str]) -> Manifest:
    """What becomes of a photo whose copies have different labels.

    Args:
        manifest: The samples.
        how: ``refuse``, ``drop`` them all, or ``keep`` them all: ``data.conflicts``.
        notices: Lines worth telling the user are appended here.

    Raises:
        DataError: There are some, and they are to be refused.
    """
    first = originals(manifest) if manifest.target.one_label else None
    if first is None:
        return manifest
    labels = manifest.table["label"]
    torn = (labels.groupby(first).transform("nunique") > 1).to_numpy()
    if not torn.any():
        return manifest
    rows, count = np.flatnonzero(torn), len(np.unique(first[torn]))
    what = f"{counted(count, 'photo')} {_is(count)} under more than one label, byte for byte"
    named = _named(manifest, first, rows)
    if how == "refuse":
        raise DataError(
            f"{what}: {named}; correct the labels, leave all of them out with data.conflicts=drop, "
            "or train on them as they are with data.conflicts=keep"
        )
    if how == "keep":
        notices.append(f"{what}, kept ({len(rows)} files): {named}")
        return manifest
    kept = manifest.where(pd.Series(~torn))
    notices.append(f"left out, {what} ({len(rows)} files): {named}")
    lost = sorted(set(manifest.classes) - set(kept.classes))
    if lost:
        notices.append(f"classes lost, all of their photos have another label: {', '.join(lost)}")
    return kept


def _named(manifest: Manifest, first: NDArray[np.int64], rows: NDArray[np.int64]) -> str:
    """The first few photos under several labels, each with two paths and their labels."""
    table, found = manifest.table, []
    for original in np.unique(first[rows]):
        same = table.iloc[rows[first[rows] == original]].drop_duplicates("label").head(2)
        pairs = zip(same["path"], same["label"], strict=True)
        found.append(" = ".join(f"'{path}' ({label})" for path, label in pairs))
        if len(found) == _SHOWN:
            break
    more = len(np.unique(first[rows])) - len(found)
    return ", ".join(found) + (f" and {more} more" if more else "")


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def changed_photos(manifest: Manifest) -> list[str]:
    """The photos of a manifest that are missing, or no more the bytes that it knows.

    Args:
        manifest: With its column ``sha256``; without one only what is missing is found.

    Returns:
        Their paths.
    """
    known = manifest.table[CONTENT] if manifest.knows_content else [""] * len(manifest.table)
    found = []
    for path, digest in zip(manifest.table["path"], known, strict=True):
        try:
            with (manifest.root / path).open("rb") as file:
                now = hashlib.file_digest(file, "sha256").hexdigest() if digest else ""
        except OSError:
            now = "missing"
        if now != digest:
            found.append(str(path))
    return found
