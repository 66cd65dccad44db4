"""Sets of Hugging Face in Parquet files, as tests write and read them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from osprey.config.schema import DataConfig
from osprey.data.manifest import Manifest
from osprey.data.readers import read_manifest

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

NAMES = ["healthy", "rust", "spot"]
CELL = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def photo(shade: int, kind: str = "JPEG", size: tuple[int, int] = (24, 16)) -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.new("RGB", size, (shade % 256, 90, shade // 256)).save(buffer, kind)
    return {"bytes": buffer.getvalue(), "path": None}


def written(file: Path, columns: dict[str, Any], features: dict[str, Any] | None) -> None:
    """A Parquet file as `datasets` writes it, its types in the metadata."""
    table = pa.table(columns)
    if features is not None:
        said = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": said})
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, file)


LEAVES = {
    "image": {"_type": "Image"},
    "labels": {"names": NAMES, "_type": "ClassLabel"},
}


def read(root: Path, place: Path, **said: Any) -> tuple[Manifest, list[str]]:
    notices: list[str] = []
    columns = {k: k for k in ("path", "label", "split", "group", "weight")} | said.pop(
        "columns", {}
    )
    config = DataConfig(
        name="beans",
        reader="huggingface",
        root=str(root),
        unpacked=str(place),
        columns=columns,
        **said,
    )
    return read_manifest(config, notices), notices
