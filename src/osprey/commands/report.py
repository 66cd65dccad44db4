"""``osprey report``: write a finished run's report again, from its folder alone."""

from __future__ import annotations

from pathlib import Path

from osprey.commands.command_line import Parser, use_plugins
from osprey.errors import UserError
from osprey.runs.folder import find_run
from osprey.system.console import say
from osprey.system.outputs import is_stream, output_path
from osprey.tasks.reporting import build_report


def main(argv: list[str]) -> int:
    """Write the report and print where it lies."""
    parser = Parser(
        prog="osprey report",
        description="Write a finished run's report again, from its run folder alone.",
    )
    parser.add_run()
    parser.add_argument("--output", metavar="FILE", help="default: report.html in the run folder")
    parser.add_argument(
        "--force", action="store_true", help="write over a file that Osprey did not write"
    )
    parser.add_plugins()
    arguments = parser.parse_args(argv)
    use_plugins(arguments)
    run = find_run(arguments.run, Path(arguments.runs))
    output = Path(arguments.output) if arguments.output else None
    if output is None:
        say(str(build_report(run.path)))
        return 0
    if output.is_dir():
        raise UserError(f"--output: '{output}' is a folder; name a file")
    if not output.parent.is_dir():
        raise UserError(f"--output: there is no folder '{output.parent}' to write to")
    with output_path(arguments.output, "--output", force=arguments.force) as partial:
        build_report(run.path, partial)
    if not is_stream(arguments.output):
        say(str(output))
    return 0
