"""Lines for the user about a data set; those among them that tell of a guess are kept apart."""

from __future__ import annotations

from collections.abc import Iterable


class Guess(str):
    """A line that says how the data were read where they could have been read otherwise.

    It is told as any other line is, and stands under ``guesses`` in the run folder's ``data.json``.
    """

    __slots__ = ()


def guesses(notices: Iterable[str]) -> list[str]:
    """Those lines that tell of a guess, as plain text."""
    return [str(line) for line in notices if isinstance(line, Guess)]
