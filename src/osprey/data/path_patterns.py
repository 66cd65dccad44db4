r"""What the paths of photos say of them, by a pattern such as ``(?P<group>boat\d+)_``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from osprey.errors import DataError


def named_in_paths(paths: Collection[str] | Iterable[str], pattern: str, name: str) -> list[str]:
    """What a pattern finds in each path.

    Args:
        paths: POSIX paths of the photos.
        pattern: A regular expression with ``(?P<name>...)``; it may match anywhere in the path.
        name: ``group`` or ``label``, also the setting's name.

    Returns:
        A text for each path.

    Raises:
        DataError: The pattern is malformed, has no such name in it, or does not match every path.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"data.{name}: '{pattern}' is not a regular expression ({error})") from None
    if name not in compiled.groupindex:
        raise DataError(
            f"data.{name}: '{pattern}' has no '(?P<{name}>...)' in it, round what is the {name}"
        )
    paths = list(paths)
    matches = [compiled.search(path) for path in paths]
    missed = [path for path, match in zip(paths, matches, strict=True) if not match]
    if missed:
        raise DataError(
            f"data.{name}: '{pattern}' does not match {len(missed)} of {len(paths)} paths, "
            f"first '{missed[0]}'"
        )
    return [match[name] or "" for match in matches if match]
