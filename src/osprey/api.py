"""Osprey from Python: what the commands do, as functions and one `Run`.

import osprey
run = osprey.train(["data=folder", "data.root=PHOTOS", "model=resnet18"])
run.summary["test"]["macro_f1"]
run.predict(["a.jpg"])
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from osprey.errors import ConfigError, UserError, nearest

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig
    from torch import nn

    from osprey.config.schema import TrainConfig
    from osprey.tasks.plugin import TaskPlugin

T = TypeVar("T")


class Run:
    """One run folder.

    Args:
        path: ``runs/<name>/<stamp>``.

    Attributes:
        path: The run folder.
    """

    def __init__(self, path: Path) -> None:
        from osprey.runs.folder import RunFolder

        self.path = Path(path)
        self._folder = RunFolder(self.path)

    def __repr__(self) -> str:
        """How to open it again."""
        return f"osprey.open_run({str(self.path)!r})"

    @cached_property
    def config(self) -> TrainConfig:
        """Every setting.

        Raises:
            UserError: The file is damaged, or names classes that this process does not trust.
        """
        return self._folder.load_config()

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Every figure, as in summary.json.

        Raises:
            UserError: The run is not finished.
        """
        if not self._folder.finished:
            raise UserError(f"run '{self.path}' is not finished: it has no summary.json yet")
        return cast("dict[str, Any]", self._folder.read_json("summary.json"))

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """Every sample with its split, all columns as text."""
        return self._table("manifest.csv")

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row an epoch."""
        return self._table("metrics.csv", text=False)

    @property
    def predictions(self) -> pd.DataFrame:
        """What was answered to each test sample; without a test split to each validation sample."""
        name = "predictions.csv"
        found = name if (self.path / name).is_file() else "predictions_val.csv"
        return self._table(found, text=False)

    def model(self) -> nn.Module:
        """The best checkpoint's network, a plain module in evaluation mode on the CPU.

        Raises:
            UserError: There is no checkpoint yet, or this process does not trust what it names.
        """
        return self._task.load_network(self._folder)

    def predictor(self, **options: Any) -> Any:
        """What answers about files with the best checkpoint.

        Args:
            **options: Of the task's predictor, such as ``tta`` or ``min_score``.

        Raises:
            UserError: The task has none, or the checkpoint cannot be used.
        """
        return self._task.predictor(self._folder.best, **options)

    def predict(self, files: Iterable[str | Path], **options: Any) -> list[dict[str, Any]]:
        """One record a file, as ``osprey predict`` writes them.

        Args:
            files: Photos; one alone may be named without a list.
            **options: As for `predictor`.

        Returns:
            ``{"file", "label", "score", "top"}`` and the like; ``{"file", "failure"}`` of a file
            that cannot be read.
        """
        predictor = self.predictor(**options)
        several = [files] if isinstance(files, str | Path) else files
        answers = predictor.predict([Path(file) for file in several])
        return [answer.record(predictor.classes) for answer in answers]

    @cached_property
    def _task(self) -> TaskPlugin:
        from osprey.tasks.registry import DEFAULT_TASK, get_task

        return get_task(self._folder.task or DEFAULT_TASK)

    def _table(self, name: str, *, text: bool = True) -> pd.DataFrame:
        import pandas as pd

        file = self.path / name
        if not file.is_file():
            raise UserError(f"run '{self.path}' has no {name}")
        if text:
            return pd.read_csv(file, dtype=str, keep_default_na=False)
        return pd.read_csv(file)


def train(overrides: Sequence[str] = ()) -> Run:
    """Train and test, as ``osprey train OVERRIDES`` does.

    Args:
        overrides: Such as ``["experiment=probe", "data.root=PHOTOS"]``. Names of classes in them
            are followed, as on a command line.

    Returns:
        The finished run.

    Raises:
        UserError: Something the user can mend.
        Interrupted: A signal asked to stop; the run's ``last.ckpt`` was saved.
    """
    from osprey.commands.train import PROGRAM
    from osprey.config.compose import run_hydra
    from osprey.engine.experiment import train_composed
    from osprey.engine.resume import resume
    from osprey.runs.donor import with_runs_named
    from osprey.system.ending import ending

    if any(word in ("-m", "--multirun") for word in overrides):
        raise ConfigError("osprey.train trains one run: call it once for each, without --multirun")
    with ending(overrides):
        words = with_runs_named(overrides)
        if any(word.startswith("resume=") and word != "resume=null" for word in words):
            return Run(resume(words).path)
        found: list[Path] = []

        def job(cfg: DictConfig) -> None:
            found.append(train_composed(cfg)[0].path)

        run_hydra("train", words, job, PROGRAM)
        return Run(_first(found, overrides))


def evaluate(overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Test a run's checkpoint, as ``osprey eval OVERRIDES`` does.

    Args:
        overrides: Such as ``["run=latest", "data.split=val"]``.

    Returns:
        The figures, which the run folder's ``evaluations`` holds as well.

    Raises:
        UserError: Something the user can mend.
    """
    from osprey.commands.eval import evaluate_composed
    from osprey.config.compose import run_hydra

    found: list[dict[str, Any]] = []
    run_hydra("eval", overrides, lambda cfg: found.append(evaluate_composed(cfg)), "osprey eval")
    return _first(found, overrides)


