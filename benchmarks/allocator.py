"""What it gives that a CPU's freed memory stays with the process: MobileNetV2 at 224 px."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from common import Row, environment, finish, row

BATCHES = {"answers, batches of 64": (64, False), "training, batches of 16": (16, True)}
SECONDS = 4.0


def rate(batch: int, training: bool) -> float:
    """Images a second, in this process."""
    import timm
    import torch

    layout = torch.channels_last
    model = timm.create_model("mobilenetv2_100").to(memory_format=layout).train(training)
    images = torch.rand(batch, 3, 224, 224).to(memory_format=layout)

    def step() -> None:
        with torch.set_grad_enabled(training):
            answers = model(images)
        if training:
            answers.sum().backward()
            model.zero_grad()

    step()
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        step()
        steps += 1
    return steps * batch / (time.perf_counter() - started)


def elsewhere(more: dict[str, str]) -> list[float]:
    """The rates in a process of its own: what is set of an allocator stays so."""
    words = [sys.executable, __file__, "here"]
    place = environment(**more)
    done = subprocess.run(words, env=place, text=True, capture_output=True, check=True)
    return [float(word) for word in done.stdout.split()]


def main(turns: int = 2) -> list[Row]:
    # A setting of the user's own, here one that changes nothing, is left as it is.
    pairs = [(elsewhere({}), elsewhere({"MALLOC_PERTURB_": "0"})) for _ in range(turns)]
    rows = []
    for number, what in enumerate(BATCHES):
        ours, theirs = ([rates[number] for rates in way] for way in zip(*pairs, strict=True))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        medians = statistics.median(ours), statistics.median(theirs)
        note = f"{medians[0]:.0f} over {medians[1]:.0f} images/s"
        rows.append(row(f"freed memory kept, {what}", ratios, "x", goal=1.0, note=note))
    return rows


if __name__ == "__main__":
    if sys.argv[1:] == ["here"]:
        from osprey.system.allocator import keep_freed_memory

        keep_freed_memory()
        print(*(rate(*how) for how in BATCHES.values()))
    else:
        finish(main())
