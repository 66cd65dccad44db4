"""The study of a sweep: where its trials are kept, how they are chosen and which end early."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osprey.config.groups.sweep import SweepConfig
from osprey.errors import ConfigError, UserError
from osprey.sweeping.choosing import make_pruner, make_sampler

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage

JOURNAL = "study.journal"
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
            pruner=make_pruner(settings.pruner, max_epochs),
        )
        # Random draws of before a resume are not drawn once more.
        study.sampler = make_sampler(settings, seed + len(study.get_trials(deepcopy=False)))
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
