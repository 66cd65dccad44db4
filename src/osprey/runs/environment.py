"""What a run was made with, so that it can be made again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    *("osprey-vision", "torch", "torchvision", "pytorch-lightning", "hydra-core", "omegaconf"),
    *("timm", "torchmetrics", "albumentations", "numpy", "pandas", "scikit-learn"),
    *("opencv-python-headless", "pillow", "simplejpeg"),
)
_PATCH_LIMIT = 1_000_000  # characters; beyond that the patch is data, not code


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            cwd=Path(__file__).parent,
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


def describe_environment(data_hash: str) -> dict[str, Any]:
    """Versions, machine, commit and uncommitted changes of Osprey's own code, as plain data."""
    commit = _git("rev-parse", "HEAD")
    patch = _git("diff", "HEAD", "--", ".") if commit else None
    return {
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "git_commit": commit.strip() if commit else None,
        "git_patch": patch[:_PATCH_LIMIT] if patch else None,
        "data_sha256": data_hash,
    }
