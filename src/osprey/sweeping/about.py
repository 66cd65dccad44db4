"""What a sweep's folder says of itself: its command line, where it was begun, its study."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from osprey.errors import UserError
from osprey.system.ending import KEY
from osprey.system.files import write_json

ABOUT = "sweep.json"
_NOT_KEPT = ("sweep.resume=", "sweep.allow_changes=", "plugins=", f"{KEY}=")


@dataclass(frozen=True)
class About:
    """The content of ``sweep.json``.

    Attributes:
        identity: Of the sweep, whatever its folder is called.
        study: Name of its study.
        words: The settings of its command line.
        config_dir: What ``--config-dir`` named.
        plugins: The setting that names packages of the user's, as a word, or nothing.
        cwd: The folder it was begun in, which relative paths are of.
        machine: Where.
    """

    identity: str
    study: str
    words: list[str]
    config_dir: str | None
    plugins: list[str]
    cwd: str
    machine: str

    def write(self, folder: Path) -> None:
        """Write it into the sweep's folder."""
        write_json(folder / ABOUT, asdict(self))

    def renewed(
        self, words: Sequence[str], config_dir: Path | None, plugins: Sequence[str]
    ) -> About:
        """The same sweep with the command line of now; a password is not kept."""
        kept = [w for w in words if not w.startswith(_NOT_KEPT) and not _has_password(w)]
        named = None if config_dir is None else str(config_dir)
        return replace(self, words=kept, config_dir=named, plugins=list(plugins))


def new_about(study: str) -> About:
    """Of a sweep that begins here and now."""
    return About(secrets.token_hex(8), study, [], None, [], str(Path.cwd()), socket.gethostname())


def _has_password(word: str) -> bool:
    return word.startswith("sweep.storage=") and "://" in word and "@" in word


def read_about(folder: Path) -> About:
    """The content of a sweep's folder.

    Raises:
        UserError: The folder is no sweep's, or the file was damaged.
    """
    try:
        found = About(**json.loads((folder / ABOUT).read_text(encoding="utf-8")))
        if not all(isinstance(part, list) for part in (found.words, found.plugins)):
            raise TypeError
        return found
    except (OSError, ValueError, TypeError):
        raise UserError(f"'{folder}' has no readable {ABOUT}: not a sweep's folder") from None
