"""The trials of a sweep: which are done, which go on, which come next; each is counted once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.runs.folder import RunFolder
from osprey.runs.trial_mark import TrialMark
from osprey.sweeping.jobs import PRUNED, Job
from osprey.sweeping.outcome import is_good, line_of, merged, objective_values, record_of
from osprey.sweeping.plan import Plan
from osprey.sweeping.records import write_record

if TYPE_CHECKING:
    import optuna

OWNER = "sweep"  # attribute of a trial: whose it is, where several share a study

MakeJob = Callable[[TrialMark, list[str], Path | None], Job]


@dataclass
class Active:
    """A trial that is being trained.

    Attributes:
        trial: Optuna's.
        drawn: What it adds to the fixed settings.
        given: How many of its trainings were given out.
        records: Of those that ended, by the number of the seed.
    """

    trial: optuna.trial.Trial
    drawn: list[str]
    given: int = 0
    records: dict[int, dict[str, Any]] = field(default_factory=dict)


class Trials:
    """The trials of a sweep.

    Args:
        plan: The sweep.
        study: Its study.
        folder: Its folder.
        runs: The runs of trainings that an earlier process began, by number and repeat.
    """

    def __init__(
        self,
        plan: Plan,
        study: optuna.Study,
        folder: Path,
        runs: Mapping[tuple[int, int], RunFolder],
    ) -> None:
        self.plan = plan
        self.study = study
        self.folder = folder
        self.name = str(folder.resolve())
        self.runs = dict(runs)
        self.active: dict[int, Active] = {}
        self.failures = 0
        self.last_failure = ""
        known = study.get_trials(deepcopy=False)
        self.finished = sum(t.state.is_finished() for t in known)
        self.failures_before = 0
        mine = [t for t in known if t.user_attrs.get(OWNER) == self.name]
        self.interrupted = [t for t in mine if t.state.name == "RUNNING"]
        if plan.grid:
            self._enqueue()

    def _enqueue(self) -> None:
        """Every combination of a grid waits in the study, once."""
        there = [t.system_attrs.get("fixed_params") for t in self.study.get_trials(deepcopy=False)]
        for combination in list(self.plan.space.combinations())[: self.plan.total]:
            if combination not in there:
                self.study.enqueue_trial(combination)

    def next_job(self, make: MakeJob) -> Job | None:
        """The next training; None where the planned total is reached.

        Args:
            make: Makes the job, from what it is, its settings, and the run to go on with.
        """
        for number, active in list(self.active.items()):
            if active.given < self.plan.settings.seeds:
                return self._give(number, active, make)
        begun = self._interrupted() or self._asked()
        if begun is None:
            return None
        self.active[begun.trial.number] = begun
        return self._give(begun.trial.number, begun, make)

    def _give(self, number: int, active: Active, make: MakeJob) -> Job | None:
        mark = TrialMark(self.name, number, active.given)
        active.given += 1
        words = self.plan.words(active.drawn, mark.repeat)
        run = self.runs.pop((number, mark.repeat), None)
        if run is None:
            return make(mark, words, None)
        if run.finished or (run.path / PRUNED).is_file():
            self.note(mark, record_of(run))
            return self.next_job(make)
        return make(mark, words, run.path if run.last.is_file() else None)

    def _interrupted(self) -> Active | None:
        import optuna

        if not self.interrupted:
            return None
        frozen = self.interrupted.pop(0)
        trial = optuna.trial.Trial(self.study, frozen._trial_id)
        drawn = frozen.user_attrs.get("drawn")
        return Active(trial, self._drawn(trial) if drawn is None else list(drawn))

    def _asked(self) -> Active | None:
        states = [t.state.name for t in self.study.get_trials(deepcopy=False)]
        if len(states) - states.count("WAITING") >= self.plan.total:
            return None
        trial = self.study.ask(self.plan.space.distributions(grid=self.plan.grid))
        trial.set_user_attr(OWNER, self.name)
        return Active(trial, self._drawn(trial))

    def _drawn(self, trial: optuna.trial.Trial) -> list[str]:
        for key, distribution in self.plan.space.distributions(grid=self.plan.grid).items():
            if key not in trial.params:  # killed while it was being asked
                trial._suggest(key, distribution)
        drawn = self.plan.space.words_of(trial)
        trial.set_user_attr("drawn", drawn)
        return drawn

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
        active.records[mark.repeat] = record
        good = "failure" not in record and "pruned" not in record
        if good and len(active.records) < self.plan.settings.seeds:
            return None
        if not good and active.given > len(active.records):
            active.given = self.plan.settings.seeds  # its other seeds are not begun any more
            return None
        del self.active[mark.number]
        every = [active.records[repeat] for repeat in sorted(active.records)]
        return self._close(active, every, next((r for r in every if not is_good(r)), None))

    def _close(
        self, active: Active, records: list[dict[str, Any]], bad: dict[str, Any] | None
    ) -> str:
        import optuna

        number, state = active.trial.number, optuna.trial.TrialState
        content: dict[str, Any] = {
            "overrides": [*self.plan.space.fixed, *active.drawn],
            "drawn": active.drawn,
            "value": None,
            **records[0],
        }
        if bad is None:
            content |= merged(records)
            values = objective_values(content, self.plan.settings.objectives)
            if any(math.isnan(value) for value in values):
                bad = {"failure": f"no figure: validation gives no {self.plan.metric.key}"}
            else:
                self.study.tell(number, values)
        if bad is not None and "pruned" in bad:
            content |= {"state": "pruned", "value": None, **bad}
            self.study.tell(number, state=state.PRUNED)
        elif bad is not None:
            content |= {"state": "failed", "value": None, **bad}
            self.failures += 1
            self.last_failure = str(bad["failure"])
            active.trial.set_user_attr("failure", self.last_failure)
            self.study.tell(number, state=state.FAIL)
        else:
            content["state"] = "complete"
        write_record(self.folder, number, content)
        self.finished += 1
        return f"trial   {number + 1} of {self.plan.total}  {line_of(content, self.plan.metric)}"

    def enough_failed(self) -> bool:
        """Whether no other trial is to begin."""
        limit = 0 if self.plan.settings.fail_fast else self.plan.settings.max_failures
        return limit is not None and self.failures > limit

    def why_ended(self) -> str:
        """What failed, and which setting ended the sweep for it."""
        setting = "sweep.fail_fast=true"
        if not self.plan.settings.fail_fast:
            setting = f"sweep.max_failures={self.plan.settings.max_failures}"
        return f"{self.last_failure} ({setting})"

    def best(self) -> float | list[float] | None:
        """The best value; of several objectives none is."""
        if len(self.plan.settings.objectives) > 1:
            return None
        try:
            return float(self.study.best_value)
        except ValueError:  # no trial was trained to its end
            return None
