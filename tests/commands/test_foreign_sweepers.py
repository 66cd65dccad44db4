"""Sweepers and launchers that are not Hydra's own: a job returns its figure, results are files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import TINY, run_process

SWEEPER = '''
"""Asks for one value, then for another that depends on the first one's figure."""
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.sweeper import Sweeper


class Climber(Sweeper):
    def __init__(self, key):
        self.key = key

    def setup(self, *, hydra_context, task_function, config):
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments):
        seen = []
        for number, value in enumerate(("1e-5", "1e-2")):
            (job,) = self.launcher.launch([[*arguments, f"{self.key}={value}"]], number)
            assert isinstance(job, JobReturn)
            seen.append(job.return_value)
        print("figures", seen)
        return seen
'''
LAUNCHER = '''
"""Runs every job in a process of its own, as launchers of clusters do."""
import multiprocessing

from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.plugins.launcher import Launcher
from omegaconf import open_dict


class Processes(Launcher):
    def setup(self, *, hydra_context, task_function, config):
        self.context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides, initial_job_idx):
        found = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
            with open_dict(config):
                config.hydra.job.num = number
                config.hydra.job.id = f"job_{number}"
            context = multiprocessing.get_context("fork")  # Hydra alone is imported here
            answers = context.Queue()

            def work():
                job = run_job(
                    hydra_context=self.context, task_function=self.task_function, config=config,
                    job_dir_key="hydra.sweep.dir", job_subdir_key="hydra.sweep.subdir",
                )
                answers.put(job.return_value)

            process = context.Process(target=work)
            process.start()
            found.append(JobReturn(_return_value=answers.get(), status=JobStatus.COMPLETED))
            process.join()
        return found
'''


def write(folder: Path, package: str, name: str, text: str) -> None:
    place = folder / "hydra_plugins" / package
    place.mkdir(parents=True)
    (place / "__init__.py").write_text(text)
    options = folder / "mine" / "hydra" / name
    options.mkdir(parents=True)
    kind = {"sweeper": "Climber", "launcher": "Processes"}[name]
    more = "key: optimizer.lr\n" if name == "sweeper" else ""
    (options / f"own_{name}.yaml").write_text(f"_target_: hydra_plugins.{package}.{kind}\n{more}")


def words(photos: Path) -> list[str | Path]:
    tiny = [word for word in TINY if not word.startswith("optimizer.lr")]
    return ["train", "--config-dir", "mine", "-m", "data=folder", f"data.root={photos}", *tiny]


def trials(folder: Path) -> list[dict[str, object]]:
    files = sorted(folder.glob("runs/sweeps/*/trials/*.json"))
    return [json.loads(file.read_text()) for file in files]


@pytest.mark.slow
def test_a_sweeper_of_another_s_gets_the_figure(here: Path, photos: Path) -> None:
    write(here, "climber", "sweeper", SWEEPER)
    path = f"{here}"
    result = run_process([*words(photos), "hydra/sweeper=own_sweeper"], here, EXTRA_PATH=path)
    assert result.code == 0, result.err
    (line,) = (text for text in result.out.splitlines() if text.startswith("figures"))
    values = [record["value"] for record in trials(here)]
    assert line == f"figures {values}"
    assert "sweep, best first by validation macro-F1:" in result.out


@pytest.mark.slow
def test_a_launcher_with_processes_of_its_own(here: Path, photos: Path) -> None:
    write(here, "processes", "launcher", LAUNCHER)
    result = run_process(
        [*words(photos), "hydra/launcher=own_launcher", "optimizer.lr=1e-5,1e-2", "seed=0"],
        here,
        EXTRA_PATH=str(here),
    )
    assert result.code == 0, result.err
    records = trials(here)
    assert [bool(record["run"]) for record in records] == [True, True]
    assert "sweep, best first by validation macro-F1:" in result.out


@pytest.mark.slow
def test_a_bad_trial_in_another_process_does_not_end_the_sweep(here: Path, photos: Path) -> None:
    write(here, "processes", "launcher", LAUNCHER)
    result = run_process(
        [*words(photos), "hydra/launcher=own_launcher", "data.classes=[red],[blue,red]"],
        here,
        EXTRA_PATH=str(here),
    )
    assert result.code == 1
    first, second = trials(here)
    assert str(first["failure"]).startswith("only one class, 'red'")
    assert second["run"] and "failure" not in second
    assert "  failed           data=folder" in result.out
