"""The study of a sweep: where its trials are kept, how they are chosen and which end early."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.config.groups.sweep import SweepConfig
from osprey.errors import ConfigError, UserError

if TYPE_CHECKING:
    import optuna
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage

JOURNAL = "study.journal"
_FOR_IMPORTANCE = 8  # trials
_PAUSES = (1, 2)  # seconds between attempts to open a database
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
    folder: Path,
    settings: SweepConfig,
    directions: Sequence[str],
    seed: int,
    max_epochs: int | None,
) -> optuna.Study:
    """Open the study of a sweep, or begin one.

    Args:
        folder: Of the sweep, held by this process alone.
        settings: Of the sweep.
        directions: ``maximize`` or ``minimize``, one an objective.
        seed: Of the sampler.
        max_epochs: Of a trial, for Hyperband; None where they differ.

    Raises:
        UserError: The storage cannot be opened, or the sampler lacks its package.
    """
    import optuna
    from optuna.study import StudyDirection

    name = settings.study or folder.name
    try:
        storage = _opened(folder, settings.storage)
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=[StudyDirection[way.upper()] for way in directions],
            load_if_exists=True,
            pruner=_pruner(settings.pruner, max_epochs),
        )
        # Random draws of before a resume are not drawn once more.
        study.sampler = _sampler(settings, seed + len(study.get_trials(deepcopy=False)))
    except Exception as error:
        raise _unusable(settings.storage, error) from error
    if [d.name.lower() for d in study.directions] != list(directions):
        raise ConfigError(
            f"sweep.objectives: study '{name}' is of others: name another sweep.study"
        )
    return study


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
    return UserError(f"sweep.storage: '{storage or JOURNAL}' cannot be used: {why}")


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


def _sampler(settings: SweepConfig, seed: int) -> BaseSampler:
    from optuna import samplers

    if settings.sampler == "tpe":
        # With several at work, what is not finished counts as bad, so that they do not crowd.
        return samplers.TPESampler(seed=seed, constant_liar=settings.workers > 1)
    if settings.sampler == "qmc":
        return samplers.QMCSampler(seed=seed, warn_independent_sampling=False)
    if settings.sampler == "cmaes":
        _need("cmaes")
        return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    if settings.sampler == "gp":
        return samplers.GPSampler(seed=seed)
    return samplers.RandomSampler(seed=seed)  # of a grid every trial is given


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise UserError(f"sweep.sampler={package}: pip install 'osprey-vision[sweep]'")


def _pruner(name: str, max_epochs: int | None) -> BasePruner:
    from optuna import pruners

    # Of an epoch or two nothing can be told; of a long run a fifth is let pass.
    warm_up = max(2, round(0.2 * (max_epochs or 0)))
    median = pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=warm_up)
    if name == "median":
        return median
    if name == "hyperband":
        return pruners.HyperbandPruner(1, max_epochs or "auto", reduction_factor=3)
    if name == "patient":
        return pruners.PatientPruner(median, patience=2)
    return pruners.NopPruner()


def check_same(study: optuna.Study, now: Mapping[str, Any], *, allowed: bool) -> None:
    """Refuse to go on with a study of another space; a new study takes the space.

    Args:
        study: New, or of before.
        now: What the sweep tries: ``space`` and ``fixed`` settings by key, and the rest.
        allowed: Whether ``sweep.allow_changes`` lets it be another.

    Raises:
        ConfigError: It is another; the line names the differences.
    """
    before = study.user_attrs.get(SIGNATURE)
    if before is not None and not allowed:
        found = _differences(before, now)
        if found:
            raise ConfigError(
                f"the sweep was of another space: {'; '.join(found)}: leave that out, begin a new "
                "sweep, or accept it with sweep.allow_changes=true"
            )
    if before != now:
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


def importances(folder: Path) -> dict[str, float]:
    """How much each setting of a sweep mattered for its first objective, by Optuna (fANOVA).

    Args:
        folder: Of the sweep.

    Returns:
        Shares that add up to 1; empty without a study in the folder, or with too few trials.
    """
    file = folder / JOURNAL
    if not file.is_file() or find_spec("optuna") is None:
        return {}
    import_optuna()
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    study = optuna.load_study(
        study_name=folder.resolve().name, storage=JournalStorage(JournalFileBackend(str(file)))
    )
    done = [t for t in study.get_trials(deepcopy=False) if t.state.name == "COMPLETE"]
    if len(done) < _FOR_IMPORTANCE or len({key for t in done for key in t.params}) < 2:
        return {}
    try:
        return optuna.importance.get_param_importances(
            study, target=None if len(study.directions) == 1 else _first_value
        )
    except (RuntimeError, ValueError):  # all values are the same, or no setting is in every trial
        return {}


def _first_value(trial: optuna.trial.FrozenTrial) -> float:
    return float(trial.values[0])
