"""Input pipeline, images/s of one core: ours, torchvision's and timm's way on the same photos.

Each delivers float batches ready for the network: random resized crops at 224, flips,
normalisation. Ours normalises on the device, which here is the same core and counted, in the
memory format that training on a CPU uses (channels_last).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import cv2
import numpy as np
import torch
from common import Row, compare, finish, real_data

from osprey.augmentation import Policy
from osprey.data.datamodule import DataModule
from osprey.data.manifest import Manifest
from osprey.data.readers import read_folder
from osprey.imaging import Preprocess, read_image
from osprey.models.pixels import Normalise

SIZE, BATCH, SCALE = 224, 32, (0.35, 1.0)
MEAN = STD = (0.5, 0.5, 0.5)
Loader = Callable[[], Iterable[Any]]


def rate(batches: Loader, images: Callable[[Any], torch.Tensor], limit: int) -> float:
    """Images/s over at most ``limit`` batches, the first left out: it pays for starting."""
    seen, started = 0, 0.0
    for number, batch in enumerate(batches()):
        pixels = images(batch)
        assert pixels.dtype == torch.float32 and pixels.shape[1:] == (3, SIZE, SIZE)
        if number == 0:
            started = time.perf_counter()
        else:
            seen += len(pixels)
        if number == limit:
            break
    return seen / (time.perf_counter() - started)


def ours(root: Path, batch: int, cache: str = "none") -> tuple[Loader, Any]:
    """Osprey's own DataModule and the normalisation its tasks do."""
    from osprey.config.schema import DataConfig

    config = DataConfig(root=str(root), batch_size=batch, eval_batch_size=batch, num_workers=0)
    config.sampler, config.cache = "uniform", cache
    manifest = read_folder(config, [])
    # Validation is nobody's concern here, but a cache wants some.
    table = manifest.table.assign(split="train")
    table.loc[:0, "split"] = "val"
    preprocess = Preprocess(size=SIZE, mean=MEAN, std=STD)
    policy = Policy([{"RandomResizedCrop": {"scale": list(SCALE)}}, "HorizontalFlip"], preprocess)
    data = DataModule(
        Manifest(root, table),
        manifest.classes,
        preprocess,
        config,
        augment=(policy, policy.decode_side()),
    )
    data.setup("fit")
    pixels = Normalise(MEAN, STD)
    return data.train_dataloader, lambda batch: pixels(batch["image"])


def torchvisions(root: Path, batch: int) -> Loader:
    """ImageFolder, the classic transforms, DataLoader."""
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    steps = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIZE, scale=SCALE),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    dataset = datasets.ImageFolder(root, steps)
    loader = DataLoader(dataset, batch, shuffle=True, num_workers=0, drop_last=True)
    return lambda: loader


def timms(root: Path, batch: int) -> Loader:
    """timm's loader, its training transforms reduced to the same crop and flip."""
    from timm.data import create_dataset, create_loader

    loader = create_loader(
        create_dataset("", root=str(root)),
        input_size=(3, SIZE, SIZE),
        batch_size=batch,
        is_training=True,
        use_prefetcher=False,
        scale=list(SCALE),
        color_jitter=None,
        mean=MEAN,
        std=STD,
        num_workers=0,
        persistent_workers=False,
        device=torch.device("cpu"),
    )
    return lambda: loader


def large_photos(clothing: Path, folder: Path, count: int = 24) -> Path:
    """12-megapixel JPEGs as a camera makes them: clothing enlarged, with fine grain."""
    rng = np.random.default_rng(0)
    found = sorted(clothing.rglob("*.jpg"))
    for number, index in enumerate(rng.choice(len(found), count, replace=False)):
        photo = cv2.resize(read_image(found[index]), (4000, 3000), interpolation=cv2.INTER_CUBIC)
        grain = np.zeros_like(photo)
        cv2.randn(grain, (0.0,) * 3, (6.0,) * 3)
        label = folder / "ab"[number % 2]
        label.mkdir(exist_ok=True)
        pixels = cv2.cvtColor(cv2.add(photo, grain), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(label / f"{number}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return folder


def main() -> list[Row]:
    """Cold and cached on clothing, cold on 12-megapixel photos."""
    clothing = real_data("clothing", "train")
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    def timed(batches: Loader, images: Any = lambda batch: batch[0], limit: int = 20) -> Any:
        return lambda: rate(batches, images, limit)

    cold, cached = timed(*ours(clothing, BATCH)), timed(*ours(clothing, BATCH, "ram"))
    folder, timm = timed(torchvisions(clothing, BATCH)), timed(timms(clothing, BATCH))
    rows = [
        compare("loader, cold, over torchvision", cold, folder, goal=2.0),
        compare("loader, cache=ram, over torchvision", cached, folder, goal=5.0),
        compare("loader, cold, over timm", cold, timm, goal=1.5),
    ]
    with tempfile.TemporaryDirectory() as name:
        large = large_photos(clothing, Path(name))
        big = timed(*ours(large, 4))
        rows.append(
            compare(
                "loader, 12-megapixel JPEGs, cold, over torchvision",
                big,
                timed(torchvisions(large, 4)),
                turns=2,
                goal=3.0,
            )
        )
    return rows


if __name__ == "__main__":
    finish(main())
