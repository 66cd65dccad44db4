"""Photos' names: each once, and none that leads out of the photos' folder."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath

from osprey.data.formats.parsing import read_lines
from osprey.data.formats.table import Annotations
from osprey.errors import DataError


def check_names(annotations: Annotations) -> None:
    """Check that no photo is listed twice and no name leads out of the photos' folder.

    Args:
        annotations: Photos with POSIX names relative to their root.

    Raises:
        DataError: One line, with file and line number where they are known.
    """
    files = annotations.images["file"]
    twice = files[files.duplicated()]
    if len(twice):
        where = where_named(annotations, twice.iloc[0])
        raise DataError(f"{where}{twice.iloc[0]!r} is listed twice ({len(twice)} such photos)")
    for file in files:
        if file.startswith("/") or ".." in file.split("/") or file in ("", ".") or "\0" in file:
            where = where_named(annotations, file)
            raise DataError(f"{where}{file!r} is not a path under the photos' folder")


def where_named(annotations: Annotations, file: str) -> str:
    """Find the line that names a photo, for an error.

    Args:
        annotations: With the files they were read from.
        file: The photo's name.

    Returns:
        ``'FILE' line N: ``, or "" if no line names it.
    """
    name = PurePosixPath(file).name
    written = f"{re.escape(name)}|{re.escape(json.dumps(name)[1:-1])}"
    pattern = re.compile(rf"(?<![\w.-])({written})(?!\w)")
    for source in annotations.sources:
        if source.suffix.lower() == ".parquet":
            continue
        for number, line in enumerate(read_lines(source), start=1):
            if pattern.search(line):
                return f"'{source}' line {number}: "
    return ""
