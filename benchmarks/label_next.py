"""Photos chosen by ``osprey label-next`` against photos drawn by chance, on clothing.

    python benchmarks/label_next.py [--seeds 3] [--rounds 5]

A fifth of the training photos is labelled at first; each round as many again of what is left are
labelled as makes five rounds to 60%, chosen by the rule or by chance, and a head is fitted on
frozen features. Not part of ``make bench``: the features take minutes where they are not kept.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from common import REPOSITORY, environment, machine, real_data
from detect import interval
from torchmetrics.functional.classification import multiclass_f1_score

from osprey.runs.folder import RunFolder
from osprey.tasks.classification.probe.features import Features
from osprey.tasks.classification.probe.linear_probe import best_linear
from osprey.tasks.classification.probe.suspects import store_of
from osprey.tasks.next_photos import choose

_START, _END = 0.2, 0.6


def main(seeds: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        train, val, test, classes = features(Path(place))
    print(machine())
    each = round((_END - _START) * len(train.targets) / rounds)
    found = {
        how: [curve(how, seed, rounds, each, train, val, test, classes) for seed in range(seeds)]
        for how in ("chosen", "by chance")
    }
    print(f"{len(train.targets)} training photos, {each} labelled a round; test macro-F1")
    print("| labelled | chosen | by chance | difference |")
    print("|---|---|---|---|")
    for step in range(rounds + 1):
        ours, others = ([run[step] for run in found[how]] for how in found)
        apart = [a - b for a, b in zip(ours, others, strict=True)]
        share = _START + (_END - _START) * step / rounds
        print(f"| {share:.0%} | {interval(ours)} | {interval(others)} | {interval(apart)} |")


def features(here: Path) -> tuple[Features, Features, Features, int]:
    """Of a probe of the clothing photos."""
    words = ["experiment=probe", "data=folder", f"data.root={real_data('clothing')}"]
    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), *words, "export=null"]
    subprocess.run(command, cwd=here, env=environment(), check=True, stdout=subprocess.DEVNULL)
    run = RunFolder((here / "runs" / "latest").resolve())
    config = run.load_config()
    manifest = run.load_manifest(config.data.root)
    store, _, _ = store_of(run, config, manifest)
    train, val, test = (store.features(split) for split in ("train", "val", "test"))
    return train, val, test, len(manifest.classes)


def curve(
    how: str, seed: int, rounds: int, each: int, train: Features, val: Features, test: Features,
    classes: int,
) -> list[float]:  # fmt: skip
    """Test macro-F1 before the first round and after each."""
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(train.targets))
    known, left = np.split(order, [round(_START * len(order))])
    scores = []
    for number in range(rounds + 1):
        rows = torch.from_numpy(known)
        some = Features(train.values[rows], train.targets[rows], train.weights[rows])
        (weight, bias), _ = best_linear(some, val, classes)
        answers = test.values @ weight.T + bias
        scores.append(float(multiclass_f1_score(answers, test.targets, classes, average="macro")))
        if how == "chosen":
            values = train.values[torch.from_numpy(left)]
            probabilities = (values @ weight.T + bias).softmax(dim=1).numpy()
            rows_of = choose(values.numpy(), probabilities, each, seed * rounds + number)
            taken = np.array([row for row, _ in rows_of])
        else:
            taken = draw.permutation(len(left))[:each]
        known = np.concatenate([known, left[taken]])
        left = np.delete(left, taken)
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    main(arguments.seeds, arguments.rounds)
