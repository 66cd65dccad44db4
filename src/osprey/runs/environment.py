"""Versions, machine and code state of a run, for reproducibility."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from osprey.system.trust import trusted_packages

_PACKAGES = (
    *("osprey-vision", "torch", "torchvision", "pytorch-lightning", "hydra-core", "omegaconf"),
    *("timm", "torchmetrics", "albumentations", "numpy", "pandas", "scikit-learn"),
    *("opencv-python-headless", "pillow", "simplejpeg"),
)
_OWN = Path(__file__).parent
_PATCH_LIMIT = 1_000_000  # characters; beyond that the patch is data, not code


def _git(*arguments: str, folder: Path = _OWN) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            cwd=folder,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def describe_environment(data_hash: str | None, config_dir: Path | None) -> dict[str, Any]:
    """Versions, machine and code state, as plain data.

    Args:
        data_hash: `Manifest.digest`; None where Osprey did not read the data.
        config_dir: What ``--config-dir`` named.

    Returns:
        Versions, machine, command, commit and uncommitted changes of Osprey's own code, and under
        ``user_code`` those of each package of the user's that the run names.
    """
    commit, patch = _state_of(_OWN)
    return {
        "command": sys.argv,
        "folder": os.getcwd(),
        "config_dir": None if config_dir is None else str(config_dir),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "git_commit": commit,
        "git_patch": patch,
        "user_code": {name: _of_package(name) for name in trusted_packages()},
        "data_sha256": data_hash,
    }


def _state_of(folder: Path) -> tuple[str | None, str | None]:
    """Commit and uncommitted changes below a folder, new files included in no patch."""
    commit = _git("rev-parse", "HEAD", folder=folder)
    patch = _git("diff", "HEAD", "--", ".", folder=folder) if commit else None
    return commit.strip() if commit else None, patch[:_PATCH_LIMIT] if patch else None


def _of_package(name: str) -> dict[str, Any]:
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    places = [Path(file).parent] if file else [Path(p) for p in getattr(module, "__path__", [])]
    commit, patch = _state_of(places[0]) if places else (None, None)
    return {"version": _version(name), "git_commit": commit, "git_patch": patch}
