"""What ``--camera`` may name: cameras by number, addresses, and files that list them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from osprey.imaging.live import is_address


class OneList(argparse.Action):
    """Lays what each word means into one list."""

    def __call__(
        self, parser: object, namespace: argparse.Namespace, values: Any, option: object = None
    ) -> None:
        """Take the words of one option."""
        setattr(namespace, self.dest, [source for found in values for source in found])


def cameras(word: str) -> list[int | str]:
    """A camera's number, an address, or those in a file, for argparse."""
    if not word.startswith("@"):
        return [_camera(word)]
    try:
        lines = Path(word[1:]).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise argparse.ArgumentTypeError(f"'{word[1:]}' cannot be read ({reason})") from None
    found = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        try:
            found.append(_camera(line))
        except argparse.ArgumentTypeError:  # the line itself may hold a password
            raise argparse.ArgumentTypeError(
                f"line {number} of '{word[1:]}' is neither a camera's number nor an address"
            ) from None
    if not found:
        raise argparse.ArgumentTypeError(f"'{word[1:]}' names no camera: write one a line")
    return found


def _camera(word: str) -> int | str:
    """A camera's number or an address."""
    if word.isdecimal() and len(word) < 5:
        return int(word)
    if not is_address(word):
        raise argparse.ArgumentTypeError(
            f"'{word}' is neither a camera's number nor an address such as rtsp://camera/live"
        )
    return word
