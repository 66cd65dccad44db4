"""Osprey: from a folder of photos to a tested recogniser with one command."""

__version__ = "0.1.0"

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from osprey.api import Run, augment_data, evaluate, open_run, predict, train

__all__ = ["Run", "__version__", "augment_data", "evaluate", "open_run", "predict", "train"]


def __getattr__(name: str) -> Any:
    """Import the Python interface when it is first asked for: commands have no use for it."""
    if name in __all__:
        from osprey import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
