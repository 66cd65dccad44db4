"""``osprey compare`` on the terminal: settings, figures, answers, and what cannot be compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import Result, only_run

Two = tuple[Path, Path]
Compare = Callable[..., Result]


def edit(file: Path, before: str, now: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, now))


def without_test(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    del summary["test"]
    (run / "summary.json").write_text(json.dumps(summary))


def test_settings_figures_and_answers(two: Two, osprey: Compare) -> None:
    result = osprey("compare", "set/one", "set/other")
    assert result.code == 0, result.err
    assert "settings that differ:\n  optimizer.lr  0.01 -> 0.02\n" in result.out
    right = pd.read_csv(two[0] / "predictions.csv")
    broken = int((right["label"] == right["predicted"])[:2].sum())
    assert f"wrong where A was right on {broken}\n" in result.out
    assert "on the 5 that both answered" in result.out
    assert "looking at nothing" in result.out
    assert "note" not in result.out and "page" not in result.out


def test_the_other_way_round_the_signs_turn(two: Two, osprey: Compare) -> None:
    lines = [
        next(
            line
            for line in osprey("compare", *words).out.splitlines()
            if line.startswith("  macro-F1")
        ).split()
        for words in (("set/one", "set/other"), ("set/other", "set/one"))
    ]
    assert (lines[0][1], lines[0][2]) == (lines[1][2], lines[1][1])
    assert float(lines[0][3]) == -float(lines[1][3]) != 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["set/one", "set/one"], "'runs/set/one' was named twice: name two runs"),
        (["set/one"], "the following arguments are required: RUN_B"),
        (["set/one", "set/othr"], "there is no run 'set/othr'; did you mean 'set/other'?"),
        (["set/one", "set"], "'set' is a folder of runs: name one, such as the newest"),
        (["set/one", "set/other", "set/more"], "two runs are compared, and 'set/more' is a third"),
        (["set/one", "set/other", "--limit", "-1"], "argument --limit: -1 is out of range"),
        (["set/one", "set/other", "--html", "no/x.html"], "there is no folder 'no' to write to"),
        (["set/one", "set/other", "--html", "runs"], "--html: 'runs' is a folder; name a file"),
    ],
)
def test_mistakes_are_one_line(two: Two, osprey: Compare, words: list[str], message: str) -> None:
    result = osprey("compare", *words)
    assert result.code == 2
    assert message in result.err and result.err.count("\n") == 1


def test_runs_of_two_tasks(two: Two, osprey: Compare) -> None:
    edit(two[1] / "config.yaml", "  name: classification", "  name: detection")
    result = osprey("compare", "set/one", "set/other")
    assert result.code == 2
    assert result.err == (
        "osprey compare: 'runs/set/one' is of task=classification and 'runs/set/other' of "
        "task=detection: runs of one task are compared\n"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("summary.json", "{", "run 'runs/set/other' has a file that cannot be read: "),
        ("summary.json", "[]", "run 'runs/set/other' has a file that cannot be read: "),
        ("summary.json", '{"val": {}, "test": 3}', "summary.json holds no figures\n"),
        ("summary.json", '{"test": {"macro_f1": "x"}}', "could not convert string to float"),
        ("summary.json", "{}", "'runs/set/one' and 'runs/set/other' were not tested on one split"),
        ("config.yaml", "task: [", "'runs/set/other' has no readable config.yaml"),
        ("config.yaml", "- task\n", "'runs/set/other' has no readable config.yaml"),
        ("config.yaml", "task: 3\n", "run 'runs/set/other' has a damaged config.yaml"),
    ],
)
def test_a_damaged_run(two: Two, osprey: Compare, name: str, content: str, message: str) -> None:
    (two[1] / name).write_text(content)
    result = osprey("compare", "set/one", "set/other")
    assert result.code == 2
    assert message in result.err and result.err.count("\n") == 1


def test_a_run_that_is_not_finished(two: Two, osprey: Compare) -> None:
    (two[0] / "summary.json").unlink()
    result = osprey("compare", "set/one", "set/other")
    assert result.err == (
        "osprey compare: run 'runs/set/one' is not finished: go on with osprey train resume=...\n"
    )


def test_a_run_without_a_test(two: Two, osprey: Compare) -> None:
    without_test(two[1])
    result = osprey("compare", "set/one", "set/other")
    assert result.code == 0, result.err
    note = "'runs/set/other' has no test: classes and answers are those of validation"
    assert f"note    {note}\n" in result.out
    assert "test (" not in result.out and "photos of val;" in result.out
    without_test(two[0])
    both = osprey("compare", "set/one", "set/other").out
    assert "note    neither run has a test: classes and answers are those of validation\n" in both


NO_TABLE = (
    "run 'runs/set/other' has no predictions.csv: osprey train resume=runs/set/other tests it again"
)


def no_table(run: Path) -> None:
    (run / "predictions.csv").unlink()


def no_header(run: Path) -> None:
    (run / "predictions.csv").write_text("x,y\n1,2\n")


def no_shared_photo(run: Path) -> None:
    """As of a run that was tested on other photos."""
    for name in ("predictions.csv", "manifest.csv"):
        table = pd.read_csv(run / name, dtype=str, keep_default_na=False)
        table["path"] = "elsewhere/" + table["path"]
        if "sha256" in table:
            table["sha256"] = table["sha256"].str[::-1]
        table.to_csv(run / name, index=False)


def other_labels(run: Path) -> None:
    table = pd.read_csv(run / "predictions.csv", dtype=str)
    table.loc[0, "label"] = "red" if table["label"][0] != "red" else "blue"
    table.to_csv(run / "predictions.csv", index=False)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_table, NO_TABLE),
        (no_header, "run 'runs/set/other' has a file that cannot be read: "),
        (
            no_shared_photo,
            "no photo of test is in both runs: 'runs/set/one' has 5, 'runs/set/other' has 5, all "
            "of them others",
        ),
        (other_labels, "1 photo of test that both answered is labelled otherwise in each run"),
    ],
)
def test_what_cannot_be_compared_photo_by_photo_says_why(
    two: Two, osprey: Compare, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(two[1])
    result = osprey("compare", "set/one", "set/other")
    assert result.code == 0, result.err
    after = result.out[result.out.index("test (") :]
    assert f"\nnote    {message}" in after and after.count("note    ") == 1
    assert "that both answered " not in after.replace(message, "")
    assert "answers that differ" not in after
    assert osprey("leaderboard").code == 0


@pytest.mark.slow
def test_detectors_with_their_interval(
    detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, osprey: Compare
) -> None:
    """Against a run that finds everything: AP50 is 1 there, whatever the first one's is."""
    monkeypatch.chdir(tmp_path)
    one, other = (tmp_path / "runs" / "boxes" / name for name in ("one", "other"))
    shutil.copytree(only_run(detector), one)
    manifest = pd.read_csv(one / "manifest.csv", dtype=str, keep_default_na=False)
    manifest.assign(group="").to_csv(one / "manifest.csv", index=False)
    shutil.copytree(one, other)
    summary = json.loads((one / "summary.json").read_text())
    tested = manifest[manifest["split"] == "test"].head(summary["test"]["n"])
    rows = [
        (path, label, 1.0, x, y, w, h)
        for path, text in zip(tested["path"], tested["boxes"], strict=True)
        for label, x, y, w, h in json.loads(text)
    ]
    table = pd.DataFrame(rows, columns=["path", "label", "score", "x", "y", "w", "h"])
    table.to_csv(other / "predictions.csv", index=False)
    summary["test"] |= {"map": 1.0, "ap50": 1.0, "ap75": 1.0}
    (other / "summary.json").write_text(json.dumps(summary))
    result = osprey("compare", "boxes/one", "boxes/other")
    assert result.code == 0, result.err
    after = result.out[result.out.index("\ntest (") :]
    line = next(line for line in after.splitlines() if line.startswith("  AP50"))
    assert f"on the {summary['test']['n']} that both answered" in line
    assert "(95%): B is better" in line
    assert "answers that differ" not in after
    (other / "manifest.csv").unlink()
    told = osprey("compare", "boxes/one", "boxes/other").out
    assert (
        "note    run 'runs/boxes/other' has no whole manifest.csv: copy it again, or train anew"
        in told
    )
