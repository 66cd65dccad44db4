"""``osprey leaderboard``: the trials of a sweep, or all runs, best first."""

from __future__ import annotations

from pathlib import Path

from osprey.commands.command_line import Parser, use_plugins
from osprey.errors import UserError
from osprey.reports.build import write_page
from osprey.sweeping.board_page import PAGE, board_page
from osprey.sweeping.importances import importances
from osprey.sweeping.leaderboard import SHOWN, print_boards
from osprey.sweeping.rows import boards_of, read_rows
from osprey.system.console import say
from osprey.system.outputs import output_path


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
    parser.add_argument(
        "--html",
        nargs="?",
        const=PAGE,
        metavar="FILE",
        help=f"write a page, too (default: {PAGE} in the folder)",
    )
    parser.add_argument(
        "--force", action="store_true", help="write over a file that Osprey did not write"
    )
    parser.add_plugins()
    arguments = parser.parse_args(argv)
    use_plugins(arguments)
    if arguments.limit < 1:
        parser.error(f"argument --limit: {arguments.limit} is out of range (at least 1)")
    rows = read_rows(Path(arguments.folder))
    boards = boards_of(rows)
    print_boards(boards, rows, limit=arguments.limit)
    if arguments.html is not None:
        folder = Path(arguments.folder)
        target = folder / PAGE if arguments.html == PAGE else Path(arguments.html)
        if not target.parent.is_dir():
            raise UserError(f"--html: there is no folder '{target.parent}' to write to")
        with output_path(str(target), "--html", force=arguments.force) as partial:
            write_page(
                board_page(folder.resolve().name, boards, rows, importances(folder)), partial
            )
        say(f"page    {target}")
    return 0
