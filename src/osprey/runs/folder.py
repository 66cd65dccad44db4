"""The run folder with a run's settings, checkpoints and metrics. No torch here."""

from __future__ import annotations

import csv
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from osprey.config.errors import explain, first_line
from osprey.config.parse import tree_of, typed
from osprey.config.quoting import escaped
from osprey.config.schema import TrainConfig
from osprey.config.stamp import new_stamp
from osprey.errors import ConfigError, DataError, UserError, nearest
from osprey.system.files import atomic_path, write_text
from osprey.system.locks import FolderLock
from osprey.system.trust import refuse_untrusted, targets_in

if TYPE_CHECKING:
    import pandas as pd

    from osprey.data.manifest import Manifest


def check_run_name(name: str) -> None:
    """Refuse a name that no folder of runs can have.

    Raises:
        UserError: It has a slash in it, or stands for something else.
    """
    if "/" in name or "\0" in name or name in ("", ".", "..", "latest", "sweeps", "debug"):
        raise UserError(f"name: '{name}' cannot be a folder's name")
    if len(name.encode("utf-8", "surrogateescape")) > 200:
        raise UserError(f"name: '{name[:20]}...' is too long for a folder's name (200 letters)")


@dataclass(frozen=True)
class RunFolder:
    """``runs/<name>/<stamp>``: everything about one run."""

    path: Path

    @classmethod
    def create(cls, runs: Path, name: str) -> RunFolder:
        """Create a new folder; UserError if ``name`` is invalid or ``runs`` not writable."""
        check_run_name(name)
        try:
            (runs / name).mkdir(parents=True, exist_ok=True)
            path = runs / name / new_stamp()
            path.mkdir()  # twins of one second differ in four random digits
            (path / "checkpoints").mkdir()
        except OSError as error:
            raise UserError(f"paths.runs: cannot write to '{runs}' ({error.strerror})") from None
        return cls(path)

    @property
    def best(self) -> Path:
        """Checkpoint of the best epoch by validation."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def last(self) -> Path:
        """Checkpoint to resume from."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def finished(self) -> bool:
        """Whether the run was trained to its end and tested."""
        return (self.path / "summary.json").is_file()

    @property
    def task(self) -> str:
        """``classification``, ``detection``, ...; empty where config.yaml does not say."""
        try:
            stored = OmegaConf.load(self.path / "config.yaml")
            return str(OmegaConf.select(stored, "task.name") or "")
        except Exception:  # as in `load_config`; the checkpoint names it too
            return ""

    @property
    def full_name(self) -> str:
        """``name/stamp``, independent of the runs folder."""
        return "/".join(self.path.resolve().parts[-2:])

    def write_text(self, name: str, text: str) -> None:
        """Write a file of this run, atomically."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, text)

    def write_json(self, name: str, content: Any) -> None:
        """Write plain data as indented JSON."""
        self.write_text(name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def read_json(self, name: str) -> Any:
        """Read one of this run's JSON files."""
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    def read_metrics(self) -> list[dict[str, str]]:
        """The rows of metrics.csv, one an epoch; none of a run that has trained none."""
        if not (self.path / "metrics.csv").is_file():
            return []
        with (self.path / "metrics.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def minutes_trained(self) -> float:
        """Minutes of the epochs that it has trained; 0 of a new one."""
        return sum(float(row.get("seconds") or 0) for row in self.read_metrics()) / 60

    def save_config(self, config: TrainConfig) -> None:
        """Write the configuration with every default filled in."""
        tree = escaped(tree_of(config))  # a folder may be called ${x}
        tree["cost"].pop("on_end")  # a command is taken from whoever types, never from a file
        self.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.create(tree)))

    def load_config(self, changes: list[tuple[str, Any]] | None = None) -> TrainConfig:
        """The run's configuration, with some values changed; nothing it names is imported.

        Raises:
            UserError: The file is missing, was damaged, or names classes that are neither Osprey's,
                a plugin's, nor trusted by this command.
        """
        try:
            stored = OmegaConf.load(self.path / "config.yaml")
            if not isinstance(stored, DictConfig):
                raise ValueError("a list")
        except Exception:  # YAML's and OmegaConf's many errors mean one thing here
            raise UserError(
                f"'{self.path}' has no readable config.yaml: not a run folder"
            ) from None
        OmegaConf.set_struct(stored, True)
        try:
            for key, value in changes or []:
                OmegaConf.update(stored, key, value)
        except OmegaConfBaseException as error:
            raise explain(error) from None
        tree = OmegaConf.to_container(stored, resolve=False)
        if OmegaConf.select(stored, "cost.on_end") is not None:
            stored.cost.on_end = None
        refuse_untrusted(f"run '{self.path}'", targets_in(tree))
        try:
            return typed(stored)
        except ConfigError as error:
            if changes:
                raise  # which may be to blame
            raise UserError(f"run '{self.path}' has a damaged config.yaml ({error})") from None

    def save_manifest(self, manifest: Manifest) -> None:
        """Write every sample with its split."""
        manifest.write(self.path / "manifest.csv")

    def load_manifest(self, root: str, *, content: bool = False) -> Manifest:
        """The samples this run was trained and tested on.

        Args:
            root: Where the photos are.
            content: With ``sha256``, by which photos are known elsewhere. Training has no use for
                it, and of a million photos it takes as much memory as all the rest.

        Raises:
            UserError: The table is missing, or was damaged.
        """
        import pandas as pd

        from osprey.data.manifest import complete

        try:
            table = pd.read_csv(
                self.path / "manifest.csv",
                dtype=str,
                keep_default_na=False,
                usecols=lambda column: content or column != "sha256",
            )
            return complete(table, Path(root), "it")
        except (FileNotFoundError, ValueError, DataError) as error:
            why = "" if isinstance(error, OSError) else f" ({first_line(str(error))})"
            raise UserError(
                f"run '{self.path}' has no whole manifest.csv{why}: copy it again, or train anew"
            ) from None

    def samples(self, *more: str) -> pd.DataFrame:
        """``group`` and ``sha256`` of each sample, by its path; empty columns where not known.

        Args:
            *more: Further columns of the manifest.
        """
        import pandas as pd

        columns = ("path", "group", "sha256", *more)
        try:
            table = pd.read_csv(
                self.path / "manifest.csv",
                dtype=str,
                keep_default_na=False,
                usecols=lambda column: column in columns,
            )
        except (OSError, ValueError):
            table = pd.DataFrame({"path": []}, dtype=str)
        found = table.reindex(columns=list(columns), fill_value="")
        return found.drop_duplicates("path").set_index("path")

    def held(self) -> FolderLock:
        """Lock the run for this process; the lock is released when the process ends.

        Raises:
            UserError: Another process is training it.
        """
        return FolderLock(self.path, f"run '{self.path}' is being trained by another process")

    def discard_if_empty(self) -> None:
        """Remove the folder of a run that failed before it trained anything."""
        learnt = (self.last, self.best, self.path / "metrics.csv")
        if not any(file.exists() for file in learnt):
            shutil.rmtree(self.path)

    def reopen(self) -> None:
        """Mark a resumed run as unfinished until it is tested again."""
        (self.path / "summary.json").unlink(missing_ok=True)

    def publish(self, runs: Path) -> None:
        """Point the link ``runs/latest`` here."""
        # File systems without links, or somebody's own folder called latest.
        with suppress(OSError), atomic_path(runs / "latest") as partial:
            partial.symlink_to(os.path.relpath(self.path, runs))


