"""Whole runs of ``osprey train`` on one or several devices: a part of ``benchmarks/gpu.py``."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from common import REPOSITORY, Row

PROGRAM = "import sys; from osprey.commands import main; sys.exit(main())"
DETECTORS = ("ssdlite", "fasterrcnn_mobilenet", "fcos", "retinanet", "rtdetr", "dfine")


@dataclass(frozen=True)
class Run:
    """What a short run came to: its folder, mean training loss by epoch, and seconds."""

    folder: Path
    losses: list[float]
    seconds: float

    @property
    def score(self) -> float:
        """Its figure on the test photos, by the best checkpoint read without any strategy."""
        summary = json.loads((self.folder / "summary.json").read_text())["test"]
        return float(summary["top1"] if "top1" in summary else summary["ap50"])


class Runs:
    """The same short run in many ways, at the sizes of GPUs or of two CPU processes.

    Args:
        real: On GPUs; otherwise rehearsed.
        folder: Holds ``photos``; everything is written there.
    """

    def __init__(self, real: bool, folder: Path) -> None:
        self.real, self.folder = real, folder
        self.size, self.batch, self.steps = (224, 32, 20) if real else (32, 8, 4)
        self.single = ("trainer.accelerator=gpu" if real else "trainer.accelerator=cpu",)
        self.ddp = ("trainer=ddp",) if real else ("trainer=ddp_sim",)
        self.fsdp = ("trainer=fsdp",) if real else (*self.ddp, "trainer.gradient_clip=null")
        if not real:
            self.fsdp += ("trainer.strategy._target_=sharded.OnProcessors",)
        self.devices = torch.cuda.device_count() if real else 2
        self.known: dict[tuple[str, ...], Run] = {}

    # ------------------------------------------------------------ the parts

    def ddp_over_one(self) -> list[Row]:
        """A ViT, as its norms know nothing of the batch: all devices together see what one sees."""
        model = self._vit("vit_small_patch16_224")
        one, all_of_them = self._train(*model, *self.single), self._train(*model, *self.ddp)
        return [self._alike(f"DDP on {self.devices} over one device", all_of_them, one, 1e-3)]

    def fsdp_over_one(self) -> list[Row]:
        """A big ViT, sharded; its checkpoint is tested and asked without FSDP."""
        name = "vit_huge_patch14_224" if self.real else "vit_small_patch16_224"
        model = (*self._vit(name), "trainer.gradient_clip=null")
        one, sharded = self._train(*model, *self.single), self._train(*model, *self.fsdp)
        what = f"{name}: FSDP on {self.devices} over one device"
        asked = self._predict(sharded)
        difference = abs(sharded.score - one.score)
        read = f"{name}: FSDP's checkpoint, read without FSDP: top-1 over one device's"
        return [
            self._alike(what, sharded, one, 1e-3),
            Row(read, difference, difference, difference, "", 0.02, True, asked),
        ]

    def half_over_whole(self) -> list[Row]:
        model = self._vit("vit_small_patch16_224")
        one, rows = self._train(*model, *self.single), []
        for precision in ("bf16-mixed", "16-mixed"):
            if precision == "16-mixed" and not self.real:
                print("16-mixed is refused on a CPU, and so not rehearsed", flush=True)
                continue
            half = self._train(*model, *self.single, f"trainer.precision={precision}")
            rows.append(self._alike(f"{precision} over 32-true", half, one, 0.05))
        return rows

    def compiled_over_eager(self) -> list[Row]:
        model = self._vit("vit_small_patch16_224")
        one = self._train(*model, *self.single)
        compiled = self._train(*model, *self.single, "trainer.compile=true")
        return [self._alike("torch.compile over eager", compiled, one, 0.01)]

    def detector(self, name: str) -> list[Row]:
        """It learns from boxes, is tested and asked."""
        fixed = name in ("rtdetr", "dfine")  # these take photos of one size
        size = 640 if fixed else 320 if self.real else 96
        words = ["task=detection", "data=harbour_boxes", f"model={name}", "model.pretrained=false"]
        words += ["model.freeze_batchnorm=false", "augmentation=light", f"data.size={size}"]
        words += ["data.batch_size=8", "trainer.max_epochs=2", "trainer.precision=bf16-mixed"]
        if not self.real:
            words = [*words[:-3], "data.batch_size=2", "trainer.limit_train_batches=2"]
            words += ["data.eval_batch_size=2", "trainer.limit_eval_batches=1"]
        run = self._train(*words, *self.single, photos=False)
        note = f"loss {run.losses[0]:.3g} to {run.losses[-1]:.3g}, {self._predict(run)}"
        return [Row(f"{name}: learns, is tested, answers", *[run.seconds] * 3, "s", note=note)]

    # ------------------------------------------------------------ what they share

    def _vit(self, name: str) -> tuple[str, ...]:
        return ("model=timm", f"model.name={name}", "model.pretrained=false", "augmentation=light")

    def _train(self, *words: str, photos: bool = True) -> Run:
        """One epoch of a few steps; a run asked for twice is trained once."""
        data = ("data=folder", f"data.root={self.folder / 'photos'}", "data.check_files=false")
        data += (f"data.size={self.size}", f"data.batch_size={self.batch}")
        common = (
            *(data if photos else ()),
            *("trainer.max_epochs=1", f"trainer.limit_train_batches={self.steps}"),
            *("trainer.limit_eval_batches=2", "data.eval_batch_size=16", "trainer.autotune=false"),
            *("trainer.precision=32-true", "trainer.compile=false", "trainer.channels_last=false"),
            *("callbacks.progress=false", f"paths.runs={self.folder / 'runs'}"),
            *(f"paths.cache={self.folder / 'cache'}", f"paths.data={self.folder / 'data'}"),
        )
        # A group's option comes before the settings of it.
        settings = [word for word in (*common, *words) if "." in word.partition("=")[0]]
        groups = [word for word in (*common, *words) if word not in settings]
        key = (*groups, *settings)
        if key not in self.known:
            started = time.monotonic()
            self._osprey("train", *key, f"name=run{len(self.known)}")
            seconds = time.monotonic() - started
            folder = next((self.folder / "runs" / f"run{len(self.known)}").iterdir())
            with (folder / "metrics.csv").open(newline="") as file:
                losses = [float(row["train/loss"]) for row in csv.DictReader(file)]
            self.known[key] = Run(folder, losses, seconds)
        return self.known[key]

    def _predict(self, run: Run) -> str:
        """What ``osprey predict`` says of a photo, in one line."""
        photo = next(iter(sorted(self.folder.glob("photos/*/*.jpg"))))
        said = self._osprey("predict", "--run", str(run.folder), "--image", str(photo)).strip()
        if said.startswith("{"):
            return f"{len(json.loads(said)['detections'])} boxes in a photo"
        return f"a photo is {said}"

    def _osprey(self, *words: str) -> str:
        """Run a command; its standard output."""
        paths = [REPOSITORY / "src", REPOSITORY / "benchmarks"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        command = [sys.executable, "-c", PROGRAM, *words]
        done = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True)
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            raise RuntimeError(f"osprey {' '.join(words)}: {lines[-1] if lines else 'no word'}")
        return done.stdout.decode(errors="replace")

    @staticmethod
    def _alike(what: str, run: Run, other: Run, at_most: float) -> Row:
        """The largest difference of their losses, as a share of the other's."""
        pairs = list(zip(run.losses, other.losses, strict=True))
        shares = [abs(a - b) / abs(b) for a, b in pairs]
        note = f"loss {pairs[-1][0]:.6g} over {pairs[-1][1]:.6g}"
        return Row(
            f"{what}: difference of the loss",
            *(max(shares), min(shares), max(shares)),
            *("", at_most, True, note),
        )
