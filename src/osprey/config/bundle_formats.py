"""The formats of a bundle by name; what writes them is in ``osprey.bundle.formats``."""

from __future__ import annotations

import importlib.util

from osprey.errors import UserError

# Each with the package that it needs beyond Osprey's own, and the extra that brings it.
_NEEDED: dict[str, tuple[str, str] | None] = {
    "onnx": None,
    "onnx-int8": None,
    "executorch": ("executorch", "mobile"),
}
BUNDLE_FORMATS = tuple(_NEEDED)


def refuse_uninstalled(form: str, setting: str) -> None:
    """Check that what writes a format is installed; nothing of it is imported.

    Args:
        form: One of `BUNDLE_FORMATS`.
        setting: What the format was given as, for the message.

    Raises:
        UserError: It is not.
    """
    needed = _NEEDED[form]
    if needed is not None and importlib.util.find_spec(needed[0]) is None:
        raise UserError(
            f"{setting}={form} needs a package: pip install 'osprey-vision[{needed[1]}]'"
        )
