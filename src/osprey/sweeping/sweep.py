"""A sweep from its command line to its planned total."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from osprey.config.compose import current_call
from osprey.config.parse import typed_cost
from osprey.engine.loggers.wandb_sync import GROUP
from osprey.errors import ConfigError, Interrupted, UserError, exit_code_of
from osprey.reports.build import write_page
from osprey.runs.trial_mark import runs_of_sweep
from osprey.sweeping.about import ABOUT, About, new_about, read_about
from osprey.sweeping.board_page import PAGE, board_page
from osprey.sweeping.budget import Budget
from osprey.sweeping.crew import Crew
from osprey.sweeping.devices import check_devices, described
from osprey.sweeping.importances import importances
from osprey.sweeping.plan import Plan, make_plan
from osprey.sweeping.records import print_ranking, read_records
from osprey.sweeping.rows import boards_of, read_rows, spent_on
from osprey.sweeping.study import (
    JOURNAL,
    changes_of,
    equip,
    import_optuna,
    open_study,
    sign,
    with_other_space,
)
from osprey.sweeping.trial import note_failures
from osprey.sweeping.trials import Trials
from osprey.sweeping.work import Work
from osprey.system.console import counted, say, warn
from osprey.system.ending import at_the_end
from osprey.system.locks import FolderLock
from osprey.system.plugins import plugin_setting

if TYPE_CHECKING:
    from optuna.study import Study


def run_sweep(cfg: DictConfig, words: Sequence[str]) -> float | None:
    """Run a sweep, or go on with one.

    Args:
        cfg: What its command line composes, Hydra's own node too.
        words: The settings of its command line.

    Returns:
        The best trial's value; None with several objectives, or where no trial has one.

    Raises:
        Interrupted: After a signal; a line says how to go on.
        UserError: The sweep cannot be run as it is asked for.
    """
    import_optuna()
    plan = make_plan(cfg, words)
    resumed = plan.settings.resume
    folder = Path(str(cfg.hydra.sweep.dir) if resumed is None else resumed)
    if resumed is not None:
        _refuse_lost(folder, plan)
    folder.mkdir(parents=True, exist_ok=True)
    with FolderLock(folder, f"sweep '{folder}' is being run by another process"):
        try:
            return _run(cfg, words, plan, folder)
        except UserError:
            if not (folder / ABOUT).is_file():  # of a sweep that could not begin nothing stays
                (folder / JOURNAL).unlink(missing_ok=True)
                _discard(folder)
            raise


def _refuse_lost(folder: Path, plan: Plan) -> None:
    if plan.settings.storage is None and not (folder / JOURNAL).is_file():
        raise UserError(
            f"sweep.resume: '{folder}' has lost its {JOURNAL}: copy it again, name the study's "
            "place with sweep.storage=..., or begin a new sweep"
        )


def _discard(folder: Path) -> None:
    with suppress(OSError):
        for file in folder.glob(".lock"):
            file.unlink()
        folder.rmdir()


def _run(cfg: DictConfig, words: Sequence[str], plan: Plan, folder: Path) -> float | None:
    """The sweep, whose folder this process holds."""
    about = (
        read_about(folder)
        if plan.settings.resume is not None
        else new_about(plan.settings.study or folder.name)
    )
    about, study = _study(plan, folder, about)
    about.renewed(words, current_call().line.folder, plugin_setting()).write(folder)
    runs = runs_of_sweep(about.identity, Path(str(cfg.paths.runs)))
    trials = Trials(plan, study, folder, about.identity, runs)
    devices = check_devices(plan.settings)
    budget = Budget(typed_cost(cfg))
    at_the_end(budget.cost.on_end)
    _announce(plan, trials, folder, described(devices))
    crew = Crew(devices, {GROUP: os.environ.get(GROUP) or folder.name})
    work = Work(plan, trials, crew, folder, budget)
    go_on = shlex.join(["osprey", "train", "-m", f"sweep.resume={folder}", *plugin_setting()])
    try:
        why = work.run()
        crew.end()  # with a limit, or a first failure, some may still train: they save
        to_retry = _conclude(plan, trials, folder, work)
        if why:
            warn(f"sweep ended: {why}; to go on: {go_on}")
        elif to_retry:
            warn(f"{counted(to_retry, 'trial')} failed by what may have passed; again: {go_on}")
    except KeyboardInterrupt as stop:
        warn("stopping: trials save their last.ckpt ...")
        crew.end()
        warn(f"stopped; to go on: {go_on}")
        raise Interrupted(exit_code_of(stop)) from None
    finally:
        crew.end()
    return trials.best()


def _study(plan: Plan, folder: Path, about: About) -> tuple[About, Study]:
    """The study, of another space too where that is allowed."""
    settings = plan.settings
    study, begins = open_study(folder, settings, about.study, plan.directions)
    changes = changes_of(study, plan.signature)
    if changes and not settings.allow_changes:
        raise ConfigError(
            f"the sweep was of another space: {'; '.join(changes)}: leave that out, begin a new "
            "sweep, or accept it with sweep.allow_changes=true"
        )
    if changes:
        study, begins = with_other_space(study, plan), True
    sign(study, plan.signature)
    equip(study, plan, about.identity, begins=begins)
    return replace(about, study=study.study_name), study


def _announce(plan: Plan, trials: Trials, folder: Path, workers: str) -> None:
    space = plan.space
    say(f"sweep   {folder}")
    for dimension in space.dimensions:
        say(f"space   {dimension.key}={dimension.text}")
    if space.name is not None:
        say(f"space   {space.name}(trial)")
    endless = space.size == float("inf")
    size = "no end of combinations" if endless else counted(int(space.size), "combination")
    seeds = f" of {plan.settings.seeds} seeds" if plan.settings.seeds > 1 else ""
    how = f"{plan.settings.sampler}; {workers}"
    say(f"plan    {counted(plan.total, 'trial')}{seeds} ({size}), {how}")
    if trials.finished or trials.interrupted:
        going = len(trials.interrupted)
        more = f", {counted(going, 'interrupted one')} taken up again" if going else ""
        say(f"there   {counted(trials.finished, 'trial')} finished before{more}")


def _conclude(plan: Plan, trials: Trials, folder: Path, work: Work) -> int:
    """The ranking, the winner's report, and the page; how many trials a resume will retry."""
    records = read_records(folder)
    note_failures(any("failure" in record for record in records))
    config_dir = current_call().line.folder
    flags = [] if config_dir is None else ["--config-dir", str(config_dir)]
    print_ranking(records, shlex.join(["osprey", "train", *flags, *plugin_setting()]))
    if len(plan.settings.objectives) > 1:
        say(
            f"front   trials {', '.join(str(n + 1) for n in sorted(trials.front()))}: no other is "
            f"better in {' and '.join(plan.settings.objectives)} at once"
        )
    report = work.report_winner(records)
    if report is not None:
        say(f"report  {report}")
    rows = read_rows(folder)
    boards = boards_of(rows)
    same = sum(boards[0].alike) if boards else 0
    if same:
        say(f"note    {counted(same, 'other trial')} cannot be told from the best (95%)")
    if spent := spent_on(rows):
        say(f"spent   {spent} of training")
    page = board_page(folder.resolve().name, boards, rows, importances(folder))
    write_page(page, folder / PAGE)
    say(f"board   {folder / PAGE}")
    return sum(bool(record.get("retry")) for record in records)
