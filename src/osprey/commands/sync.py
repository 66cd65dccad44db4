"""``osprey sync``: send what W&B kept offline. Nothing else that Osprey does sends it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from osprey.commands.command_line import Parser
from osprey.engine.loggers.wandb_server import why_no_key, why_unreachable
from osprey.engine.loggers.wandb_sync import send, unsent
from osprey.errors import UserError
from osprey.runs.folder import RunFolder, find_run
from osprey.sweeping.rows import read_rows
from osprey.system.console import counted, say

_OLDEST = (0, 30)  # W&B's release from which its own command tells what has arrived


def main(argv: list[str]) -> int:
    """Send the runs that are named, each once."""
    parser = Parser(
        prog="osprey sync",
        description="Send what W&B kept offline: of a run, a sweep, or every run of a folder.",
    )
    parser.add_argument(
        "place",
        nargs="?",
        default="latest",
        metavar="RUN|FOLDER",
        help="a run, a sweep's folder, or that of runs (default: newest finished run)",
    )
    parser.add_runs()
    arguments = parser.parse_args(argv)
    found = _runs(arguments.place, Path(arguments.runs))
    waiting = {run: logs for run in found if (logs := unsent(run)) and _is_free(run)}
    if not waiting:
        say(f"sync    nothing to send: W&B keeps nothing offline in '{arguments.place}'")
        return 0
    url = _server()
    say(f"sync    sending {counted(len(waiting), 'run')} to {url} ...")
    said = send([log for logs in waiting.values() for log in logs])
    left = [run for run in waiting if unsent(run)]
    if left:
        raise UserError(
            f"{counted(len(left), 'run')} of {len(waiting)} could not be sent, such as "
            f"'{left[0]}' ({said[:200] or 'W&B does not say why'}): they are kept; try again"
        )
    say(f"sync    {counted(len(waiting), 'run')} sent")
    return 0


def _runs(word: str, runs: Path) -> list[Path]:
    """The run folders that a word names."""
    for place in (Path(word), runs / word):
        if place.is_dir() and not (place / "config.yaml").is_file():
            return list(dict.fromkeys(run for row in read_rows(place) for run in row.runs))
    return [find_run(word, runs).path]


def _is_free(run: Path) -> bool:
    """Whether nobody is training it: what is still to come would not be sent."""
    try:
        with RunFolder(run).held():
            return True
    except UserError as busy:
        say(f"note    {busy}: not sent")
        return False


def _server() -> str:
    """The address of W&B's server, which answers and whose key is known.

    Raises:
        UserError: It does not, or W&B is not installed.
    """
    oldest = ".".join(map(str, _OLDEST))
    if importlib.util.find_spec("wandb") is None:
        raise UserError(f"W&B is not installed: pip install 'wandb>={oldest}'")
    version = importlib.metadata.version("wandb")
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        raise UserError(f"wandb {version} is too old: pip install 'wandb>={oldest}'")
    import wandb

    url = str(wandb.setup().settings.base_url)
    if why := why_no_key(url) or why_unreachable(url):
        raise UserError(f"nothing was sent: {why}")
    return url
