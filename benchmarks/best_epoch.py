"""Which epoch is best: rules that choose one by validation, judged by what it scores on test.

    python benchmarks/best_epoch.py train FOLDER [SET ...]     # trainings, every epoch kept
    python benchmarks/best_epoch.py judge FOLDER               # the rules' table

All rules are judged on the same trainings. Each set is also scored with the rule that was best on
the other sets. Not part of ``make bench``: a training takes minutes. ``train`` goes on where it
was interrupted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import REPOSITORY, machine
from detect import environment, interval, reef

from osprey.runs.folder import RunFolder
from osprey.tasks.bootstrap import drawn_photos
from osprey.tasks.classification.draws import figure_in_draws
from osprey.tasks.detection.draws import OVERLAPS_OF, mean_aps
from osprey.tasks.detection.report.record import found_in, truth_of

# Smaller than the recipes' own sizes, for minutes; the photos and splits are the sets' own.
CLOTHING = ["data.size=160", "data.train_size=128"]
KEEP = (
    "+callbacks.each={_target_: pytorch_lightning.callbacks.ModelCheckpoint,"
    "save_top_k: -1, filename: 'each_{epoch}'}"
)
SETS: dict[str, tuple[int, list[str]]] = {  # seeds, settings
    "harbour": (5, []),
    "clothing": (3, ["experiment=clothing_finetune", *CLOTHING]),
    "blood_cells": (3, ["experiment=blood_cells", "data.size=160", "trainer.max_epochs=20"]),
    "reef": (5, ["experiment=detect", "data.size=320", "trainer.max_epochs=6"]),
}
MONITOR = {"classification": "macro_f1", "detection": "map"}
RULES = ("highest", "log_loss", "last", "within_error")
DRAWS = 200


def train(folder: Path, names: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        seeds, words = SETS[name]
        for seed in range(seeds):
            place = folder / f"{name}_{seed}"
            if (place / "epochs.json").is_file():
                continue
            place.mkdir(exist_ok=True)
            more = []
            if name == "clothing":
                osprey(place, "experiment=clothing_probe", CLOTHING[0])
                more = ["from=latest"]
            if name == "reef":
                more = reef(place)
            osprey(place, *words, *more, f"seed={seed}", KEEP)
            run = RunFolder((place / "runs" / "latest").resolve())
            epochs = [judged(run, file) for file in sorted(run.last.parent.glob("each_*.ckpt"))]
            epochs.sort(key=lambda epoch: epoch["epoch"])
            (place / "epochs.json").write_text(json.dumps(epochs))
            print(name, seed, [round(e["test"], 3) for e in epochs], flush=True)


def osprey(place: Path, *words: str) -> None:
    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), *words, "export=null"]
    subprocess.run(command, cwd=place, env=environment(), check=True, stdout=subprocess.DEVNULL)


def judged(run: RunFolder, checkpoint: Path) -> dict[str, Any]:
    """One epoch's answers about both splits: the monitored figure, its error, the log loss."""
    from osprey.models.checkpoint import read_checkpoint
    from osprey.tasks.registry import get_task

    config = run.load_config()
    manifest = run.load_manifest(config.data.root)
    task, key = get_task(config.task.name), MONITOR[config.task.name]
    epoch = {"epoch": int(read_checkpoint(checkpoint)["epoch"])}
    table = run.path / "answers.csv"
    epoch["test"] = task.test(checkpoint, config, manifest, "test", table)[key]
    epoch["val"] = task.test(checkpoint, config, manifest, "val", table)[key]
    part = manifest.split("val").table
    draws = drawn_photos([], len(part), DRAWS)
    if config.task.name == "classification":
        frame = pd.read_csv(table)
        given = frame.to_numpy()[
            np.arange(len(frame)), [frame.columns.get_loc(f"p:{c}") for c in frame["label"]]
        ].astype(float)
        truth, answer = frame["label"].to_numpy(str), frame["predicted"].to_numpy(str)
        values = figure_in_draws(key, truth, answer, given, draws)
        epoch["log_loss"] = fitted_log_loss(frame)
    else:
        paths, classes = part["path"].tolist(), manifest.classes
        found = found_in(table, paths, classes)
        values = mean_aps(found, truth_of(part["boxes"], classes), OVERLAPS_OF[key], draws).mean(0)
    epoch["error"] = float(np.nanstd(values))
    return epoch


def fitted_log_loss(frame: pd.DataFrame) -> float:
    """After the temperature that fits these photos best."""
    import torch

    from osprey.tasks.classification.temperature import fit_temperature

    columns = [column for column in frame.columns if column.startswith("p:")]
    logits = torch.tensor(frame[columns].to_numpy()).clamp_min(1e-12).log()
    targets = torch.tensor([columns.index(f"p:{label}") for label in frame["label"]])
    temperature = fit_temperature(logits, targets)
    return float(torch.nn.functional.cross_entropy(logits / temperature, targets))


def chosen(rule: str, epochs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The epoch that a rule takes; None where it needs what the task has not."""
    if rule == "last":
        return epochs[-1]
    if rule == "log_loss":
        return min(epochs, key=lambda e: e["log_loss"]) if "log_loss" in epochs[0] else None
    highest = max(epochs, key=lambda e: e["val"])
    if rule == "highest":
        return highest
    near = [e for e in epochs if e["val"] >= highest["val"] - highest["error"]]
    return near[-1]


def judge(folder: Path) -> None:
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    best: dict[str, list[float]] = defaultdict(list)
    for file in sorted(folder.glob("*/epochs.json")):
        name, epochs = file.parent.name.rsplit("_", 1)[0], json.loads(file.read_text())
        best[name].append(max(e["test"] for e in epochs))
        for rule in RULES:
            if (epoch := chosen(rule, epochs)) is not None:
                scores[name][rule].append(epoch["test"])
    print(machine())
    print(f"| set (seeds) | {' | '.join(RULES)} | best rule elsewhere: its score | best epoch |")
    print("|---|" + "---|" * (len(RULES) + 2))
    for name, found in scores.items():
        rule = winner({other: each for other, each in scores.items() if other != name}, found)
        cells = [interval(found[r]) if found[r] else "" for r in RULES]
        elsewhere = f"{rule}: {np.mean(found[rule]):.3f}" if rule else ""
        print(
            f"| {name} ({len(best[name])}) | {' | '.join(cells)} | {elsewhere} | "
            f"{np.mean(best[name]):.3f} |"
        )
    print("over all sets:", winner(scores, {rule: [0.0] for rule in RULES}))


def winner(sets: dict[str, dict[str, list[float]]], able: dict[str, list[float]]) -> str | None:
    """The rule that lost least against the best rule of each set, of those that are possible."""
    if not sets:
        return None
    lost: dict[str, list[float]] = defaultdict(list)
    for found in sets.values():
        means = {rule: float(np.mean(each)) for rule, each in found.items() if each}
        for rule, mean in means.items():
            lost[rule].append(max(means.values()) - mean)
    return min((rule for rule in lost if able.get(rule)), key=lambda rule: np.mean(lost[rule]))


if __name__ == "__main__":
    what, place, *given = sys.argv[1:]
    if what == "train":
        train(Path(place).resolve(), given or list(SETS))
    else:
        judge(Path(place).resolve())
