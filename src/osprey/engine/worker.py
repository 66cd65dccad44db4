"""One process of a distributed run: ``python -m osprey.engine.worker RUN_FOLDER [TRUSTED ...]``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from osprey.errors import Interrupted, UserError
from osprey.runs.folder import RunFolder
from osprey.system.disk import system_failure
from osprey.system.plugins import load_installed, load_plugins, see_current_folder
from osprey.system.trust import trust_packages


def main() -> int:
    """Train, validate and test this process's part of a distributed run.

    Arguments are the run folder, then the packages and targets that the starting command trusts. An
    error of the user's is written to ``failure.txt``.

    Returns:
        The exit code.
    """
    run = RunFolder(Path(sys.argv[1]))
    from osprey.engine.finalize import evaluate_run
    from osprey.engine.fit import fit
    from osprey.engine.loggers.build import closing_loggers

    try:
        see_current_folder()
        trust_packages(sys.argv[2:])
        load_installed()
        config = run.load_config()
        load_plugins(config.plugins)
        with closing_loggers(run):
            started, before = time.monotonic(), run.minutes_trained()
            watchers = fit(run, config, resolved=True)
            minutes = before + (time.monotonic() - started) / 60
            evaluate_run(run, config, minutes, watchers)
        _part()
    except Interrupted as stop:
        return stop.code
    except UserError as error:
        run.write_text("failure.txt", f"{error}\n")
        return 2
    except (OSError, RuntimeError) as error:
        line = system_failure(error)
        if line is None:
            raise
        run.write_text("failure.txt", f"{line}\n")
        return 2
    return 0


def _part() -> None:
    """Leave the other processes: gloo's threads, still there at the exit, abort it."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
