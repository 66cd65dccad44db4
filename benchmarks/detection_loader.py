"""Input pipeline with boxes, images/s of one core: ours and torchvision's way on the same photos.

Each delivers float batches of 320 px ready for the network, and their boxes. torchvision's way is
that of its detection reference: Pillow decodes, ``transforms.v2`` moves ``tv_tensors`` boxes. Ours
normalises on the device, which here is the same core and counted.
"""

from __future__ import annotations

import json
import os
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import cv2
import pandas as pd
import torch
from common import Row, compare, finish, real_data
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.transforms import v2

from osprey.augmentation import BoxAugmentation, BoxPolicy
from osprey.config.schema import DataConfig
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest, complete
from osprey.imaging import Preprocess
from osprey.models.pixels import Normalise

SIZE, BATCH, SCALE = 320, 8, (0.5, 1.0)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SHIFTS: dict[str, tuple[float, float]] = {
    **{kind: (0.8, 1.2) for kind in ("brightness", "contrast", "saturation")},
    "hue": (-0.02, 0.02),
}
Loader = Callable[[], Iterable[Any]]


def read_voc(root: Path) -> Manifest:
    """The blood cells, all for training but the one that a cache wants for validation."""
    rows = []
    for file in sorted((root / "Annotations").glob("*.xml")):
        tree = ET.parse(file).getroot()
        boxes = []
        for thing in tree.iter("object"):
            x, y, x2, y2 = (float(thing.findtext(f"bndbox/{k}", "")) for k in CORNERS)
            if x2 > x and y2 > y:
                boxes.append((thing.findtext("name"), x - 1, y - 1, x2 - x + 1, y2 - y + 1))
        sides = (int(tree.findtext(f"size/{side}", "")) for side in ("width", "height"))
        path = f"JPEGImages/{file.stem}.jpg"
        rows.append((path, "train" if rows else "val", "photo", *sides, json.dumps(boxes)))
    columns = ["path", "split", "label", "width", "height", "boxes"]
    return complete(pd.DataFrame(rows, columns=columns), root, "blood cells")


CORNERS = ("xmin", "ymin", "xmax", "ymax")
CLASSES = ["Platelets", "RBC", "WBC"]


def ours(manifest: Manifest, steps: list[Any], cache: str = "none") -> Loader:
    """Osprey's own DataModule and the normalisation its tasks do."""
    config = DataConfig(root=str(manifest.root), batch_size=BATCH, num_workers=0)
    config.sampler, config.cache = "uniform", cache
    preprocess = Preprocess(size=SIZE, mean=MEAN, std=STD)
    policy = BoxPolicy(steps, preprocess)
    augment = BoxAugmentation(policy), policy.decode_side()
    data = DataModule(manifest, CLASSES, preprocess, config, augment=augment)
    data.setup("fit")
    pixels = Normalise(MEAN, STD)

    def batches() -> Iterable[Any]:
        for batch in data.train_dataloader():
            yield pixels(batch["image"]), batch["boxes"]

    return batches


class Reference(torch.utils.data.Dataset[Any]):
    """The same photos by Pillow, and v2 transforms."""

    def __init__(self, manifest: Manifest, steps: list[Any]) -> None:
        self.root, self.paths = manifest.root, manifest.table["path"].tolist()
        self.boxes = [json.loads(text) for text in manifest.table["boxes"]]
        last = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
        self.transform = v2.Compose([*steps, v2.SanitizeBoundingBoxes(), *last])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Any:
        image = Image.open(self.root / self.paths[row]).convert("RGB")
        corners = torch.tensor([(x, y, x + w, y + h) for _, x, y, w, h in self.boxes[row]])
        boxes = tv_tensors.BoundingBoxes(
            corners.reshape(-1, 4),  # type: ignore[call-arg]
            format="XYXY",
            canvas_size=(image.height, image.width),
        )
        labels = torch.tensor([CLASSES.index(box[0]) for box in self.boxes[row]])
        return self.transform(image, {"boxes": boxes, "labels": labels})


def torchvisions(manifest: Manifest, steps: list[Any]) -> Loader:
    """torchvision's dataset, transforms and collation."""

    def collate(samples: list[Any]) -> Any:
        images, targets = zip(*samples, strict=True)
        return torch.stack(images), [target["boxes"] for target in targets]

    dataset = Reference(manifest, steps)
    loader = DataLoader(dataset, BATCH, shuffle=True, drop_last=True, collate_fn=collate)
    return lambda: loader


def rate(batches: Loader, limit: int = 20) -> Callable[[], float]:
    """Images/s over ``limit`` batches, the first left out: it pays for starting."""

    def measured() -> float:
        seen, started = 0, 0.0
        for number, (images, boxes) in enumerate(batches()):
            assert images.dtype == torch.float32 and images.shape[1:] == (3, SIZE, SIZE)
            assert len(boxes) == BATCH
            if number == 0:
                started = time.perf_counter()
            else:
                seen += len(images)
            if number == limit:
                break
        return seen / (time.perf_counter() - started)

    return measured


def main() -> list[Row]:
    """The same steps on both sides, cold and cached."""
    manifest = read_voc(real_data("blood_cells", "BCCD"))
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    crop = {"RandomResizedCrop": {"scale": list(SCALE)}}
    steps = [crop, "HorizontalFlip", {"ColorJitter": {**SHIFTS, "p": 1.0}}]
    flip = v2.RandomHorizontalFlip()
    peers = [v2.RandomResizedCrop(SIZE, scale=SCALE), flip, v2.ColorJitter(**SHIFTS)]
    same = rate(torchvisions(manifest, peers))
    what = "detection loader"
    return [
        compare(f"{what}, crop, flip, colour", rate(ours(manifest, steps)), same, goal=2.0),
        compare(f"{what}, the same, cache=ram", rate(ours(manifest, steps, "ram")), same, turns=3),
    ]


if __name__ == "__main__":
    finish(main())
