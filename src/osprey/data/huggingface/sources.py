"""Where the rows of a Hugging Face set come from: Parquet files of a folder, or the hub."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osprey.data.manifest import SPLIT_NAMES, SPLITS
from osprey.data.stamps import file_stamps
from osprey.errors import DataError
from osprey.imaging.decode_errors import one_line

_AT_ONCE = 64  # rows that are in memory together
EXTRA = "pip install 'osprey-vision[huggingface]'"


@dataclass(frozen=True)
class Part:
    """One split's rows.

    Attributes:
        split: ``train``, ``val``, ``test`` or empty.
        name: What the source calls it.
        features: Types of the columns as ``datasets`` writes them; empty where not known.
        rows: Iterates over them; a photo is ``{"bytes", "path"}`` or bytes.
        root: Folder that paths of photos are relative to.
        inside: Whether photos must lie under it.
    """

    split: str
    name: str
    features: Mapping[str, Any]
    rows: Iterable[dict[str, Any]]
    root: Path
    inside: bool = True


def split_of(name: str) -> str:
    """The split that a file, folder or part is called after; empty for any other name."""
    word = name.lower().replace(".", "-").replace("_", "-").partition("-")[0]
    return SPLIT_NAMES.get(word, "")


# ---------------------------------------------------------------- a folder


def parquet_files(root: Path) -> list[Path]:
    """The Parquet files under a folder, in a fixed order.

    Raises:
        DataError: There is none.
    """
    found = sorted(path for path in root.rglob("*.parquet") if path.is_file())
    if not found and next(root.rglob("*.arrow"), None) is not None:
        raise DataError(
            f"data.root: '{root}' holds Arrow files, as save_to_disk writes them: write each split "
            "with to_parquet('FOLDER/SPLIT.parquet')"
        )
    if not found:
        raise DataError(
            f"data.root: there is no Parquet file under '{root}'; leave data.root out for a set of "
            "the hub, data.name=NAME"
        )
    return found


def holds_photos(root: Path) -> bool:
    """Whether the first Parquet file under a folder has a column of photos."""
    places = (root, *(root / name for name in ("data", "default", "train")))
    file = next((f for place in places for f in sorted(place.glob("*.parquet"))), None)
    if file is None:
        return False
    try:
        import pyarrow.parquet as parquet

        schema = parquet.ParquetFile(file).schema_arrow
    except Exception:  # pyarrow is not there, or its own kinds of errors
        return False
    cells = [field.type for field in schema]
    structs = [{f.name for f in kind} for kind in cells if str(kind).startswith("struct")]
    return {"bytes", "path"} in structs


def subsets_line(root: Path, files: Iterable[Path]) -> str:
    """Says that the files are those of several subsets; "" if they are not.

    A subset is a folder; one that is called after a split, or ``data``, is none of its own.
    """
    parents = [file.relative_to(root).parent.parts for file in files]
    subsets = {"/".join(p for p in parts if p != "data" and not split_of(p)) for parts in parents}
    if len(subsets) < 2:
        return ""
    names = " and ".join(f"'{name or '.'}'" for name in sorted(subsets)[:3])
    one = shlex.quote(str(root / max(subsets)))
    return (
        f"Parquet files of {len(subsets)} folders are read as one set: {names} "
        f"(data.root={one} reads one alone)"
    )


def files_key(root: Path, files: Iterable[Path]) -> str:
    """Changes when one of the files does."""
    stamps = file_stamps(root, [file.relative_to(root).as_posix() for file in files])
    where = str(root.resolve()).encode("utf-8", "surrogateescape")
    return hashlib.sha256(stamps.tobytes() + where).hexdigest()[:16]


def parquet_parts(root: Path, files: Iterable[Path]) -> Iterator[Part]:
    """Each file's rows.

    Raises:
        DataError: A file is no Parquet, or pyarrow is not installed.
    """
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise DataError(f"data=huggingface needs an extra: {EXTRA}") from None
    for split, file in sorted((_split_in(root, file), file) for file in files):
        try:
            table = parquet.ParquetFile(file)
        except Exception as error:  # pyarrow's own kinds
            why = one_line(" ".join(str(error).split())[:100])
            raise DataError(f"'{file}' is not a Parquet file ({why})") from None
        yield Part(
            split.partition(" ")[2], file.stem, _features(table.schema_arrow), _rows(table), root
        )


def _split_in(root: Path, file: Path) -> str:
    """The split that a file or a folder above it is called after, with its place in the order."""
    above = [file.stem, *(p.name for p in file.relative_to(root).parents)]
    split = next((found for found in map(split_of, above) if found), "")
    return f"{SPLITS.index(split) if split else 0} {split}"


def _rows(table: Any) -> Iterator[dict[str, Any]]:
    for batch in table.iter_batches(batch_size=_AT_ONCE):
        yield from batch.to_pylist()


def _features(schema: Any) -> Mapping[str, Any]:
    try:
        said = json.loads((schema.metadata or {})[b"huggingface"])
        features = said["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return features if isinstance(features, dict) else {}


# ---------------------------------------------------------------- the hub


def hub_parts(name: str) -> Iterator[Part]:
    """Each split's rows of a set of the hub; none of its code is run.

    Args:
        name: As on the hub, ``USER/SET``; a subset of it after a colon.

    Raises:
        DataError: There is no such set, no network, or ``datasets`` is not installed.
    """
    # Nobody is told that a set is used.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import datasets
    except ImportError:
        raise DataError(f"data=huggingface needs an extra: {EXTRA}") from None
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    whole, _, subset = name.partition(":")
    try:
        found = datasets.load_dataset(whole, subset or None)
    except Exception as error:  # of the hub's, of requests', of datasets' own kinds
        raise DataError(f"data=huggingface: {_why(whole, error)}") from None
    for split, part in found.items():
        features = part.features.to_dict()
        rows = part.with_format("arrow").iter(batch_size=_AT_ONCE)
        yield Part(split_of(split), split, features, _flat(rows), Path("/"), inside=False)


def _flat(batches: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from batch.to_pylist()


def _why(name: str, error: Exception) -> str:
    """Why a set cannot be had."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    text = one_line(" ".join(str(error).split())[:160])
    if kinds & {"ConnectionError", "OfflineModeIsEnabled", "ConnectError", "Timeout"}:
        return (
            f"'{name}' cannot be fetched, there is no network: data.root=FOLDER reads the set's "
            "Parquet files from a folder"
        )
    if "DatasetNotFoundError" in kinds:
        return f"the hub has no set '{name}' that may be read without a login"
    if "scripts are no longer supported" in text:
        return f"'{name}' is a program, not data, and no code of the hub's is run here"
    return f"'{name}' cannot be read ({type(error).__name__}: {text})"
