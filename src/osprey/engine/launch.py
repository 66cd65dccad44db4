"""Start training in this process, or in one process a device."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from osprey.config.schema import TrainConfig
from osprey.engine.devices import process_count
from osprey.errors import Interrupted, UserError
from osprey.runs.folder import RunFolder


def train_run(run: RunFolder, config: TrainConfig) -> dict[str, Any]:
    """Train the run that ``run`` describes, test it, and return its summary.

    Raises:
        Interrupted: A signal asked to stop; ``last.ckpt`` was saved.
        UserError: Something the user can mend.
    """
    from osprey.engine.finalize import finish
    from osprey.engine.loggers.build import closing_loggers

    started = time.monotonic()
    with closing_loggers():
        if config.model.factory == "ensemble":
            from osprey.ensembling.ensemble import combine_runs, describe

            combined = combine_runs(run, config, run.load_manifest(config.data.root))
            summary = finish(run, config, (time.monotonic() - started) / 60, combined)
            describe(combined, summary["val"])
            return summary
        processes = process_count(config)
        if processes > 1:
            from osprey.engine.fit import resolve_for_processes

            resolve_for_processes(run, config, processes)
            _run_processes(run, processes)
        else:
            from osprey.engine.fit import fit

            fit(run, config)
        return finish(run, config, (time.monotonic() - started) / 60)


def _run_processes(run: RunFolder, count: int) -> None:
    """One process a device under torchrun; they read the run folder and write only there."""
    failure = run.path / "failure.txt"
    failure.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        f"--nproc-per-node={count}",
        *("-m", "osprey.engine.worker", str(run.path)),
    ]
    threads = max(1, (os.cpu_count() or 1) // count)
    environment = {"OMP_NUM_THREADS": str(threads), "TORCHELASTIC_ERROR_FILE": "", **os.environ}
    log = run.path / "processes.log"
    with log.open("a", encoding="utf-8") as file:
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
