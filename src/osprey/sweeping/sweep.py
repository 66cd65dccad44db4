"""A sweep from its plan to its planned total: asks the study, gives out work, keeps what comes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from osprey.config.compose import current_call
from osprey.config.parse import typed_cost
from osprey.errors import Interrupted, UserError, exit_code_of
from osprey.reports.build import write_page
from osprey.runs.trial_mark import TrialMark, runs_of_sweep
from osprey.sweeping.about import ABOUT, write_about
from osprey.sweeping.board_page import PAGE, board_page
from osprey.sweeping.budget import Budget
from osprey.sweeping.crew import Crew
from osprey.sweeping.devices import check_devices, described
from osprey.sweeping.importances import importances
from osprey.sweeping.jobs import Done, Job
from osprey.sweeping.plan import Plan, make_plan
from osprey.sweeping.records import print_ranking, ranked, read_records
from osprey.sweeping.rows import boards_of, read_rows
from osprey.sweeping.study import JOURNAL, check_same, import_optuna, open_study
from osprey.sweeping.trial import note_failures
from osprey.sweeping.trials import Trials
from osprey.system.console import counted, say, warn
from osprey.system.ending import KEY, at_the_end
from osprey.system.locks import LOCK, FolderLock
from osprey.system.plugins import plugin_setting

_WHOLE = (KEY, "cost.max_")  # settings of the whole sweep, not of each trial
_PRINTED = "log"  # folder of what trials print


def run_sweep(cfg: DictConfig, words: Sequence[str]) -> float | list[float] | None:
    """Run a sweep, or go on with one.

    Args:
        cfg: What its command line composes, Hydra's own node too.
        words: The settings of its command line.

    Returns:
        The best trial's value, or values with several objectives; None where no trial has one.

    Raises:
        Interrupted: After a signal; a line says how to go on.
        UserError: The sweep cannot be run as it is asked for.
    """
    import_optuna()
    plan = make_plan(cfg, words)
    folder = _folder(cfg, plan)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FolderLock(folder, f"sweep '{folder}' is being run by another process"):
            return _run_held(cfg, words, plan, folder)
    except UserError:
        _discard_if_unused(folder)
        raise


def _discard_if_unused(folder: Path) -> None:
    """Of a sweep that could not begin nothing stays."""
    if not (folder / ABOUT).is_file():
        for file in (folder / JOURNAL, folder / LOCK):
            file.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def _run_held(
    cfg: DictConfig, words: Sequence[str], plan: Plan, folder: Path
) -> float | list[float] | None:
    """The sweep, whose folder this process holds."""
    settings = plan.settings
    study = open_study(folder, settings, plan.directions, plan.seed, plan.max_epochs)
    check_same(study, plan.signature, allowed=settings.allow_changes)
    write_about(folder, words, current_call().line.folder, plugin_setting())
    runs = Path(cfg.hydra.runtime.cwd) / str(cfg.paths.runs)
    trials = Trials(plan, study, folder, runs_of_sweep(str(folder.resolve()), runs))
    devices = check_devices(settings)
    budget = Budget(typed_cost(cfg))
    at_the_end(budget.cost.on_end)
    _announce(plan, trials, folder, described(devices, settings))
    crew = Crew(devices, {"WANDB_RUN_GROUP": folder.name})
    try:
        _work(plan, trials, crew, folder, budget)
        records = read_records(folder)
        note_failures(any("failure" in record for record in records))
        print_ranking(records, "osprey train")
        _report_winner(plan, records, crew, folder)
        _write_board(folder)
    except KeyboardInterrupt as stop:
        warn("stopping: trials save their last.ckpt ...")
        crew.end()
        warn(f"stopped; to go on: {_go_on(folder)}")
        raise Interrupted(exit_code_of(stop)) from None
    finally:
        crew.end()
    return trials.best()


def _go_on(folder: Path) -> str:
    return shlex.join(["osprey", "train", "-m", f"sweep.resume={folder}", *plugin_setting()])


def _folder(cfg: DictConfig, plan: Plan) -> Path:
    if plan.settings.resume is not None:
        return Path(plan.settings.resume)
    return Path(str(cfg.hydra.sweep.dir))


def _announce(plan: Plan, trials: Trials, folder: Path, workers: str) -> None:
    space = plan.space
    say(f"sweep   {folder}")
    for dimension in space.dimensions:
        say(f"space   {dimension.key}={dimension.text}")
    if space.name is not None:
        say(f"space   {space.name}(trial)")
    size = (
        "no end of combinations"
        if space.size == float("inf")
        else counted(int(space.size), "combination")
    )
    seeds = f" of {plan.settings.seeds} seeds" if plan.settings.seeds > 1 else ""
    say(
        f"plan    {counted(plan.total, 'trial')}{seeds} ({size}), "
        f"{plan.settings.sampler}; {workers}"
    )
    if trials.finished or trials.interrupted:
        going = len(trials.interrupted)
        more = f", {counted(going, 'interrupted one')} taken up again" if going else ""
        say(f"there   {counted(trials.finished, 'trial')} finished before{more}")


def _work(plan: Plan, trials: Trials, crew: Crew, folder: Path, budget: Budget) -> None:
    """Until the planned total is there, or too many have failed."""
    while True:
        while not trials.enough_failed() and not budget.spent and (worker := crew.idle()):
            job = trials.next_job(lambda mark, words, run: _job(plan, folder, mark, words, run))
            if job is None:
                break
            crew.give(worker, job)
        if not crew.busy():
            break
        for worker, job, news in crew.events(budget.seconds):
            if isinstance(news, Done):
                line = trials.note(job.mark, news.record)
                if line is not None:
                    say(line)
            else:
                with suppress(OSError):  # a worker that has just died is noticed next time
                    worker.pipe.send(trials.ends_early(job.mark, news.number, news.value))
        if budget.spent or (trials.enough_failed() and plan.settings.fail_fast):
            break
    if trials.enough_failed():
        warn(f"sweep ended: {trials.why_ended()}")
    elif budget.spent and trials.finished < plan.total:
        say(f"limit   {budget.setting} reached: {trials.finished} of {plan.total} trials done")
        crew.end()  # those that train save their checkpoint
        say(f"to go on: {_go_on(folder)}")


def _job(plan: Plan, folder: Path, mark: Any, words: list[str], run: Path | None) -> Job:
    """What a worker needs for one training."""
    config_dir = current_call().line.folder
    flags = [] if config_dir is None else ["--config-dir", str(config_dir)]
    quiet = ["extras.report=false"] if plan.settings.reports == "winner" else []
    named = f"{mark.number:05d}" + (f"-{mark.repeat}" if plan.settings.seeds > 1 else "")
    return Job(
        mark,
        (
            *flags,
            *(word for word in words if not word.startswith(_WHOLE)),
            *quiet,
        ),
        _log(folder, named),
        run,
        _plugins(),
        plan.settings.keep_pruned,
        "speed" in plan.settings.objectives,
    )


def _report_winner(plan: Plan, records: list[dict[str, Any]], crew: Crew, folder: Path) -> None:
    """The report of the best trial, whose pictures the others went without."""
    done, _ = ranked(records)
    worker = crew.idle()
    if not done or worker is None or plan.settings.reports == "all":
        return
    run = Path(done[0]["run"])
    if not (run / "report.html").is_file():
        mark = TrialMark(str(folder.resolve()), done[0]["number"], 0)
        plugins = _plugins()
        crew.give(worker, Job(mark, (), _log(folder, "report"), run, plugins, report_only=True))
        while crew.busy():
            for _ in crew.events():
                pass
    if (run / "report.html").is_file():
        say(f"report  {run / 'report.html'}")


def _write_board(folder: Path) -> None:
    rows = read_rows(folder)
    page = board_page(folder.resolve().name, boards_of(rows), rows, importances(folder))
    write_page(page, folder / PAGE)
    say(f"board   {folder / PAGE}")


def _plugins() -> tuple[str, ...]:
    return tuple(name for word in plugin_setting() for name in word[9:-1].split(","))


def _log(folder: Path, name: str) -> Path:
    return (folder / _PRINTED / f"{name}.log").absolute()
