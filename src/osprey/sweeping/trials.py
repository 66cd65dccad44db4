"""The trials of a sweep: which are done, which go on, which come next; each is counted once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.runs.folder import RunFolder
from osprey.runs.trial_mark import TrialMark
from osprey.sweeping.jobs import Job
from osprey.sweeping.outcome import is_good, line_of, merged, objective_values, spent
from osprey.sweeping.plan import Plan
from osprey.sweeping.records import write_record

if TYPE_CHECKING:
    import optuna

OWNER = "sweep"  # attribute of a trial: whose it is, where several share a study
SURPLUS = "surplus"  # attribute of a trial that another process's was too many

MakeJob = Callable[[TrialMark, list[str], Path | None], Job]


@dataclass
class Active:
    """A trial that is being trained.

    Attributes:
        trial: Optuna's.
        drawn: What it adds to the fixed settings.
        waiting: Numbers of the seeds that are still to be trained.
        training: Of those that a worker has.
        records: Of those that ended, by the number of the seed.
    """

    trial: optuna.trial.Trial
    drawn: list[str]
    waiting: list[int]
    training: set[int] = field(default_factory=set)
    records: dict[int, dict[str, Any]] = field(default_factory=dict)


class Trials:
    """The trials of a sweep.

    Args:
        plan: The sweep.
        study: Its study.
        folder: Its folder.
        identity: Of the sweep, whatever its folder is called.
        runs: The runs of trainings that an earlier process began, by number and repeat.
    """

    def __init__(
        self,
        plan: Plan,
        study: optuna.Study,
        folder: Path,
        identity: str,
        runs: Mapping[tuple[int, int], RunFolder],
    ) -> None:
        self.plan = plan
        self.study = study
        self.folder = folder
        self.identity = identity
        self.runs = dict(runs)
        self.active: dict[int, Active] = {}
        self.failures = 0
        self.last_failure = ""
        known = self._known()
        self.finished = sum(t.state.is_finished() for t in known)
        # Where nobody shares the study, whatever was being trained was ours.
        alone = plan.settings.storage is None
        self.interrupted = [
            t
            for t in known
            if t.state.name == "RUNNING" and (alone or t.user_attrs.get(OWNER) == identity)
        ]

    def _known(self) -> list[optuna.trial.FrozenTrial]:
        every = self.study.get_trials(deepcopy=False)
        return [trial for trial in every if SURPLUS not in trial.user_attrs]

    def next_job(self, make: MakeJob) -> Job | None:
        """The next training; None where the planned total is reached.

        Args:
            make: Makes the job, from what it is, its settings, and the run of one that was begun.
        """
        active = next((a for a in self.active.values() if a.waiting), None)
        if active is None:
            active = self._interrupted() or self._asked()
        if active is None:
            return None
        number = active.trial.number
        self.active[number] = active
        repeat = active.waiting.pop(0)
        active.training.add(repeat)
        words = self.plan.words(active.drawn, repeat)
        run = self.runs.get((number, repeat))
        return make(
            TrialMark(self.identity, number, repeat), words, None if run is None else run.path
        )

    def put_back(self, mark: TrialMark, run: Path | None) -> None:
        """A training that was not given out after all, or whose worker was asked to end.

        Args:
            mark: What it is.
            run: Its folder, if it had one.
        """
        active = self.active[mark.number]
        active.training.discard(mark.repeat)
        active.waiting.insert(0, mark.repeat)
        if run is not None:
            self.runs[mark.number, mark.repeat] = RunFolder(run)

    def _interrupted(self) -> Active | None:
        import optuna

        if not self.interrupted:
            return None
        frozen = self.interrupted.pop(0)
        return self._begin(optuna.trial.Trial(self.study, frozen._trial_id))

    def _asked(self) -> Active | None:
        states = [trial.state.name for trial in self._known()]
        if len(states) - states.count("WAITING") >= self.plan.total:
            return None
        trial = self.study.ask()
        trial.set_user_attr(OWNER, self.identity)
        if trial.number >= self.plan.total:  # another process asked at the same moment
            trial.set_user_attr(SURPLUS, True)
            self._tell(trial.number, "FAIL")
            return None
        return self._begin(trial)

    def _begin(self, trial: optuna.trial.Trial) -> Active:
        drawn = trial.user_attrs.get("drawn")
        if drawn is None:
            drawn = self.plan.space.draw(trial, grid=self.plan.grid)
            trial.set_user_attr("drawn", drawn)
        return Active(trial, list(drawn), list(range(self.plan.settings.seeds)))

    def ends_early(self, mark: TrialMark, epoch: int, value: float) -> bool:
        """Whether a trial is to end after this epoch; its first seed decides."""
        if self.plan.settings.pruner == "none" or mark.repeat:
            return False
        trial = self.active[mark.number].trial
        trial.report(value, epoch)
        return trial.should_prune()

    def note(self, mark: TrialMark, record: dict[str, Any]) -> str | None:
        """Keep how a training went.

        Args:
            mark: What it is.
            record: As a worker says it.

        Returns:
            A line for people, once the trial is done.
        """
        active = self.active[mark.number]
        active.training.discard(mark.repeat)
        active.records[mark.repeat] = record
        if not is_good(record):
            active.waiting.clear()  # its other seeds would say nothing more
        if active.waiting or active.training:
            return None
        del self.active[mark.number]
        return self._close(active, [active.records[repeat] for repeat in sorted(active.records)])

    def _close(self, active: Active, records: list[dict[str, Any]]) -> str:
        """Write down a trial, then tell the study: a kill between the two is mended by a resume."""
        number, objectives = active.trial.number, self.plan.settings.objectives
        content: dict[str, Any] = {
            "overrides": [*self.plan.space.fixed, *active.drawn],
            "drawn": active.drawn,
            **records[0],
        }
        bad = next((record for record in records if not is_good(record)), None)
        values: list[float] = []
        if bad is None:
            content |= merged(records)
            values = objective_values(content, objectives)
            lacking = [o for o, value in zip(objectives, values, strict=True) if math.isnan(value)]
            if lacking:
                what = self.plan.metric.key if lacking == ["monitor"] else ", ".join(lacking)
                bad = {"failure": f"there is no figure of {what}"}
        if bad is None:
            content["state"] = "complete"
        else:
            content |= {"state": "pruned" if "pruned" in bad else "failed", "value": None, **bad}
        content |= spent(records)
        write_record(self.folder, number, content)
        self._settle(active.trial, content, values)
        return f"trial   {number + 1} of {self.plan.total}  {line_of(content, self.plan.metric)}"

    def _settle(
        self, trial: optuna.trial.Trial, content: dict[str, Any], values: list[float]
    ) -> None:
        if content.get("retry"):  # left open in the study: a resume takes it up again
            self._count_failure(content)
            return
        self.finished += 1
        if content["state"] == "complete":
            self.study.tell(trial.number, values)
        elif content["state"] == "pruned":
            self._tell(trial.number, "PRUNED")
        else:
            self._count_failure(content)
            trial.set_user_attr("failure", self.last_failure)
            self._tell(trial.number, "FAIL")

    def _count_failure(self, content: Mapping[str, Any]) -> None:
        self.failures += 1
        self.last_failure = str(content["failure"])

    def _tell(self, number: int, state: str) -> None:
        from optuna.trial import TrialState

        self.study.tell(number, state=TrialState[state])

    def enough_failed(self) -> bool:
        """Whether no other trial is to begin."""
        limit = 1 if self.plan.settings.fail_fast else self.plan.settings.max_failures
        return limit is not None and self.failures >= limit

    def why_ended(self) -> str:
        """What failed, and which setting ended the sweep for it."""
        setting = "sweep.fail_fast=true"
        if not self.plan.settings.fail_fast:
            setting = f"sweep.max_failures={self.plan.settings.max_failures}"
        return f"{self.last_failure} ({setting})"

    def front(self) -> list[int]:
        """Numbers of the trials that no other beats in all objectives at once."""
        return [trial.number for trial in self.study.best_trials]

    def best(self) -> float | None:
        """The best value; of several objectives none is."""
        if len(self.plan.settings.objectives) > 1:
            return None
        try:
            return float(self.study.best_value)
        except ValueError:  # no trial was trained to its end
            return None
