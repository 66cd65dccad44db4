"""Start training in this process, in one process per device, or under a launcher."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from osprey.config.schema import TrainConfig, TrainerConfig
from osprey.engine.devices import process_count
from osprey.errors import Interrupted, UserError
from osprey.runs.folder import RunFolder
from osprey.system.launcher import Place, find_place, is_first
from osprey.system.trust import trusted_names


def train_run(run: RunFolder, config: TrainConfig) -> dict[str, Any]:
    """Train and test a run.

    Args:
        run: The run folder.
        config: Its configuration.

    Returns:
        The content of summary.json.

    Raises:
        Interrupted: After a signal; ``last.ckpt`` was saved.
        UserError: The model, its weights or the data cannot be used as configured.
        RuntimeError: A training process failed.
    """
    from osprey.engine.finalize import evaluate_run, publish
    from osprey.engine.loggers.build import closing_loggers
    from osprey.engine.present import present

    started, before = time.monotonic(), run.minutes_trained()
    with closing_loggers(run):
        processes = process_count(config.trainer, config.data)
        if config.model.factory == "ensemble":
            from osprey.ensembling.ensemble import combine_runs, describe
            from osprey.tasks.evaluation import Watchers

            combined = combine_runs(run, config, run.load_manifest(config.data.root))
            minutes = (time.monotonic() - started) / 60
            summary = evaluate_run(run, config, minutes, Watchers(), combined)
            describe(combined, summary["val"])
        elif processes > 1 and find_place() is None:
            from osprey.engine.fit import resolve_for_processes

            resolve_for_processes(run, config, processes)
            _run_processes(run, processes)
            summary = run.read_json("summary.json")
        else:
            from osprey.engine.fit import fit

            watchers = fit(run, config, resolved=processes > 1)
            minutes = before + (time.monotonic() - started) / 60
            summary = evaluate_run(run, config, minutes, watchers)
        if is_first():
            publish(run, Path(config.paths.runs))
            present(run, config, summary)
        return summary


def adapt_to_launcher(trainer: TrainerConfig, place: Place) -> None:
    """Set the Trainer's devices to the processes that a launcher has started, in place.

    Args:
        trainer: The run's ``trainer`` settings.
        place: Rank and sizes of this process.
    """
    if trainer.strategy == "single":
        trainer.strategy = "ddp"
    trainer.devices, trainer.num_nodes = place.local_size, place.nodes
    if trainer.accelerator == "auto":
        import torch

        trainer.accelerator = "gpu" if torch.cuda.is_available() else "cpu"


def share_run(run: RunFolder | UserError | None) -> RunFolder:
    """Broadcast the run to every process of a launcher.

    Args:
        run: In rank 0 its folder, or why there is none; None in the others.

    Returns:
        The run, in every process.

    Raises:
        UserError: Rank 0 could not create one.
    """
    import torch
    import torch.distributed as dist

    if not dist.is_initialized():
        # Lightning goes on with the group it finds.
        gpu = torch.cuda.is_available()
        _tell_torch(find_place())
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo")
    shared: list[Any] = [run]
    dist.broadcast_object_list(shared, src=0)
    if isinstance(shared[0], UserError):
        raise shared[0]
    assert isinstance(shared[0], RunFolder)
    return shared[0]


def _tell_torch(place: Place | None) -> None:
    """The variables torch reads, from those of another launcher than torchrun."""
    if place is None or place.launcher == "torchrun":
        return
    names = {"RANK": place.rank, "WORLD_SIZE": place.world_size, "LOCAL_RANK": place.local_rank}
    for name, value in names.items():
        os.environ[name] = str(value)
    if "MASTER_ADDR" not in os.environ or "MASTER_PORT" not in os.environ:
        from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

        if place.launcher != "srun":
            raise UserError("mpirun: set MASTER_ADDR and MASTER_PORT, as torch.distributed needs")
        cluster = SLURMEnvironment()
        os.environ["MASTER_ADDR"] = cluster.main_address
        os.environ["MASTER_PORT"] = str(cluster.main_port)


def _run_processes(run: RunFolder, count: int) -> None:
    """One process a device under torchrun; they read the run folder and write only there."""
    failure = run.path / "failure.txt"
    failure.unlink(missing_ok=True)
    threads = max(1, (os.cpu_count() or 1) // count)
    environment = {"OMP_NUM_THREADS": str(threads), "TORCHELASTIC_ERROR_FILE": "", **os.environ}
    # What can be imported here can be imported there, also a package of the current folder.
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    log = run.path / "processes.log"
    # torchrun's own logs, which are empty, would be left in the folder for temporary files.
    with log.open("a", encoding="utf-8") as file, TemporaryDirectory(prefix="osprey-") as logs:
        command = [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *(f"--nproc-per-node={count}", f"--log-dir={logs}"),
            *("-m", "osprey.engine.worker", str(run.path), *trusted_names()),
        ]
        # Their own session: a Ctrl-C reaches us alone, and we pass it on once.
        child = subprocess.Popen(command, env=environment, stderr=file, start_new_session=True)
        received = _wait_passing_signals(child)
    if received:
        raise Interrupted(128 + received)
    if child.returncode:
        if failure.is_file():
            raise UserError(failure.read_text(encoding="utf-8").strip())
        raise RuntimeError(f"a training process failed; its traceback is in '{log}'")


def _wait_passing_signals(child: subprocess.Popen[bytes]) -> int:
    received: list[int] = []

    def pass_on(number: int, frame: object) -> None:
        received.append(number)
        child.send_signal(signal.SIGTERM)

    before = {n: signal.signal(n, pass_on) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return received[0] if received else 0
