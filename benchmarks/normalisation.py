"""Which normalisation fits given weights, by 64 photos of each set. Not part of ``make bench``."""

from __future__ import annotations

import numpy as np
import torch
from common import WEIGHTS, real_data

from osprey.imaging import Preprocess, read_image
from osprey.models.normalisation import KNOWN, distances
from osprey.models.spec import IMAGENET, ModelSpec
from osprey.models.weights import build_pretrained

SETS = {
    "clothing": ("clothing/train", "*/*.jpg"),
    "blood cells": ("blood_cells/BCCD/JPEGImages", "*.jpg"),
    "products": ("fashion_products", "**/*.jpg"),
}
NETWORKS: dict[str, tuple[ModelSpec, bool | str]] = {
    "mobilenetv2_100.in1k.pth": (
        ModelSpec("timm", "mobilenetv2_100", {"pad_type": "same"}),
        str(WEIGHTS),
    ),
    "efficientnet_lite0": (ModelSpec("timm", "tf_efficientnet_lite0", {}), True),
    "efficientnet_lite2": (ModelSpec("timm", "tf_efficientnet_lite2", {}), True),
}
FORM = {"size": 224, "resize": "squash", "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 1.0}


def photos(folder: str, pattern: str) -> torch.Tensor:
    files = sorted(real_data(*folder.split("/")).glob(pattern))
    form = Preprocess.from_dict(FORM)
    some = files[:: len(files) // 64][:64]
    return torch.from_numpy(np.stack([form(read_image(file)) for file in some]))


def main() -> None:
    print(f"| weights, trained with mean = std = 0.5 | photos | {' | '.join(KNOWN)} |")
    print("|---" * (2 + len(KNOWN)) + "|")
    for name, (spec, pretrained) in NETWORKS.items():
        model, _ = build_pretrained(spec, 1000, pretrained)
        for kind, place in SETS.items():
            found = distances(model, photos(*place), IMAGENET)
            print(f"| {name} | {kind} | {' | '.join(f'{found[key]:.2f}' for key in KNOWN)} |")


if __name__ == "__main__":
    main()
