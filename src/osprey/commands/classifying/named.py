"""The photos that ``--image`` names: files, and patterns that no shell has expanded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from glob import iglob

from osprey.errors import UserError
from osprey.system.buckets import in_bucket
from osprey.system.paths import existing_photo, home_path


def is_pattern(word: str) -> bool:
    """Whether a word stands for files, as ``*.jpg`` does, and is not itself a file's name."""
    return any(letter in word for letter in "*?[") and not (
        is_address(word) or os.path.lexists(word)
    )


def is_address(word: str) -> bool:
    """Whether a word is an address: on the web, or in a bucket."""
    return on_web(word) or in_bucket(word)


def on_web(word: str) -> bool:
    """Whether a word is an address on the web."""
    return word[:8].lower().startswith(("http://", "https://"))


def photos_named(words: Sequence[str]) -> Iterator[str]:
    """The photos, in the order of the words, a pattern's sorted.

    Args:
        words: Files, addresses and patterns, in which ``**`` means folders of any depth.

    Yields:
        Files that are there, and addresses.

    Raises:
        UserError: A file is missing, a pattern matches no photo, or a word is ``-``.
    """
    for word in words:
        if word == "-":
            raise UserError("--image: - (standard input) is one photo: name it alone")
        if is_address(word):
            yield word
        elif is_pattern(word):
            yield from _matches(word)
        else:
            yield str(existing_photo(word))


def _matches(pattern: str) -> list[str]:
    from osprey.imaging.decode import IMAGE_SUFFIXES

    found = iglob(str(home_path(pattern)), recursive=True)
    photos = [
        path
        for path in found
        if os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES and os.path.isfile(path)
    ]
    if not photos:
        raise UserError(f"--image: no photo matches '{pattern}'")
    return sorted(photos)
