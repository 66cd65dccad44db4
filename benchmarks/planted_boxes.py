"""How many planted errors of boxes ``osprey labels`` finds, among the blood cells.

    python benchmarks/planted_boxes.py [--share 0.04] [-- SETTING ...]

Of all boxes, training's too, a share each is taken away, gets another class, or is moved or grown
to an overlap of 0.3 to 0.45 with itself. Beside Osprey's order of suspects stands that of
cleanlab's scores of boxes (ObjectLab), of the same answers. Settings after ``--`` go to the
training. Not part of ``make bench``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cleanlab.object_detection import rank
from common import WEIGHTS, environment, machine, real_data
from numpy.typing import NDArray

from osprey.imaging.boxes import iou
from osprey.runs.folder import RunFolder
from osprey.tasks.detection.unseen import unseen_photos

_KINDS = {"missing": "missing", "swapped": "wrong class", "placed": "badly placed"}
_SIDES = ["x", "y", "w", "h"]
_TRAINING = ("experiment=detect", f"model.pretrained={WEIGHTS}", "model.backbone=mobilenetv2_100",
             "trainer.autotune=false", "export=null", "callbacks.progress=false")  # fmt: skip


def main(share: float, settings: Sequence[str]) -> None:
    root = real_data("blood_cells", "BCCD")
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        _osprey(here, "split", "data=blood_cells", f"data.root={root}", "output=clean.csv")
        planted = plant(here, share)
        _osprey(here, "train", *_TRAINING, "data=table", f"data.root={root}",
                "data.file=planted.csv", *settings)  # fmt: skip
        _osprey(here, "labels")
        print(machine())
        report(next(here.glob("runs/detect/*")), planted)


def plant(here: Path, share: float) -> pd.DataFrame:
    """Write planted.csv; what was done to which box."""
    draw = np.random.default_rng(0)
    table = pd.read_csv(here / "clean.csv", keep_default_na=False)
    names = sorted({box[0] for text in table["boxes"] for box in json.loads(text)})
    rows, texts = [], []
    for path, split, text, *size in table[["path", "split", "boxes", "width", "height"]].itertuples(
        index=False
    ):
        boxes = []
        for label, *sides in json.loads(text):
            chance = draw.random()
            kind = next((k for i, k in enumerate(_KINDS, 1) if chance < i * share), "")
            if kind == "swapped":
                label = str(draw.choice([name for name in names if name != label]))
            elif kind == "placed":
                sides = _misplaced(sides, size, draw)
            if kind:
                rows.append([path, split, kind, *sides])
            if kind != "missing":
                boxes.append([label, *(round(v, 2) for v in sides)])
        texts.append(json.dumps(boxes))
    table.drop(columns="label").assign(boxes=texts).to_csv(here / "planted.csv", index=False)
    return pd.DataFrame(rows, columns=["path", "split", "kind", *_SIDES])


def _misplaced(sides: list[float], size: Sequence[int], draw: np.random.Generator) -> list[float]:
    """Half of them moved by 0.3 of both sides, half grown by half; clipped at the borders."""
    x, y, w, h = sides
    if draw.random() < 0.5:
        x, y = (v + 0.3 * side * draw.choice([-1, 1]) for v, side in ((x, w), (y, h)))
    else:
        x, y, w, h = x - w / 4, y - h / 4, 1.5 * w, 1.5 * h
    right, bottom, x, y = min(x + w, size[0]), min(y + h, size[1]), max(x, 0), max(y, 0)
    return [x, y, right - x, bottom - y]


def report(run: Path, planted: pd.DataFrame) -> None:
    """Print the share of right suspects, and of planted errors found, in the first k."""
    manifest = pd.read_csv(run / "manifest.csv", keep_default_na=False)
    unseen = planted[planted["split"].isin(["val", "test"])]
    photos = int(manifest["split"].isin(["val", "test"]).sum())
    counts = ", ".join(f"{n} {kind}" for kind, n in unseen["kind"].value_counts().items())
    print(f"{len(unseen)} errors planted among {photos} photos not trained on: {counts}")
    suspects = pd.read_csv(run / "labels" / "suspects.csv", keep_default_na=False)
    _table("osprey labels", suspects.to_dict("records"), unseen)
    _table("cleanlab's scores", by_cleanlab(run), unseen)


def _table(title: str, suspects: Sequence[Mapping[str, object]], unseen: pd.DataFrame) -> None:
    hits = [_planted_at(row, unseen) for row in suspects[: 2 * len(unseen)]]
    print(f"\n{title}: {len(suspects)} suspects\n")
    print("| the first | of them planted | of the planted found | missing | class | place |")
    print("|---|---|---|---|---|---|")
    for first in sorted({50, 100, len(unseen), len(hits)}):
        if first > len(hits):
            continue
        found = {hit for hit in hits[:first] if hit >= 0}
        of = [_share(unseen, found, kind) for kind in _KINDS]
        right = sum(hit >= 0 for hit in hits[:first]) / first
        cells = " | ".join(f"{v:.2f}" for v in (right, len(found) / len(unseen), *of))
        print(f"| {first} | {cells} |")


def by_cleanlab(run: Path) -> list[dict[str, object]]:
    """Suspects by cleanlab's scores, lowest first; detections of 0.3 and surer, sure from 0.7 on.

    Its own limit of 0.95 leaves next to nothing of a small detector's answers.
    """
    folder = RunFolder(run)
    config = folder.load_config()
    known = unseen_photos(folder, config, folder.load_manifest(config.data.root))
    photos, classes = len(known.part.table), int(known.truth.labels.max()) + 1
    truth = [slice(*ends) for ends in _ends(known.truth.photos, photos)]
    labels = [
        {"bboxes": known.truth.boxes[rows], "labels": known.truth.labels[rows]} for rows in truth
    ]
    predictions, chosen = [], []
    for start, stop in _ends(known.found.photos, photos):
        mine = np.arange(start, stop)[known.sure[start:stop] >= 0.3]
        mine = mine[np.argsort(known.found.labels[mine], kind="stable")]
        of = np.empty(classes, object)
        for label in range(classes):
            rows = mine[known.found.labels[mine] == label]
            of[label] = np.c_[known.found.boxes[rows], known.sure[rows]].reshape(-1, 5)
        predictions.append(of)
        chosen.append(mine)
    given: dict[str, Any] = {"labels": labels, "predictions": predictions, "alpha": 0.9}
    missing = rank.compute_overlooked_box_scores(**given, high_probability_threshold=0.7)
    swapped = rank.compute_swap_box_scores(**given, high_probability_threshold=0.7)
    placed = rank.compute_badloc_box_scores(**given, low_probability_threshold=0.5)
    scored = []
    for photo, path in enumerate(known.part.table["path"]):
        boxes = known.truth.boxes[truth[photo]]
        for kind, scores, of_kind in (
            ("missing", missing[photo], known.found.boxes[chosen[photo]]),
            ("swapped", swapped[photo], boxes),
            ("placed", placed[photo], boxes),
        ):
            for score, (x, y, right, bottom) in zip(scores, of_kind.tolist(), strict=True):
                sides = dict(zip(_SIDES, (x, y, right - x, bottom - y), strict=True))
                row = {"path": path, "what": _KINDS[kind], **sides}
                scored.append((score, {**row, **{f"to_{k}": v for k, v in sides.items()}}))
    scored = [pair for pair in scored if pair[0] < 0.9]  # neither NaN nor sound
    return [row for _, row in sorted(scored, key=lambda pair: pair[0])]


def _ends(photos: NDArray[np.int64], count: int) -> list[tuple[int, int]]:
    return list(pairwise(np.searchsorted(photos, np.arange(count + 1)).tolist()))


def _share(unseen: pd.DataFrame, found: set[int], kind: str) -> float:
    rows = set(unseen.index[unseen["kind"] == kind])
    return len(rows & found) / max(1, len(rows))


def _planted_at(row: Mapping[str, object], unseen: pd.DataFrame) -> int:
    """Which planted error a suspect is; -1: none of them."""
    columns = [f"to_{side}" for side in _SIDES] if row["what"] == _KINDS["missing"] else _SIDES
    mine = unseen[(unseen["path"] == row["path"]) & (unseen["kind"].map(_KINDS) == row["what"])]
    if mine.empty:
        return -1
    x, y, w, h = (float(str(row[column])) for column in columns)
    corners = mine[_SIDES].to_numpy(np.float32, copy=True)
    corners[:, 2:] += corners[:, :2]
    shared = iou(np.array([[x, y, x + w, y + h]], np.float32), corners)[0]
    return int(mine.index[shared.argmax()]) if shared.max() >= 0.5 else -1


def _osprey(here: Path, *words: str) -> None:
    command = [sys.executable, "-m", "osprey", *words]
    subprocess.run(command, cwd=here, env=environment(), check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--share", type=float, default=0.04)
    parser.add_argument("settings", nargs="*")
    given = parser.parse_args()
    main(given.share, given.settings)
