"""Train a run from its current state to its end."""

from __future__ import annotations

from contextlib import suppress

import pytorch_lightning as pl
import torch

from osprey import __version__
from osprey.config.parse import LIGHTNING
from osprey.config.schema import ModelConfig, TrainConfig
from osprey.engine.console import print_rewrites
from osprey.engine.fit_own import fit_own
from osprey.engine.trainer import make_trainer, watchers_of
from osprey.errors import ConfigError, LimitReached, OutOfMemory
from osprey.models.checkpoint import METADATA_KEY, write_checkpoint
from osprey.runs.folder import RunFolder
from osprey.system.console import counted, say
from osprey.tasks.assemble import Assembly, assemble
from osprey.tasks.evaluation import Watchers
from osprey.tasks.quiet import quieten
from osprey.tasks.registry import get_task
from osprey.tuning.autotune import defaults, resolve_auto
from osprey.tuning.memory import is_out_of_memory
from osprey.tuning.resolve import may_try, resolve_settings
from osprey.tuning.trial import lay_out


def fit(run: RunFolder, config: TrainConfig, *, resolved: bool = False) -> Watchers:
    """Train, validate every epoch, keep the best and the last checkpoint.

    Resumes from ``last.ckpt`` if there is one. In a distributed run every process calls this.

    Args:
        run: The run folder.
        config: Its configuration.
        resolved: Whether ``auto`` settings were resolved before, for all processes.

    Returns:
        Callbacks and loggers of the configuration, for the test.

    Raises:
        Interrupted: After a signal; ``last.ckpt`` was saved.
        UserError: The model, its weights or the data cannot be used as configured, or memory is too
            small.
    """
    quieten(config.extras.ignore_warnings)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    resuming = run.last.is_file()
    if config.task.name == LIGHTNING:
        return fit_own(run, config)
    manifest = run.load_manifest(config.data.root)
    assembly = assemble(config, manifest, resuming=resuming)
    lines = [] if resolved else resolve_settings(assembly, config, run)
    trainer = make_trainer(config, run)
    if trainer.is_global_zero:
        _describe(assembly, config.model, trainer, run, resuming)
        for line in lines:
            say(line)
    if not resuming:
        device, first = trainer.strategy.root_device, trainer.is_global_zero
        begin_head(assembly, config.model, device, verbose=first)
    if config.trainer.max_epochs == 0:
        keep_as_it_is(assembly, run)
        return watchers_of(trainer)
    lay_out(assembly.task, defaults(config.trainer))
    try:
        with suppress(LimitReached):  # what is best by then is tested
            trainer.fit(
                assembly.task,
                assembly.data,
                ckpt_path=run.last if resuming else None,
                weights_only=True,
            )
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise _out_of_memory(config.data.batch_size) from None
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ConfigError(
            f"data.batch_size={config.data.batch_size} is one photo a device, and BatchNorm has "
            "nothing to compare it with: raise it, or add model.freeze_batchnorm=true"
        ) from None
    return watchers_of(trainer)


def _out_of_memory(batch_size: int) -> OutOfMemory:
    return OutOfMemory(
        f"out of memory: lower data.batch_size (it is {batch_size}) and raise "
        "trainer.accumulate by as much, or lower data.eval_batch_size or data.size"
    )


def begin_head(
    assembly: Assembly, model: ModelConfig, device: torch.device, *, verbose: bool = True
) -> None:
    """Initialise the head, if the configuration asks for it.

    Args:
        assembly: Its module is changed in place.
        model: Says how the head begins.
        device: Device to compute on.
        verbose: Print the result.

    Raises:
        ConfigError: ``model.head_init=linear_probe`` and the head is not a single linear layer.
    """
    plugin = get_task(assembly.task.metadata.task)
    plugin.prepare_head(assembly.task, assembly.data, model, device, verbose=verbose)


def keep_as_it_is(assembly: Assembly, run: RunFolder) -> None:
    """Write the checkpoint of a run without training: a linear probe, an ensemble.

    Args:
        assembly: Its module is moved to the CPU.
        run: The run folder.
    """
    task = assembly.task.cpu()
    content = {"state_dict": task.state_dict(), METADATA_KEY: task.metadata.to_dict()}
    write_checkpoint(content, run.best)


def resolve_for_processes(run: RunFolder, config: TrainConfig, processes: int) -> None:
    """Resolve ``auto`` settings before the processes of a distributed run are started.

    Args:
        run: The run folder, where the settings are written.
        config: Its configuration, changed in place.
        processes: Number of processes.

    Raises:
        ConfigError: Not even one photo fits in memory.
    """
    if config.task.name == LIGHTNING or not may_try(config.trainer, config.data):
        resolve_auto(config.trainer)
        run.save_config(config)
        return
    quieten(config.extras.ignore_warnings)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // processes))  # as each of them will have
    manifest = run.load_manifest(config.data.root)
    assembly = assemble(config, manifest, resuming=run.last.is_file())
    for line in resolve_settings(assembly, config, run, world=processes):
        say(line)
    torch.set_num_threads(threads)


def _describe(
    assembly: Assembly,
    model: ModelConfig,
    trainer: pl.Trainer,
    run: RunFolder,
    resuming: bool,
) -> None:
    device = trainer.strategy.root_device
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    many = f" x {trainer.world_size}" if trainer.world_size > 1 else ""
    say(f"osprey  {__version__}, torch {torch.__version__}, {where}{many}{threads}")
    parameters = sum(p.numel() for p in assembly.task.model.parameters())
    moving = sum(p.numel() for p in assembly.task.model.parameters() if p.requires_grad)
    frozen = f", {moving / 1e6:.2f} M of them trained" if moving < parameters else ""
    size = assembly.data.preprocess.size
    on = f" on {model.backbone}" if model.backbone else ""
    say(
        f"model   {model.name}{on}, {parameters / 1e6:.2f} M parameters{frozen}, "
        f"{size} x {size} px {assembly.data.preprocess.resize}; "
        + ("goes on from last.ckpt" if resuming else assembly.weights)
    )
    if assembly.note:
        say(f"note    {assembly.note}")
    print_rewrites(assembly.rewrites)
    left = assembly.data.left_over()
    if left and trainer.max_epochs:
        say(f"batches {counted(left, 'photo')} left over in each epoch, other ones each time")
    say(f"run     {run.path}")
