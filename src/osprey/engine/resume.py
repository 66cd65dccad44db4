"""``osprey train resume=RUN``: go on with a run as it was configured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from osprey.config.call import plugins_in, read_call
from osprey.config.compose import compose_call
from osprey.config.schema import TrainConfig
from osprey.errors import ConfigError, UserError, nearest
from osprey.runs.folder import RunFolder, find_run
from osprey.system.console import counted
from osprey.system.plugins import load_installed, load_plugins
from osprey.tasks.checks import validate_run

# What may differ when a run goes on. Anything else would not fit its checkpoint, or be ignored.
CHANGEABLE = (
    *("trainer.max_epochs", "trainer.accelerator", "trainer.devices", "trainer.strategy"),
    *("data.num_workers", "data.eval_batch_size", "data.cache", "data.root", "plugins"),
    *("callbacks.early_stopping", "callbacks.progress", "export", "logger.", "paths.", "cost."),
)


def resume(argv: list[str]) -> RunFolder:
    """Go on with a run as it was configured; what shapes model or schedule stays as it was.

    Args:
        argv: ``resume=RUN`` and what may change.

    Returns:
        The run, trained to its end and tested.

    Raises:
        UserError: There is no such run, or a setting cannot be changed.
    """
    from osprey.data.folders import check_photos
    from osprey.engine.devices import process_count
    from osprey.engine.experiment import go_on

    changes = _parse_resume(argv)
    word = str(changes.pop("resume"))
    load_installed()
    load_plugins(plugins_in(argv))
    run = find_run(word, Path(str(changes.get("paths.runs", "runs"))), resumable=True)
    if not run.last.is_file():
        raise UserError(f"run '{run.path}' has no last.ckpt to go on from")
    config = run.load_config(list(changes.items()))
    config.resume = word  # pretrained weights are not read again and need not be there
    validate_run(config)
    process_count(config.trainer, config.data)
    if not config.data.is_foreign:
        check_photos(run.load_manifest(config.data.root))
    with run.held():
        _refuse_fewer_epochs(run, config.trainer.max_epochs)
        run.save_config(config)
        run.reopen()
        go_on(run, config)
    return run


def _refuse_fewer_epochs(run: RunFolder, wanted: int) -> None:
    """Refuse, before anything of the run is changed, what its checkpoint cannot go on to."""
    from osprey.models.checkpoint import read_checkpoint

    begun = int(read_checkpoint(run.last)["epoch"]) + 1
    if wanted < begun:
        raise ConfigError(
            f"trainer.max_epochs={wanted}: run '{run.path}' has begun {counted(begun, 'epoch')}: "
            f"give {begun} or more, or leave it out"
        )


def _devices_of(word: str) -> list[str]:
    """``trainer=ddp_sim`` as the settings of devices that this option makes; else the word."""
    if not word.startswith("trainer="):
        return [word]
    call = read_call("train", [word], "osprey train")
    chosen = compose_call(call, call.words).trainer
    return [f"trainer.{key}={chosen[key]}" for key in ("accelerator", "devices", "strategy")]


def _parse_resume(argv: list[str]) -> dict[str, Any]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from osprey.config.errors import explain
    from osprey.config.overrides import quoted

    argv = [part for word in argv for part in _devices_of(word)]
    if any(word.startswith("-") for word in argv):
        raise ConfigError("resume goes on with one run: it takes key=value settings and no flags")
    try:
        parsed = OverridesParser.create().parse_overrides(quoted(argv, TrainConfig))
    except HydraException as error:
        raise explain(error) from None
    for override in parsed:
        key = override.get_key_element()
        if key != "resume" and not key.startswith(CHANGEABLE):
            near = nearest(key, CHANGEABLE)
            raise ConfigError(
                f"resume goes on with a run as it was: '{key}' cannot be changed{near} "
                f"(these can: {', '.join(CHANGEABLE)}); to start anew leave resume out"
            )
        if override.is_sweep_override():
            raise ConfigError(f"resume goes on with one run: give '{key}' one value")
    return {o.get_key_element(): o.value() for o in parsed}
