"""``osprey find lr|batch_size``: try out a number on what ``osprey train`` would train."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from osprey.config.chosen import overrides_of_job
from osprey.config.compose import run_hydra
from osprey.config.parse import LIGHTNING
from osprey.config.stamp import new_stamp
from osprey.errors import ConfigError, UserError, nearest
from osprey.runs.donor import with_runs_named
from osprey.system.console import say
from osprey.system.files import write_csv

if TYPE_CHECKING:
    import torch

    from osprey.config.schema import TrainConfig, TrainerConfig
    from osprey.data.prepare import Prepared
    from osprey.tasks.assemble import Assembly

_FINDABLE = ("lr", "batch_size")
_USAGE = """Try out a number on the model, data and settings you would train with.

  osprey find lr          learning-rate range test: the loss while the rate rises
  osprey find batch_size  images a second and memory of each batch size

Settings follow as for 'osprey train', which lists them ('osprey train --help'). Example:

  osprey find lr data=folder data.root=PHOTOS model=resnet18

A table and a plot are written to runs/find/; nothing else is changed."""


def main(argv: list[str]) -> int:
    """Find what the first word names, on the settings of the others."""
    if any(word in ("-h", "--help", "help") for word in argv):
        say(_USAGE)
        return 0
    if not argv:
        raise ConfigError("say what to find: lr or batch_size ('osprey find --help' says more)")
    what, words = argv[0], with_runs_named(argv[1:])
    if what not in _FINDABLE:
        hint = nearest(what, _FINDABLE)
        raise ConfigError(f"'{what}' cannot be found{hint} (there are: {', '.join(_FINDABLE)})")
    if any(word in ("-m", "--multirun") or word.startswith("resume=") for word in words):
        raise ConfigError("find tries one configuration: it takes no -m and no resume")
    finder = _find_lr if what == "lr" else _find_batch

    def job(cfg: DictConfig) -> None:
        from osprey.engine.prepare import check_and_prepare

        overrides = overrides_of_job()
        config, prepared, _ = check_and_prepare(cfg, overrides)
        if prepared is None or config.task.name == LIGHTNING:
            raise ConfigError("find tries Osprey's own tasks: yours has a loop of its own")
        assembly, device = _assemble(config, prepared)
        folder = Path(config.paths.runs) / "find" / new_stamp()
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise UserError(f"paths.runs: cannot write to '{folder}' ({error.strerror})") from None
        key, value = finder(assembly, config.trainer, device, config.name, folder)
        kept = [word for word in overrides if word.partition("=")[0].lstrip("+") != key]
        say(f"wrote   {folder / what}.png and .csv")
        say()
        say("next:")
        say(f"  {shlex.join(['osprey', 'train', *kept, f'{key}={value}'])}")

    run_hydra("train", words, job, f"osprey find {what}")
    return 0


def _assemble(config: TrainConfig, prepared: Prepared) -> tuple[Assembly, torch.device]:
    import pytorch_lightning as pl

    from osprey.engine.fit import begin_head
    from osprey.tasks.assemble import assemble
    from osprey.tasks.loading import run_device
    from osprey.tasks.quiet import quieten
    from osprey.tuning.autotune import resolve_auto

    if config.model.factory == "ensemble" or config.trainer.max_epochs == 0:
        raise ConfigError("find needs something to train: an ensemble or a probe has no steps")
    quieten()
    pl.seed_everything(config.seed, workers=True, verbose=False)
    resolve_auto(config.trainer)
    config.trainer.compile = False  # minutes of compiling would buy a few seconds here
    assembly = assemble(config, prepared.manifest, resuming=False)
    device = run_device(config.trainer)
    begin_head(assembly, config.model, device)
    return assembly, device


def _find_lr(
    assembly: Assembly, trainer: TrainerConfig, device: torch.device, name: str, folder: Path
) -> tuple[str, str]:
    from osprey.reports.line_chart import line_chart
    from osprey.tuning.find_lr import HIGH, suggest, sweep_rates

    sweep = sweep_rates(assembly, trainer, device)
    rate = suggest(sweep.rates, sweep.smooth)
    rows = zip(sweep.rates, sweep.losses, sweep.smooth, strict=True)
    write_csv(folder / "lr.csv", ("lr", "loss", "smooth"), rows)
    line_chart(
        folder / "lr.png",
        sweep.rates,
        sweep.smooth,
        title=f"Learning-rate range test: {name}, suggested {rate:g}",
        x_label="learning rate",
        y_label="training loss (running mean)",
        mark=rate,
    )
    last = sweep.rates[-1]
    end = "without diverging" if last >= HIGH * 0.999 else "where the loss diverged"
    say(f"tried   {len(sweep.rates)} rates from {sweep.rates[0]:g} to {last:.2g}, {end}")
    say(f"found   optimizer.lr={rate:g}; it is {assembly.task.settings.optimizer.lr:g} now")
    return "optimizer.lr", f"{rate:g}"


def _find_batch(
    assembly: Assembly, trainer: TrainerConfig, device: torch.device, name: str, folder: Path
) -> tuple[str, str]:
    from osprey.reports.line_chart import line_chart
    from osprey.tuning.find_batch import measure_batches, suggest_batch

    found, why = measure_batches(assembly, trainer, device)
    best = suggest_batch(found)
    sizes, rates = [f.batch for f in found], [f.rate for f in found]
    header = ("batch_size", "images_per_second", "memory_mb")
    rows = zip(sizes, rates, [f.memory for f in found], strict=True)
    write_csv(folder / "batch_size.csv", header, rows)
    line_chart(
        folder / "batch_size.png",
        sizes,
        rates,
        title=f"Batch size: {name}, suggested {best}",
        x_label="batch size",
        y_label="training images a second",
        mark=best,
    )
    say("batch  images/s  memory")
    for figure in found:
        say(f"{figure.batch:>5}  {figure.rate:>8.1f}  {figure.memory:>6.0f} MB")
    say(f"found   data.batch_size={best}, within 5% of the fastest ({why})")
    return "data.batch_size", str(best)
