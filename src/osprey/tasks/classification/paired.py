"""Two classifiers on the same photos: how far apart their figures are, and which answers differ."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from osprey.errors import UserError
from osprey.reports.run_record import damage_in_one_line, predictions_of
from osprey.runs.folder import RunFolder
from osprey.runs.shared_samples import nothing_shared, shared_samples
from osprey.system.console import counted
from osprey.tasks.bootstrap import difference_of, drawn_photos
from osprey.tasks.classification.draws import DRAWN, figure_in_draws
from osprey.tasks.specs import PairedDifference

_DRAWS = 1000


def paired_differences(
    first: RunFolder, second: RunFolder, split: str, keys: Collection[str]
) -> dict[str, PairedDifference]:
    """The difference of metrics on the photos that two runs share, with its 95% interval.

    The interval is a bootstrap over photos, or over their groups: each draw gives both runs the
    same ones, so that what is hard for both does not count.

    Args:
        first: A run.
        second: Another.
        split: ``val`` or ``test``.
        keys: ``top1``, ``macro_f1`` or ``log_loss``; of others nothing is known.

    Returns:
        Second minus first, by key; nothing where they share fewer than two photos or groups.

    Raises:
        UserError: See `shared_rows`.
    """
    both = shared_rows(first, second, split)
    count = len(both)
    drawn = drawn_photos(both["group"].tolist(), count, _DRAWS)
    if drawn is None:
        return {}
    weights = np.vstack([np.ones(count), drawn])  # the first is what was measured
    result = {}
    for key in (key for key in keys if key in DRAWN):
        one, other = (_figures(both, side, key, weights) for side in ("_a", "_b"))
        result[key] = difference_of(other - one, count)
    return result


def shared_rows(first: RunFolder, second: RunFolder, split: str) -> pd.DataFrame:
    """Both answers to each photo that two runs were asked about.

    Args:
        first: A run; the names of its columns end in ``_a``.
        second: Another; they end in ``_b``.
        split: ``val`` or ``test``.

    Returns:
        Both tables' columns, and ``group``, empty where not known.

    Raises:
        UserError: There is no such photo, one is labelled otherwise, or a table is missing or
            damaged.
    """
    one, other = (_answers(run, split) for run in (first, second))
    rows = shared_samples(one, other)
    if not len(rows[0]):
        raise nothing_shared(split, (first, second), (len(one), len(other)))
    sides = [
        table.iloc[at].reset_index(drop=True) for table, at in zip((one, other), rows, strict=True)
    ]
    both = pd.concat([sides[0].add_suffix("_a"), sides[1].add_suffix("_b")], axis=1)
    unlike = both[both["label_a"] != both["label_b"]]
    if len(unlike):
        example = unlike.iloc[0]
        raise UserError(
            f"{counted(len(unlike), 'photo')} of {split} that both answered "
            f"{'is' if len(unlike) == 1 else 'are'} labelled otherwise in each run, first "
            f"'{example['path_a']}' ({example['label_a']}, {example['label_b']}): runs on the same "
            "labels are compared photo by photo"
        )
    return both.assign(group=both["group_a"])


def _answers(run: RunFolder, split: str) -> pd.DataFrame:
    """A run's table of predictions, with what its manifest knows of each photo."""
    with damage_in_one_line(run.path):
        kinds = dict.fromkeys(("path", "label", "predicted"), str)
        file = predictions_of(run.path, split)
        table = pd.read_csv(file, dtype=kinds, keep_default_na=False)
        known = run.samples().reindex(table["path"], fill_value="")
        if table["path"].duplicated().any():
            raise ValueError(f"a photo stands twice in {file.name}")
        return table.assign(
            group=known["group"].to_numpy(str),
            sha256=known["sha256"].to_numpy(str),
        )


def changed_rows(both: pd.DataFrame) -> pd.DataFrame:
    """The rows of `shared_rows` in which the runs answer otherwise."""
    return both[both["predicted_a"] != both["predicted_b"]]


def changed_answers(first: RunFolder, second: RunFolder, split: str) -> list[dict[str, str]]:
    """The photos to which two runs answer otherwise: ``path``, ``label``, ``first``, ``second``.

    Raises:
        UserError: See `shared_rows`.
    """
    columns = {
        "path_a": "path",
        "label_a": "label",
        "predicted_a": "first",
        "predicted_b": "second",
    }
    other = changed_rows(shared_rows(first, second, split))
    found = other[list(columns)].rename(columns=columns)
    return [{str(k): str(v) for k, v in row.items()} for row in found.to_dict("records")]


def _figures(
    both: pd.DataFrame, side: str, key: str, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A metric of one side of `shared_rows` in each draw of ``weights``."""
    truth = both["label_a"].to_numpy(str)
    named = [f"p:{label}{side}" for label in truth]
    given = np.array([both[name].iloc[i] for i, name in enumerate(named)], np.float64)
    return figure_in_draws(key, truth, both[f"predicted{side}"].to_numpy(str), given, weights)
