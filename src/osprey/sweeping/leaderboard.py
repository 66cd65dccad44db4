"""The leaderboard as lines of a terminal: ranked, with what cannot be told from the best marked."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from contextlib import suppress

from scipy.special import stdtrit

from osprey.errors import UserError
from osprey.runs.again import command_of
from osprey.runs.folder import RunFolder
from osprey.sweeping.records import shown_words
from osprey.sweeping.rows import Board, Row, spent_on
from osprey.system.console import counted, say
from osprey.tasks.registry import DEFAULT_TASK, get_task

SHOWN = 30
OTHERS = {"pruned": "ended early", "failed": "failed", "unfinished": "not finished"}
_COMPARED = 10  # rows beside the best whose answers are looked at: each takes some milliseconds


def half_width(values: Sequence[float]) -> float | None:
    """Half of the 95% interval of the mean of several seeds, by Student's t; None of one."""
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return float(stdtrit(len(values) - 1, 0.975)) * math.sqrt(variance / len(values))


def not_told_apart(board: Board) -> list[bool]:
    """Whether each row could be as good as the best: by seeds (Welch), else by paired answers.

    Args:
        board: Ranked.

    Returns:
        One entry a row; False of the best itself and of rows that nothing is known of.
    """
    best = board.rows[0]
    return [False, *(_alike(best, row, place, board) for place, row in enumerate(board.rows[1:]))]


def _alike(best: Row, row: Row, place: int, board: Board) -> bool:
    if min(len(best.values), len(row.values)) > 1:
        return _welch(best.values, row.values)
    if place >= _COMPARED or not best.runs or not row.runs:
        return False
    first, second = RunFolder(best.runs[0]), RunFolder(row.runs[0])
    task = get_task(first.task or DEFAULT_TASK)
    key = board.metric.key
    with suppress(UserError):  # runs whose answers are not those to the same photos
        found = task.paired_differences(first, second, "val", [key])
        return key in found and not found[key].told_apart
    return False


def _welch(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the 95% interval of the difference of two means holds 0."""
    parts = []
    for values in (one, other):
        mean = sum(values) / len(values)
        spread = sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values)
        parts.append((mean, spread, len(values) - 1))
    error = math.sqrt(parts[0][1] + parts[1][1])
    difference = abs(parts[0][0] - parts[1][0])
    if not error:
        return difference == 0
    freedom = error**4 / sum(spread**2 / n for _, spread, n in parts)
    return difference <= float(stdtrit(freedom, 0.975)) * error


def print_boards(boards: Sequence[Board], rows: Sequence[Row], *, limit: int = SHOWN) -> None:
    """Print each board, then what was not finished.

    Args:
        boards: From `osprey.sweeping.rows.boards_of`.
        rows: All of them.
        limit: Rows of each board that are shown.
    """
    for board in boards:
        _print_board(board, limit)
    for state, what in OTHERS.items():
        found = [row for row in rows if row.state == state]
        if found:
            say()
            say(f"{_with_cost(f'{what} ({len(found)})', found)}:")
        for row in found[:limit]:
            place = f"  {row.runs[0]}" if row.runs else ""
            why = f"  {row.why}" if row.why else ""
            say(f"  {shown_words(own_words(row, rows))}{why}{place}")
    if len(boards) + len({row.state for row in rows} & set(OTHERS)) > 1 and spent_on(rows):
        say()
        say(f"in all  {_with_cost(counted(len(rows), 'run'), rows)}")


def _with_cost(what: str, rows: Sequence[Row]) -> str:
    spent = spent_on(rows)
    return f"{what}, {spent}" if spent else what


def again(board: Board) -> str:
    """The command that trains the best row once more."""
    best = board.rows[0]
    words = list(best.words)
    with suppress(UserError):  # a trial whose run folder is gone has its settings alone
        words = command_of(RunFolder(best.runs[0])) if best.runs else words
    return shlex.join(["osprey", "train", *words])


def own_words(row: Row, rows: Sequence[Row]) -> list[str]:
    """The settings of a row that not all rows have; all of them where there is no other."""
    common = set.intersection(*(set(other.words) for other in rows))
    return [word for word in row.words if word not in common] or list(row.words)


def _print_board(board: Board, limit: int) -> None:
    metric, alike = board.metric, board.alike
    where = f" on {board.data}" if board.data else ""
    order = "" if metric.higher_is_better else ", lower is better"
    runs = _with_cost(f"{counted(len(board.rows), 'run')}{where}", board.rows)
    say(f"{runs}, best first by validation {metric.name}{order}:")
    seeds = any(len(row.values) > 1 for row in board.rows)
    spread = "  ± 95%" if seeds else ""
    money = f" {'USD':>7}" if board.priced else ""
    head = f"  {'#':>3} {'val':>7}{spread} {'test':>7} {'minutes':>8}{money} {'params':>8}"
    say(f"{head} {'photos/s':>9}  settings, run")
    for place, row in enumerate(board.rows[:limit], 1):
        mark = "=" if alike[place - 1] else " "
        half = half_width(row.values)
        usd = f" {_number(row.usd, '.2f'):>7}" if board.priced else ""
        width = f"  {half:{metric.format}}" if half is not None else "       "
        say(
            f"  {place:>3}{mark}{_number(row.value, metric.format):>7}{width if seeds else ''} "
            f"{_number(row.test, metric.format):>7} {_number(row.minutes, '.1f'):>8}{usd} "
            f"{_millions(row.parameters):>8} {_number(row.speed, '.1f'):>9}  "
            f"{shown_words(board.differing(row))}  {' '.join(map(str, row.runs[:1]))}".rstrip()
        )
    if len(board.rows) > limit:
        say(f"  ... and {len(board.rows) - limit} more")
    if any(alike):
        more = (
            f"; only the first {_COMPARED + 1} were looked at" if len(alike) > _COMPARED + 1 else ""
        )
        say(f"  = not told apart from the best (95%{more})")
    say(f"again:  {again(board)}")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _millions(value: int | None) -> str:
    return "-" if value is None else f"{value / 1e6:.2f} M"
