"""The leaderboard as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from osprey.reports.build import render
from osprey.sweeping.charts import Scale, bars, front, history, parallel
from osprey.sweeping.leaderboard import OTHERS, again, half_width, own_words
from osprey.sweeping.records import shown_words
from osprey.sweeping.rows import Board, Row, spent_on

PAGE = "leaderboard.html"
_PAGE = Path(__file__).with_name("page")
_SCALES = 7  # parallel axes beside the metric's: more are not read


def board_page(
    name: str, boards: Sequence[Board], rows: Sequence[Row], importances: Mapping[str, float]
) -> str:
    """The page of a leaderboard.

    Args:
        name: Of the sweep, or the folder of runs.
        boards: From `osprey.sweeping.rows.boards_of`.
        rows: All of them, in their order.
        importances: How much each setting mattered; empty where that is not known.

    Returns:
        HTML without external resources.
    """
    unfinished = [row for row in rows if row.state in OTHERS]
    counts = [(what, sum(r.state == state for r in rows)) for state, what in OTHERS.items()]
    values = {
        "name": name,
        "stamp": "",
        "finished": sum(len(board.rows) for board in boards),
        "spent": spent_on(rows),
        "others": [(what, count) for what, count in counts if count],
        "boards": [_board(board, rows, importances) for board in boards],
        "unfinished": [
            {
                "what": OTHERS[row.state],
                "why": row.why,
                "minutes": "" if row.minutes is None else f"{row.minutes:.1f}",
                "words": shown_words(own_words(row, rows)),
                "run": " ".join(map(str, row.runs)),
            }
            for row in unfinished
        ],
    }
    return render(_PAGE, values)


def _board(board: Board, rows: Sequence[Row], importances: Mapping[str, float]) -> dict[str, Any]:
    alike = board.alike
    return {
        "metric": board.metric.name,
        "data": board.data,
        "lower": not board.metric.higher_is_better,
        "alike": any(alike),
        "priced": board.priced,
        "again": again(board),
        "rows": [
            {
                "alike": same,
                "cells": _cells(row, board),
                "words": shown_words(board.differing(row)),
                "run": " ".join(map(str, row.runs)),
            }
            for row, same in zip(board.rows, alike, strict=True)
        ],
        "charts": list(_charts(board, rows, importances)),
    }


def _cells(row: Row, board: Board) -> list[dict[str, Any]]:
    form, half = board.metric.format, half_width(row.values)
    numbers = [
        (row.value, form),
        (row.test, form),
        (row.minutes, ".1f"),
        *([(row.usd, ".2f")] if board.priced else []),
        (row.parameters, ",d"),
        (row.speed, ".1f"),
    ]
    cells: list[dict[str, Any]] = [
        {
            "value": "" if value is None else value,
            "text": "\N{EN DASH}" if value is None else f"{value:{shape}}",
            "half": "",
        }
        for value, shape in numbers
    ]
    cells[0]["half"] = "" if half is None else f"{half:{form}}"
    return cells


def _charts(
    board: Board, rows: Sequence[Row], importances: Mapping[str, float]
) -> list[dict[str, Any]]:
    metric, ranked = board.metric, board.rows
    in_order = [row for row in rows if row in ranked]
    found = [
        _chart(
            "Trial after trial",
            history([row.value for row in in_order], metric.name, higher=metric.higher_is_better),
            "Dots are trials, the dashed line is the best so far.",
        )
    ]
    for title, cost, costs in (
        ("Quality for its size", "parameters", [row.parameters for row in ranked]),
        ("Quality for its time", "seconds a photo", [_seconds(row) for row in ranked]),
    ):
        known = [float(value) for value in costs if value]
        drawn = None
        if len(known) == len(ranked):
            values = [row.value for row in ranked]
            names = (cost, metric.name)
            drawn = front(known, values, names, higher=metric.higher_is_better)
        hint = "The dashed line joins those that none beats in both."
        found.append(_chart(title, drawn and drawn[0], hint))
    found.append(_chart("What mattered", bars(dict(importances), "importance of each setting"), ""))
    values_scale = Scale(metric.name, tuple(f"{row.value:.6g}" for row in ranked))
    shape = parallel([*_scales(board), values_scale], range(len(ranked)))
    found.append(_chart("What was tried", shape, "The best fifth is blue.", wide=True))
    return [chart for chart in found if chart["svg"] is not None]


def _chart(title: str, svg: Markup | None, hint: str, *, wide: bool = False) -> dict[str, Any]:
    return {"title": title, "svg": svg, "hint": hint, "wide": wide}


def _seconds(row: Row) -> float | None:
    return None if not row.speed else 1 / row.speed


def _scales(board: Board) -> list[Scale]:
    """The settings that all rows set and that differ."""
    tables = [dict(word.partition("=")[::2] for word in board.differing(r)) for r in board.rows]
    keys = [key for key in tables[0] if all(key in table for table in tables)]
    return [Scale(key, tuple(table[key] for table in tables)) for key in keys[:_SCALES]]
