"""What a sweep's folder says of its command line."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from osprey.errors import UserError
from osprey.system.ending import KEY
from osprey.system.files import write_json

ABOUT = "sweep.json"
_NOT_KEPT = ("sweep.resume=", "sweep.allow_changes=", "plugins=", f"{KEY}=")


def write_about(
    folder: Path, words: Sequence[str], config_dir: Path | None, plugins: Sequence[str]
) -> None:
    """Keep what a resume, and a reader, need to know.

    Args:
        folder: Of the sweep.
        words: The settings of its command line.
        config_dir: What ``--config-dir`` named.
        plugins: The setting that names packages of the user's, as a word, or nothing.
    """
    content = {
        "words": [word for word in words if not word.startswith(_NOT_KEPT)],
        "config_dir": None if config_dir is None else str(config_dir),
        "plugins": list(plugins),
        "machine": socket.gethostname(),
    }
    write_json(folder / ABOUT, content)


def read_about(folder: Path) -> dict[str, Any]:
    """The same, read.

    Raises:
        UserError: The folder is no sweep's, or the file was damaged.
    """
    try:
        found = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return {
            "words": [str(word) for word in found["words"]],
            "config_dir": found["config_dir"],
            "plugins": [str(word) for word in found["plugins"]],
        }
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"'{folder}' has no readable {ABOUT}: not a sweep's folder") from None
