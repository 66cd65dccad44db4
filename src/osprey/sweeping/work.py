"""The work of a sweep: workers are given trainings until the planned total is there."""

from __future__ import annotations

import csv
import shutil
import time
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from osprey.config.compose import current_call
from osprey.errors import UserError
from osprey.runs.folder import RunFolder
from osprey.runs.trial_mark import TrialMark
from osprey.sweeping.budget import Budget
from osprey.sweeping.crew import Crew
from osprey.sweeping.jobs import Epoch, Job, News, Timed
from osprey.sweeping.plan import Plan
from osprey.sweeping.records import ranked
from osprey.sweeping.trials import Trials
from osprey.system.console import counted, in_minutes, say
from osprey.system.ending import KEY
from osprey.system.plugins import plugin_setting

_WHOLE = (KEY, "cost.max_")  # settings of the whole sweep, not of each trial
_PRINTED = "log"  # folder of what trials print


class Work:
    """Gives trainings to workers, and takes what they say.

    Args:
        plan: The sweep.
        trials: Its trials.
        crew: Its workers.
        folder: Its folder.
        budget: What it may take.
    """

    def __init__(
        self, plan: Plan, trials: Trials, crew: Crew, folder: Path, budget: Budget
    ) -> None:
        self.plan = plan
        self.trials = trials
        self.crew = crew
        self.folder = folder
        self.budget = budget
        self.foreseen = self.measured = False
        self.begun: dict[TrialMark, float] = {}  # when each training began, as if in one piece

    def run(self) -> str:
        """Until the planned total is there, the budget is spent, or too many have failed.

        Returns:
            Why it ended before the total; empty at the total.

        Raises:
            UserError: The machine can go on with no training, as with a full disk.
        """
        while True:
            self._give_out()
            if not self.crew.busy():
                break
            for job, news in self.crew.events(self.budget.seconds):
                self._take(job, news)
            if self.budget.spent or (self._failed() and self.plan.settings.fail_fast):
                break
        if self._failed():
            return self.trials.why_ended()
        if self.budget.spent and self.trials.finished < self.plan.total:
            done = f"{self.trials.finished} of {self.plan.total} trials done"
            return f"{self.budget.setting} reached, {done}"
        return ""

    def _failed(self) -> bool:
        return self.trials.enough_failed()

    def _give_out(self) -> None:
        while not self._failed() and not self.budget.spent:
            worker = self.crew.idle()
            job = None if worker is None else self.trials.next_job(self._job)
            if worker is None or job is None:
                return
            if not self.crew.give(worker, job):
                self.trials.put_back(job.mark, job.before)
                continue
            self.begun[job.mark] = time.monotonic() - 60 * _minutes_before(job)

    def _take(self, job: Job, news: News) -> None:
        if isinstance(news, Timed):
            self._foresee(news)
            return
        if isinstance(news, Epoch):
            self.crew.answer(job, self.trials.ends_early(job.mark, news.number, news.value))
            return
        if news.system:
            self.trials.put_back(job.mark, job.before)
            raise UserError(
                f"{news.record['failure']}; trials that were interrupted go on with "
                f"sweep.resume={self.folder}"
            )
        if news.stopped:
            self.trials.put_back(job.mark, news.run)
            return
        line = self.trials.note(job.mark, {**self._spent(job), **news.record})
        if line is not None:
            say(line)
            self._foresee_better(news.record)

    def _spent(self, job: Job) -> dict[str, float]:
        """What a training has taken that says nothing of it itself, as it came to no end."""
        minutes = (time.monotonic() - self.begun.pop(job.mark)) / 60
        usd = self.budget.cost.usd_of(minutes, job.sharers)
        return {"minutes": round(minutes, 2), **({} if usd is None else {"usd": round(usd, 4)})}

    def _foresee(self, news: Timed) -> None:
        """Say once, in the first trial's first epoch, what all that are left will take."""
        left = self.plan.total - self.trials.finished
        if not self.foreseen:
            self.foreseen = True
            self._estimate(f"time    {counted(left, 'trial')} like this", left, *astuple(news))

    def _foresee_better(self, record: dict[str, Any]) -> None:
        """Say once, by the first trial that was trained, what the others will take."""
        left = self.plan.total - self.trials.finished
        if self.measured or "value" not in record or not left:
            return
        self.measured = True
        files = (file for file in Path(record["run"]).rglob("*") if file.is_file())
        size = sum(file.stat().st_size for file in files)
        self._estimate(f"others  {counted(left, 'trial')}", left, record["minutes"], size)

    def _estimate(self, what: str, trials: int, minutes: float, size: int) -> None:
        """Say what so many trials take, by the minutes and the bytes of one training."""
        trainings = trials * self.plan.settings.seeds
        minutes *= trainings / min(len(self.crew.devices), trainings)
        usd = self.budget.cost.usd_of(minutes)
        money = "" if usd is None else f", {usd:.2f} USD"
        free = shutil.disk_usage(self.folder).free
        say(
            f"{what}: {in_minutes(minutes)} or so{money}, {size * trainings / 1e6:.0f} MB "
            f"({free / 1e9:.0f} GB free)"
        )

    def _job(self, mark: TrialMark, words: list[str], before: Path | None) -> Job:
        """What a worker needs for one training."""
        config_dir, settings = current_call().line.folder, self.plan.settings
        flags = [] if config_dir is None else ["--config-dir", str(config_dir)]
        kept = [word for word in words if not word.startswith(_WHOLE)]
        said = _says("extras.report=", kept)
        quiet = ["extras.report=false"] if settings.reports == "winner" and not said else []
        name = f"{mark.number:05d}" + (f"-{mark.repeat}" if settings.seeds > 1 else "")
        return Job(
            mark,
            (*flags, *kept, *quiet),
            self._log(name),
            before,
            len(self.crew.devices),
            _plugins(),
            settings.keep_pruned,
            "speed" in settings.objectives,
            bare=settings.reports == "winner" and not _says("export=", kept),
        )

    def report_winner(self, records: Sequence[dict[str, Any]]) -> Path | None:
        """Report and bundle of the best trial, which the others went without.

        Args:
            records: Of all trials.

        Returns:
            The report; None without one.
        """
        done, _ = ranked(records)
        if not done:
            return None
        run, fixed = Path(done[0]["run"]), self.plan.space.fixed
        report = "extras.report=false" not in fixed
        lacks = report and not (run / "report.html").is_file()
        lacks |= "export=null" not in fixed and not any(run.glob("bundle*/card.json"))
        worker = self.crew.idle() if lacks else None
        if worker is not None:
            mark = TrialMark(self.trials.identity, done[0]["number"], 0)
            job = Job(
                *(mark, (), self._log("report"), run),
                plugins=_plugins(),
                present_only=True,
                report=report,
            )
            self.crew.give(worker, job)
            while self.crew.busy():
                for _ in self.crew.events():
                    pass
        return run / "report.html" if (run / "report.html").is_file() else None

    def _log(self, name: str) -> Path:
        return (self.folder / _PRINTED / f"{name}.log").absolute()


def _says(key: str, words: Sequence[str]) -> bool:
    return any(word.startswith(key) for word in words)


def _minutes_before(job: Job) -> float:
    """What a training took before it was interrupted; a damaged table is for its worker to say."""
    try:
        return 0.0 if job.before is None else RunFolder(job.before).minutes_trained()
    except (OSError, ValueError, csv.Error):
        return 0.0


def _plugins() -> tuple[str, ...]:
    return tuple(name for word in plugin_setting() for name in word[9:-1].split(","))
