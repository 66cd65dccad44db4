"""``osprey leaderboard``: the trials of a sweep, or all runs, best first."""

from __future__ import annotations

from pathlib import Path

from osprey.commands.command_line import Parser, use_plugins
from osprey.sweeping.leaderboard import SHOWN, print_boards
from osprey.sweeping.rows import boards_of, read_rows


def main(argv: list[str]) -> int:
    """Print the leaderboard."""
    parser = Parser(
        prog="osprey leaderboard",
        description="List the trials of a sweep, or the runs of a folder, best first.",
    )
    parser.add_argument(
        "folder", nargs="?", default="runs", help="a sweep's, or that of runs (default: runs)"
    )
    parser.add_argument(
        "--limit", type=int, default=SHOWN, metavar="N", help=f"rows shown (default: {SHOWN})"
    )
    parser.add_plugins()
    arguments = parser.parse_args(argv)
    use_plugins(arguments)
    if arguments.limit < 1:
        parser.error(f"argument --limit: {arguments.limit} is out of range (at least 1)")
    rows = read_rows(Path(arguments.folder))
    print_boards(boards_of(rows), rows, limit=arguments.limit)
    return 0
