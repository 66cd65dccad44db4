"""One process of a distributed run: ``python -m osprey.engine.worker RUN_FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from osprey.errors import Interrupted, UserError
from osprey.runs.folder import RunFolder


def main() -> int:
    """Train this process's share; leave one plain line in the run folder if it cannot."""
    run = RunFolder(Path(sys.argv[1]))
    from osprey.engine.fit import fit
    from osprey.engine.loggers.build import closing_loggers

    try:
        with closing_loggers():
            fit(run, run.load_config(), resolved=True)
    except Interrupted as stop:
        return stop.code
    except UserError as error:
        run.write_text("failure.txt", f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