def _all_runs(runs: Path) -> list[RunFolder]:
    """Every run under ``runs``."""
    return [RunFolder(p.parent) for p in sorted(runs.glob("*/*/config.yaml"))]


def find_run(
    word: str, runs: Path, *, resumable: bool = False, task: str | None = None
) -> RunFolder:
    """Find a run by its folder or as ``latest``.

    Args:
        word: ``latest``, a run folder, or its path below ``runs``.
        runs: Folder of all runs.
        resumable: ``latest`` is the newest run with a checkpoint to resume from, finished or not;
            otherwise the newest finished one.
        task: Consider only runs of this task for ``latest``.

    Returns:
        The run.

    Raises:
        UserError: There is no such run.
    """
    if word == "latest":
        marks = [r.last if resumable else r.path / "summary.json" for r in _all_runs(runs)]
        # By when they got there, not by when they began: the same run that runs/latest names.
        good = sorted((p for p in marks if p.is_file()), key=lambda p: p.stat().st_mtime_ns)
        if task is not None:
            good = [p for p in good if RunFolder(p.parent).task == task]
        if not good:
            kind = "run with a checkpoint to go on from" if resumable else "finished run"
            kind += f" of task={task}" if task else ""
            raise UserError(f"there is no {kind} under '{runs}': train one with 'osprey train'")
        return RunFolder(good[-1].parents[1] if resumable else good[-1].parent)
    for path in (Path(word), runs / word):
        if (path / "config.yaml").is_file():
            return RunFolder(path)
    several = sorted((runs / word).glob("*/config.yaml"))  # the name of an experiment
    if several:
        newest = several[-1].parent.relative_to(runs).as_posix()
        raise UserError(f"'{word}' is a folder of runs: name one, such as the newest, '{newest}'")
    names = [str(r.path.relative_to(runs)) for r in _all_runs(runs)]
    near = nearest(word, names) or nearest(Path(word).name, [Path(n).name for n in names])
    hint = near or f"; name a folder below '{runs}', or latest"
    raise UserError(f"there is no run '{word}'{hint}")