def _first(found: list[T], overrides: Sequence[str]) -> T:
    """What the one job gave; flags such as ``--cfg`` print and run none."""
    if not found:
        flags = " ".join(word for word in overrides if word.startswith("-"))
        raise ConfigError(f"nothing was run: leave out {flags}")
    return found[0]


def predict(
    run: Run | str | Path, files: Iterable[str | Path], **options: Any
) -> list[dict[str, Any]]:
    """One record a file, from a run's best checkpoint.

    Args:
        run: A run, its folder, a name below ``runs``, or ``latest``.
        files: Photos.
        **options: As for `Run.predictor`.
    """
    return (run if isinstance(run, Run) else open_run(run)).predict(files, **options)


def augment_data(
    input_folder: str | Path,
    output_folder: str | Path,
    label_file: str | Path,
    new_label_and_weights_file: str | Path,
    **options: Any,
) -> pd.DataFrame:
    """Write augmented copies of photos, balanced over classes, as the command of that name does.

    Args:
        input_folder: Photos at any depth, which are only read.
        output_folder: A new or empty folder for the copies.
        label_file: A table of labels or boxes, or annotations in a form that training reads.
        new_label_and_weights_file: The CSV to write.
        **options: ``policy``, ``copies``, ``balance``, ``seed``, ``workers``, ``resume`` and so on,
            as `osprey.augmentation.offline.options.AugmentOptions` lists them.

    Returns:
        The new label file: ``path`` below the output folder, ``label``, ``weight``, ``source``,
        ``variant`` (0: the photo itself).

    Raises:
        UserError: Something the user can mend.
    """
    from dataclasses import fields

    from osprey.augmentation.offline.augment import augment
    from osprey.augmentation.offline.options import AugmentOptions
    from osprey.system.console import warn

    known = [field.name for field in fields(AugmentOptions)]
    for name in options:
        if name not in known:
            raise UserError(f"augment_data has no option '{name}'{nearest(name, known)}")
    places = (input_folder, output_folder, label_file, new_label_and_weights_file)
    return augment(AugmentOptions(*places, **options), warn)


def open_run(
    path: str | Path = "latest", *, runs: str | Path = "runs", plugins: Sequence[str] = ()
) -> Run:
    """A run by its folder, its name below ``runs``, or ``latest``.

    Args:
        path: Which one.
        runs: Where runs are kept.
        plugins: Packages of your own that it may name; they are imported.

    Raises:
        UserError: There is no such run, or a package cannot be imported.
    """
    from osprey.runs.folder import find_run
    from osprey.system.plugins import load_installed, load_plugins

    load_installed()
    load_plugins(plugins)
    return Run(find_run(str(path), Path(runs)).path)
