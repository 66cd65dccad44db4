"""The study of a sweep: where its trials are kept, how they are chosen and which end early."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.config.groups.sweep import SweepConfig
from osprey.errors import ConfigError, UserError
from osprey.sweeping.choosing import make_pruner, make_sampler

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study, StudyDirection

    from osprey.sweeping.plan import Plan

JOURNAL = "study.journal"
_PAUSES = (1, 2)  # seconds between attempts to open a database
GRID = "grid"  # the study's attribute that says whether its combinations all wait in it
_FOR_A_GRID = 60.0  # seconds to wait for the process that puts them there
SIGNATURE = "osprey"  # the study's attribute that says of what space it is


def import_optuna() -> None:
    """Optuna, quiet; it is an extra.

    Raises:
        UserError: It is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise UserError(
            "a sweep with sweep=... needs Optuna: pip install 'osprey-vision[sweep]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def open_study(
    folder: Path, settings: SweepConfig, name: str, directions: Sequence[str]
) -> tuple[Study, bool]:
    """Open the study of a sweep, or begin one.

    Args:
        folder: Of the sweep, held by this process alone.
        settings: Of the sweep.
        name: Of the study.
        directions: ``maximize`` or ``minimize``, one an objective.

    Returns:
        The study, and whether it begins here.

    Raises:
        UserError: The storage cannot be opened, or what is in it is of other objectives.
    """
    import optuna

    try:
        storage = _opened(folder, settings.storage)
        try:
            study = optuna.create_study(
                storage=storage, study_name=name, directions=_ways(directions)
            )
            begins = True
        except optuna.exceptions.DuplicatedStudyError:
            study, begins = optuna.load_study(study_name=name, storage=storage), False
    except Exception as error:
        raise _unusable(settings.storage, error) from error
    if [d.name.lower() for d in study.directions] != list(directions):
        raise ConfigError(
            f"sweep.objectives: study '{name}' is of others: name another sweep.study"
        )
    return study, begins


def _ways(directions: Sequence[str]) -> list[StudyDirection]:
    from optuna.study import StudyDirection

    return [StudyDirection[way.upper()] for way in directions]


def equip(study: Study, plan: Plan, identity: str, *, begins: bool) -> None:
    """Give a study its sampler and its pruner, and a grid's its combinations.

    Args:
        study: Of the sweep.
        plan: The sweep.
        identity: Of the sweep: of several that share a study none draws what another does.
        begins: Whether the study begins here.

    Raises:
        UserError: The sampler lacks its package.
    """
    # Random draws of before a resume are not drawn once more.
    seed = plan.seed + len(study.get_trials(deepcopy=False))
    if plan.settings.storage is not None:
        seed += int(identity, 16) % 2**31
    study.sampler = make_sampler(plan.settings, seed % 2**32)
    study.pruner = make_pruner(plan.settings.pruner, plan.max_epochs)
    if plan.grid:
        _lay_out_grid(study, plan, wait=not begins and plan.settings.storage is not None)


def _lay_out_grid(study: Study, plan: Plan, *, wait: bool) -> None:
    """Every combination waits in the study, once: of several processes one puts them there."""
    deadline = time.monotonic() + (_FOR_A_GRID if wait else 0)
    while not study.user_attrs.get(GRID) and time.monotonic() < deadline:
        time.sleep(0.5)  # the process that began the study is at it, or was killed
    there = [t.system_attrs.get("fixed_params") for t in study.get_trials(deepcopy=False)]
    for combination in list(plan.space.combinations())[: plan.total]:
        if combination not in there:
            study.enqueue_trial(combination)
    study.set_user_attr(GRID, True)


def with_other_space(study: Study, plan: Plan) -> Study:
    """A study of another space that goes on with the trials of one before.

    Optuna refuses other choices within one study. Numbers and values stay; what a trial drew stays
    as far as it is drawn alike now.

    Args:
        study: Of before.
        plan: The sweep of now.

    Returns:
        A new study in the same storage.
    """
    import optuna

    base, _, number = study.study_name.partition("~")
    name = f"{base}~{int(number or 1) + 1}"
    trials = study.get_trials(deepcopy=False)
    made = optuna.create_study(
        storage=study._storage, study_name=name, directions=list(study.directions)
    )
    drawn = {d.key: d for d in plan.space.dimensions}
    for trial in trials:
        if trial.state.name == "WAITING":  # of the grid of before
            continue
        kept = {
            key: distribution
            for key, distribution in trial.distributions.items()
            if key in drawn and drawn[key].is_drawn_alike(distribution)
        }
        given_up = not trial.state.is_finished()
        made.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.FAIL if given_up else trial.state,
                values=trial.values,
                params={key: trial.params[key] for key in kept},
                distributions=kept,
                user_attrs=trial.user_attrs,
                intermediate_values=trial.intermediate_values,
            )
        )
    return made


def _opened(folder: Path, url: str | None) -> BaseStorage:
    """The storage; two processes that make a database's tables at once get in each other's way."""
    for seconds in _PAUSES if url is not None and "://" in url else ():
        try:
            return _storage(folder, url)
        except UserError:
            raise
        except Exception:
            time.sleep(seconds)
    return _storage(folder, url)


def _unusable(storage: str | None, error: Exception) -> UserError:
    if isinstance(error, UserError):
        return error
    text = str(error.__cause__ or error)  # of a database the driver's own words
    why = " ".join(text.split())[:200] or type(error).__name__
    shown = re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", storage or JOURNAL)
    return UserError(f"sweep.storage: '{shown}' cannot be used: {why}")


def _storage(folder: Path, url: str | None) -> BaseStorage:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if url is None or url.endswith(".journal"):
        file = folder / JOURNAL if url is None else Path(url)
        if url is None:
            _mend(file)
        return JournalStorage(JournalFileBackend(str(file)))
    if "://" not in url:
        raise ConfigError(
            f"sweep.storage: '{url}' is neither a URL, such as sqlite:///{url}.db, nor a file "
            "whose name ends in .journal"
        )
    return RDBStorage(url, engine_kwargs={"connect_args": _patience(url)})


def _patience(url: str) -> dict[str, Any]:
    """Seconds to wait for a locked file, or for a server that does not answer."""
    if url.startswith("sqlite"):
        return {"timeout": 30}
    return {"connect_timeout": 10} if url.startswith(("postgresql", "mysql")) else {}


def _mend(journal: Path) -> None:
    """Drop what a kill left: half a line, and the lock of a process that is gone."""
    Path(f"{journal}.lock").unlink(missing_ok=True)
    if not journal.is_file():
        return
    content = journal.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with journal.open("r+b") as file:
            file.truncate(whole)


def changes_of(study: Study, now: Mapping[str, Any]) -> list[str]:
    """What of a sweep is no more as it was, one entry a setting; nothing of a new study.

    Args:
        study: New, or of before.
        now: `osprey.sweeping.plan.Plan.signature`.
    """
    before = study.user_attrs.get(SIGNATURE)
    return [] if before is None else _differences(before, now)


def sign(study: Study, now: Mapping[str, Any]) -> None:
    """Write down what the study is of."""
    if study.user_attrs.get(SIGNATURE) != now:
        study.set_user_attr(SIGNATURE, dict(now))


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found = []
    for part in now:
        old, new = before.get(part), now[part]
        if not isinstance(new, dict):
            if old != new:
                found.append(f"{part} was {old}, is {new}")
            continue
        old = old or {}
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                found.append(f"{key} was {old.get(key, 'not set')}, is {new.get(key, 'not set')}")
    return found
