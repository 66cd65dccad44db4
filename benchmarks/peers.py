"""Detectors in the same minutes: YOLOv8n on the harbour, torchvision's recipe on blood cells.

    python benchmarks/peers.py [harbour] [blood_cells] [--yolo PYTHON]

``experiment=detect`` trains first; a peer then trains for as long as Osprey took from the command
to the tested model, on the same split, once at its own input size and once at Osprey's, and all
are measured by the same evaluation. PYTHON is of an environment that has ultralytics, which is no
dependency of Osprey's. Not part of ``make bench``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
import torch
import yaml
from common import machine
from detect import SETS, trained
from torch import nn
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from osprey.imaging.boxes import Detections
from osprey.models.spec import ModelSpec
from osprey.models.weights import download
from osprey.tasks.detection.coco import coco_metrics

BACKBONE = "tf_efficientnet_lite0"
YOLO = """
import json, sys
from ultralytics import YOLO
job = json.load(open(sys.argv[1]))
model = YOLO("yolov8n.yaml")
model.train(data=job["data"], time=job["minutes"] / 60, imgsz=job["side"], device="cpu", workers=2,
            seed=0, plots=False, project=job["out"], name="yolo", exist_ok=True, epochs=300)
best = YOLO(job["out"] + "/yolo/weights/best.pt")
answers = []
for file in job["test"]:
    boxes = best.predict(file, conf=0.001, imgsz=job["side"], device="cpu", verbose=False)[0].boxes
    answers.append([boxes.xyxy.tolist(), boxes.conf.tolist(), boxes.cls.tolist()])
json.dump(answers, open(job["answers"], "w"))
"""


class Split(NamedTuple):
    """Photos of a split, and what is marked on each."""

    files: list[Path]
    truth: list[Detections]


class Ours(NamedTuple):
    """Osprey's run: its figures, its data, and the input side that it chose."""

    minutes: float
    ap50: float
    map: float
    side: int
    classes: list[str]
    splits: dict[str, Split]


def ours(folder: Path, name: str, *more: str) -> Ours:
    """Train ``experiment=detect`` and read what it trained on from its folder."""
    words = SETS[name](folder)
    minutes, summary = trained(folder, [*words, *more])
    if isinstance(summary, str):
        raise SystemExit(summary)
    (run,) = (path.parent for path in folder.glob("runs/*/*/summary.json"))
    config = yaml.safe_load((run / "config.yaml").read_text())
    root = folder / config["data"]["root"]
    table = pd.read_csv(run / "manifest.csv", keep_default_na=False)
    boxes = [json.loads(text) for text in table["boxes"]]
    classes = sorted({box[0] for photo in boxes for box in photo})
    splits = {}
    for split in ("train", "val", "test"):
        rows = [i for i, own in enumerate(table["split"]) if own == split]
        truth = [marked(boxes[i], classes) for i in rows]
        splits[split] = Split([root / table["path"][i] for i in rows], truth)
    test = summary["test"]
    side = config["data"]["size"]
    return Ours(minutes, test["ap50"], test["map"], side, classes, splits)


def marked(boxes: Sequence[Sequence[Any]], classes: list[str]) -> Detections:
    rows = np.array([box[1:] for box in boxes], dtype=np.float32).reshape(-1, 4)
    rows[:, 2:] += rows[:, :2]
    labels = np.array([classes.index(box[0]) for box in boxes], dtype=np.int64)
    return Detections(rows, np.ones(len(rows), dtype=np.float32), labels)


def figures(run: Ours, answers: list[Detections]) -> tuple[float, float]:
    """AP50 and mAP on the test split."""
    found = coco_metrics(run.splits["test"].truth, answers, len(run.classes)).scalars
    return found["ap50"], found["map"]


