"""``osprey compare A B``: settings, figures and answers of two finished runs, side by side."""

from __future__ import annotations

from argparse import SUPPRESS
from collections.abc import Sequence
from pathlib import Path

from osprey.commands.command_line import Parser, use_plugins
from osprey.commands.comparing.facts import (
    ClassChange,
    Comparison,
    Figure,
    SplitFigures,
    compare_runs,
)
from osprey.errors import UserError
from osprey.runs.folder import RunFolder, find_run
from osprey.system.console import counted, say

_SHOWN = 20


def main(argv: list[str]) -> int:
    """Print the comparison, and write its page where it is asked for."""
    parser = Parser(
        prog="osprey compare",
        description="Compare two finished runs: settings, figures, and the answers that differ.",
    )
    parser.add_argument("first", metavar="RUN_A", help="a run folder, its name, or latest")
    parser.add_argument("second", metavar="RUN_B", help="another")
    parser.add_argument("more", nargs="*", help=SUPPRESS)
    parser.add_runs()
    parser.add_argument(
        "--limit", type=int, default=_SHOWN, metavar="N", help=f"answers shown (default: {_SHOWN})"
    )
    parser.add_argument(
        "--html",
        nargs="?",
        const=True,  # no name a user could give
        metavar="FILE",
        help="after the runs: write a page, too (default: compare_RUN_A.html in RUN_B)",
    )
    parser.add_argument(
        "--force", action="store_true", help="write over a file that Osprey did not write"
    )
    parser.add_plugins()
    arguments = parser.parse_args(argv)
    use_plugins(arguments)
    if arguments.limit < 0:
        parser.error(f"argument --limit: {arguments.limit} is out of range (at least 0)")
    if arguments.more:
        parser.error(f"two runs are compared, and '{arguments.more[0]}' is a third")
    one, other = (
        _finished(find_run(name, Path(arguments.runs)))
        for name in (arguments.first, arguments.second)
    )
    found = compare_runs(one, other)
    _print(found, arguments.limit)
    if arguments.html is not None:
        from osprey.commands.comparing.page import default_page, write_comparison

        target = default_page(found) if arguments.html is True else Path(arguments.html)
        write_comparison(found, target, force=arguments.force)
        say(f"page    {target}")
    return 0


def _finished(run: RunFolder) -> RunFolder:
    if not run.finished:
        raise UserError(f"run '{run.path}' is not finished: go on with osprey train resume=...")
    return run


def _print(found: Comparison, limit: int) -> None:
    say(f"A       {found.runs[0].path}")
    say(f"B       {found.runs[1].path}")
    _settings(found.settings)
    for part in found.splits:
        _figures(part)
    if found.untested:
        say(f"note    {found.untested}")
    _classes(found.classes)
    if not found.shown.unpaired:
        _answers(found, limit)


def _settings(settings: Sequence[tuple[str, str, str]]) -> None:
    say()
    say("settings that differ:" if settings else "settings: the same")
    width = max((len(key) for key, *_ in settings), default=0)
    for key, before, now in settings:
        say(f"  {key:<{width}}  {before} -> {now}")


def _figures(part: SplitFigures) -> None:
    say()
    say(f"{part.split} ({part.counts[0]} and {part.counts[1]} samples):")
    width = max((len(figure.metric.name) for figure in part.figures), default=0)
    for figure in part.figures:
        say(_line(figure, width))
    if part.unpaired:
        say(f"note    {part.unpaired}")


def _line(figure: Figure, width: int) -> str:
    form, before, now, found = figure.metric.format, figure.before, figure.now, figure.paired
    line = f"  {figure.metric.name:<{width}}  {before:{form}}  {now:{form}}  {now - before:+{form}}"
    if found is not None:
        line += (
            f"  on the {found.n} that both answered {found.low:+{form}} to {found.high:+{form}} "
            f"(95%): {figure.verdict}"
        )
    if figure.blind is not None:
        line += f"; looking at nothing {figure.blind:{form}}"
    return line


def _classes(changes: Sequence[ClassChange]) -> None:
    """The classes whose figure changed most."""
    if not changes:
        return
    say()
    say("classes that changed most:")
    width = max(len(change.label) for change in changes[:_SHOWN])
    for change in changes[:_SHOWN]:
        values = f"{change.before:.3f}  {change.now:.3f}  {change.change:+.3f}"
        say(f"  {change.label:<{width}}  {change.key} {values}")


def _answers(comparison: Comparison, limit: int) -> None:
    split = comparison.shown.split
    found = comparison.task.changed_answers(*comparison.runs, split)
    if found is None:
        return
    mended = sum(row["second"] == row["label"] for row in found)
    broken = sum(row["first"] == row["label"] for row in found)
    say()
    say(
        f"answers that differ: {counted(len(found), 'photo')} of {split}; B is right where A was "
        f"wrong on {mended}, wrong where A was right on {broken}"
    )
    for row in found[:limit]:
        say(f"  {row['path']}  is {row['label']}: {row['first']} -> {row['second']}")
    if len(found) > limit:
        say(f"  ... and {len(found) - limit} more (--limit {len(found)})")
