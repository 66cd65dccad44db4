"""How much each setting of a sweep mattered."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from osprey.sweeping.about import read_about
from osprey.sweeping.study import JOURNAL, import_optuna

if TYPE_CHECKING:
    import optuna

_FOR_IMPORTANCE = 8  # trials


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
        study_name=read_about(folder).study, storage=JournalStorage(JournalFileBackend(str(file)))
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