def yolo(python: str, run: Ours, side: int) -> list[Detections]:
    """YOLOv8n from its configuration, by its own training, for as many minutes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for split, part in run.splits.items():
            for number, (file, truth) in enumerate(zip(*part, strict=True)):
                place = folder / "images" / split / f"{number:05d}{file.suffix}"
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)
                lines = folder / "labels" / split / f"{place.stem}.txt"
                lines.parent.mkdir(parents=True, exist_ok=True)
                lines.write_text("".join(yolo_lines(file, truth)))
        names = dict(enumerate(run.classes))
        data = {"path": name, "names": names, **{s: f"images/{s}" for s in run.splits}}
        (folder / "data.yaml").write_text(yaml.safe_dump(data))
        job = {
            "data": str(folder / "data.yaml"),
            "minutes": run.minutes,
            "side": side,
            "out": name,
            "answers": str(folder / "answers.json"),
            "test": [str(file) for file in run.splits["test"].files],
        }
        (folder / "job.json").write_text(json.dumps(job))
        command = [python, "-c", YOLO, str(folder / "job.json")]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        answers = json.loads((folder / "answers.json").read_text())
    return [
        Detections(
            np.array(boxes, dtype=np.float32).reshape(-1, 4),
            np.array(scores, dtype=np.float32),
            np.array(labels, dtype=np.int64),
        )
        for boxes, scores, labels in answers
    ]


def yolo_lines(file: Path, truth: Detections) -> Iterator[str]:
    height, width = cv2.imread(str(file)).shape[:2]  # type: ignore[union-attr]
    for (x, y, x2, y2), label in zip(truth.boxes.tolist(), truth.labels.tolist(), strict=True):
        middle = ((x + x2) / 2 / width, (y + y2) / 2 / height)
        sides = ((x2 - x) / width, (y2 - y) / height)
        yield " ".join(map(str, (label, *middle, *sides))) + "\n"


class Pyramid(nn.Module):
    """The backbone with BatchNorm held and two stages at rest, as torchvision holds its ResNet."""

    out_channels = 256

    def __init__(self) -> None:
        super().__init__()
        import timm

        self.body = timm.create_model(BACKBONE, features_only=True, out_indices=(2, 3, 4))
        state, _ = download(ModelSpec("timm", BACKBONE, {}))
        missing, _ = self.body.load_state_dict(dict(state), strict=False)
        assert not missing, missing
        for key, parameter in self.body.named_parameters():
            early = key.startswith(("conv_stem", "bn1", "blocks.0", "blocks.1"))
            parameter.requires_grad = not early and ".bn" not in key
        last = LastLevelP6P7(256, 256)
        self.fpn = FeaturePyramidNetwork(self.body.feature_info.channels(), 256, last)

    def train(self, mode: bool = True) -> Pyramid:
        super().train(mode)
        self.body.train(False)
        return self

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = self.fpn(dict(enumerate(self.body(images))))
        return {str(key): value for key, value in found.items()}


def reference(run: Ours, side: int, longest: int, batch: int = 4) -> list[Detections]:
    """torchvision's FCOS by its reference script's settings, the schedule over the minutes.

    SGD with momentum, rate 0.01 for batches of 16 and in proportion, a linear warm-up over the
    first thousand steps or the first pass, a tenth after 16 and 22 of 26 parts, mirrored photos.
    """
    torch.manual_seed(0)
    sizes = ((8,), (16,), (32,), (64,), (128,))
    network = FCOS(
        Pyramid(), len(run.classes) + 1, min_size=side, max_size=longest, image_mean=[0.5] * 3,
        image_std=[0.5] * 3, anchor_generator=AnchorGenerator(sizes, ((1.0,),) * 5),
        score_thresh=0.05,
    )  # fmt: skip
    moving = [p for p in network.parameters() if p.requires_grad]
    top = 0.01 * batch / 16
    optimizer = torch.optim.SGD(moving, lr=top, momentum=0.9, weight_decay=1e-4)
    photos = [picture(file) for file in run.splits["train"].files]
    targets = [
        {"boxes": torch.from_numpy(t.boxes), "labels": torch.from_numpy(t.labels) + 1}
        for t in run.splits["train"].truth
    ]
    warm = min(1000, len(photos) // batch - 1)
    started, step = time.perf_counter(), 0
    network.train()
    while True:
        for rows in torch.randperm(len(photos)).split(batch):
            spent = (time.perf_counter() - started) / 60 / run.minutes
            if spent >= 1:
                return asked(network, run)
            rate = top * (1 if spent < 16 / 26 else 0.1 if spent < 22 / 26 else 0.01)
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1, 0.001 + step / max(1, warm))
            pairs = [mirrored(photos[i], targets[i]) for i in rows.tolist()]
            losses = network([image for image, _ in pairs], [target for _, target in pairs])
            optimizer.zero_grad()
            torch.stack(list(losses.values())).sum().backward()
            optimizer.step()
            step += 1


def picture(file: Path) -> torch.Tensor:
    pixels = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)  # type: ignore[arg-type]
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


def mirrored(image: torch.Tensor, target: dict[str, Any]) -> tuple[torch.Tensor, dict[str, Any]]:
    if torch.rand(1) < 0.5:
        return image, target
    boxes = target["boxes"].clone()
    boxes[:, [0, 2]] = image.shape[-1] - boxes[:, [2, 0]]
    return image.flip(-1), {**target, "boxes": boxes}


@torch.no_grad()
def asked(network: nn.Module, run: Ours) -> list[Detections]:
    network.eval()
    answers = [network([picture(file)])[0] for file in run.splits["test"].files]
    return [
        Detections(a["boxes"].numpy(), a["scores"].numpy(), a["labels"].numpy() - 1)
        for a in answers
    ]


def line(name: str, who: str, minutes: float, pair: tuple[float, float]) -> None:
    print(f"| {name} | {who} | {minutes:.1f} | {pair[0]:.3f} | {pair[1]:.3f} |", flush=True)


def main(names: list[str], python: str | None) -> None:
    print(machine())
    print("| set | who | minutes | AP50 | mAP |\n|---|---|---|---|---|")
    for name in names:
        more = ("model.pretrained=false",) if name == "harbour" else ()
        with tempfile.TemporaryDirectory() as place:
            run = ours(Path(place), name, *more)
            who = f"experiment=detect {' '.join(more)}".strip()
            line(name, f"{who}, {run.side} px", run.minutes, (run.ap50, run.map))
            if name == "blood_cells":
                for side, longest in ((800, 1333), (run.side, run.side * 4 // 3)):
                    pair = figures(run, reference(run, side, longest))
                    line(name, f"torchvision's FCOS and recipe, {side} px", run.minutes, pair)
            elif python:
                for side in (run.side, 640):
                    pair = figures(run, yolo(python, run, side))
                    line(name, f"YOLOv8n from nothing, {side} px", run.minutes, pair)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="*", choices=["harbour", "blood_cells"])
    parser.add_argument("--yolo", metavar="PYTHON")
    arguments = parser.parse_args()
    main(arguments.sets or ["harbour", "blood_cells"], arguments.yolo)
