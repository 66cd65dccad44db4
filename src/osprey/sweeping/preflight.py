"""Every trial of a sweep is composed and checked before the first one begins."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict

from osprey.config.call import Call
from osprey.config.compose import compose_call, explained, opened
from osprey.errors import ConfigError, UserError
from osprey.sweeping.devices import check_devices
from osprey.sweeping.plan import OSPREYS, make_plan, samples_to_check
from osprey.sweeping.study import import_optuna


def refuse_sweep_words(words: Sequence[str]) -> None:
    """Refuse settings of a sweep where there is none.

    Raises:
        ConfigError: One is set; the line says what is missing.
    """
    for word in words:
        if word.startswith(("sweep=", "sweep.")) and word != "sweep=null":
            raise ConfigError(f"{word} is of a sweep: add -m")


def check_trials(call: Call, check: Callable[[DictConfig, list[str]], None]) -> None:
    """Compose and check every trial of a sweep before the first one begins.

    Another's sweeper finds its trials as it goes: of those nothing is known yet.

    Args:
        call: The sweep.
        check: Given a trial's configuration and settings, raises where they cannot be used.

    Raises:
        UserError: A trial cannot be composed or used; the line names it.
    """
    trials = list(trials_to_check(call))
    for words, shown in trials:
        mistake = _mistake(call, words, check)
        if mistake is None:
            continue
        last = trials[-1][0]
        if len(trials) == 1 or (
            words is not last and str(_mistake(call, last, check)) == str(mistake)
        ):
            raise mistake  # of all trials
        raise ConfigError(f"{mistake} (in the trial {' '.join(shown)})")


def _mistake(
    call: Call, words: list[str], check: Callable[[DictConfig, list[str]], None]
) -> UserError | None:
    """Why one trial cannot be used."""
    try:
        cfg = compose_call(call, words, with_hydra=True)
        with opened(call):  # what a trial asks of Hydra while it runs
            HydraConfig.instance().set_config(cfg)
            with open_dict(cfg):
                del cfg["hydra"]
            check(cfg, list(words))
    except UserError as error:
        return error
    return None


def trials_to_check(call: Call) -> Iterator[tuple[list[str], list[str]]]:
    """The settings of each trial, and those of them that differ between trials."""
    with opened(call):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        sweep = hydra.compose_config(
            config_name=call.config_name,
            overrides=list(call.words),
            run_mode=RunMode.MULTIRUN,
            with_log_configuration=False,
            from_shell=False,
            validate_sweep_overrides=False,
        )
        sweeper = sweep.hydra.sweeper
        target = str(sweeper._target_)
        params = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()]
        parser = OverridesParser.create(config_loader=hydra.config_loader)
        if sweep.get("sweep") is not None and target != OSPREYS:
            raise ConfigError(
                f"hydra/sweeper: sweep=... brings a sweeper of its own, not {target}: leave one out"
            )
        _refuse_without_slurm(str(sweep.hydra.launcher._target_))
        if target.endswith(".BasicSweeper"):
            parsed = parser.parse_overrides([*params, *call.words])
    if target == OSPREYS:
        import_optuna()
        plan = make_plan(sweep, call.words)
        check_devices(plan.settings)
        yield from ((plan.words(drawn, 0), drawn) for drawn in samples_to_check(plan))
    elif target.endswith(".BasicSweeper"):
        swept = {o.get_key_element() for o in parsed if o.is_sweep_override()}
        with explained(call):
            (trials,) = BasicSweeper.split_arguments(parsed, None)
        for words in trials:
            yield words, [word for word in words if word.partition("=")[0] in swept] or words


def _refuse_without_slurm(launcher: str) -> None:
    if launcher.endswith(".SlurmLauncher") and shutil.which("srun") is None:
        raise ConfigError(
            "hydra/launcher=submitit_slurm: there is no srun here: start the sweep on a machine of "
            "the cluster, or use hydra/launcher=submitit_local"
        )
