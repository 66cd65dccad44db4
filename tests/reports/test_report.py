"""report.html: whole, repeatable, safe against what people call things, alone on its own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import Result, only_run
from fake_run import make_run

from osprey.errors import UserError
from osprey.tasks.reporting import build_report

SECTIONS = [
    *("curves", "confusion", "classes", "calibration", "gallery", "batch", "data", "environment"),
]
HOSTILE = [
    "<script>alert(1)</script>",
    "\"quoted\" 'twice'",
    "</script><img src=x onerror=alert(1)>",
    "Größe 魚 \N{FISH}",
    "w" * 300,
]


class Page(HTMLParser):
    """Tags with their attributes, ids, and the text of each id'd element's own cells."""

    VOID = frozenset({"meta", "img", "input", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def ids(self) -> set[str]:
        return {str(a["id"]) for _, a in self.tags if "id" in a}

    @property
    def flat(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def run(trained: Path) -> Path:
    return only_run(trained)


def samples_of(text: str) -> dict[str, list[object]]:
    found = re.search(r'id="samples">(.*?)</script>', text, re.DOTALL)
    assert found
    samples: dict[str, list[object]] = json.loads(found[1])
    return samples


def test_is_written_after_testing_with_every_section(run: Path) -> None:
    page = Page((run / "report.html").read_text(encoding="utf-8"))
    assert set(SECTIONS) <= page.ids
    pictures = [a for tag, a in page.tags if tag == "img"]
    assert len([a for a in pictures if a.get("class") == "cam"]) * 2 == len(pictures) > 0


def test_rebuilds_byte_for_byte_elsewhere_and_without_the_photos(run: Path, tmp_path: Path) -> None:
    before = (run / "report.html").read_bytes()
    moved = tmp_path / "elsewhere" / "renamed"
    shutil.copytree(run, moved, ignore=shutil.ignore_patterns("report.html", "checkpoints"))
    config = (moved / "config.yaml").read_text(encoding="utf-8")
    gone = re.sub(r"(?m)^(  root:) .*$", r"\1 /nowhere/photos", config)
    assert gone != config
    (moved / "config.yaml").write_text(gone, encoding="utf-8")
    assert build_report(moved) == moved / "report.html"
    assert (moved / "report.html").read_bytes() == before


def test_nothing_is_fetched(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        for name in ("src", "href", "srcset", "action", "xlink:href"):
            assert (attributes.get(name) or "data:image/jpeg;").startswith("data:image/jpeg;")
    assert not re.search(r"url\((?!data:image/jpeg;)|@import|fetch\(|XMLHttpRequest|import\(", text)
    policy = next(a["content"] for tag, a in page.tags if "http-equiv" in a)
    assert policy and policy.startswith("default-src 'none'")


def test_figures_are_the_summary_s(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    page, summary = Page(text), json.loads((run / "summary.json").read_text(encoding="utf-8"))
    test = summary["test"]
    assert f"test top-1 {test['top1']:.1%}" in page.flat
    assert f"test macro-F1 {test['macro_f1']:.3f}" in page.flat
    assert f"ECE {test['ece']:.3f}, log loss {test['log_loss']:.3f}" in page.flat
    for row in test["per_class"]:
        f1, precision, recall = (f"{row[k]:.3f}" for k in ("f1", "precision", "recall"))
        assert f"{row['label']} {row['n']} {f1} {precision} {recall}" in page.flat
    cells = [a["data-said"] for _, a in page.tags if "data-said" in a]
    matrix, names = test["confusion"], summary["classes"]
    assert sorted(map(str, cells)) == sorted(
        f"{names[i]} answered as {names[j]}: {n} of {sum(row)} ({n / sum(row):.1%})"
        for i, row in enumerate(matrix)
        for j, n in enumerate(row)
        if n
    )
    samples = samples_of(text)
    pairs = list(zip(samples["labels"], samples["predicted"], strict=True))
    assert len(pairs) == test["n"]
    for i in range(len(names)):
        assert [pairs.count((i, j)) for j in range(len(names))] == matrix[i]


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", HOSTILE, 60, **{"<b>light</b>": HOSTILE, "boat": "abc"})
    (folder / "unreadable.csv").write_text("path,reason\n<svg onload=x>.jpg,<i>\n")
    text = build_report(folder).read_text(encoding="utf-8")
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not {tag for tag, _ in page.tags} & {"b", "i class", "img"}
    assert not [n for _, attributes in page.tags for n in attributes if n.startswith("on")]
    samples = samples_of(text)
    assert samples["classes"] == HOSTILE
    assert [s["name"] for s in samples["slices"]] == ["<b>light</b>", "boat"]  # type: ignore[index]
    assert HOSTILE[0] in page.flat


def test_slices_are_the_columns_that_tell_photos_apart(tmp_path: Path) -> None:
    columns = {
        "boat": ["one", "two"],
        "twin": ["1", "2"],
        "same": ["x"],
        "taken": [f"t{i}" for i in range(102)],
    }
    folder = make_run(tmp_path / "run", ["a", "b"], 102, **columns)
    text = build_report(folder).read_text(encoding="utf-8")
    slices = samples_of(text)["slices"]
    assert [(s["name"], s["values"]) for s in slices] == [("boat", ["one", "two"])]  # type: ignore[index]
    assert "Left out, because nearly every photo has a value of its own: taken." in Page(text).flat


def test_of_many_values_the_largest_are_shown_and_the_rest_together(tmp_path: Path) -> None:
    senders = [f"s{i:03d}" for i in range(120)]
    columns = {"sender": [*senders, *senders[30:80]], "place": ["shore", "quay"]}
    folder = make_run(tmp_path / "run", ["a", "b"], 340, **columns)
    text = build_report(folder).read_text(encoding="utf-8")
    sender, place = samples_of(text)["slices"]
    assert sender["values"] == [*senders[30:80], "others (70 values)"]  # type: ignore[index]
    codes = sender["codes"]  # type: ignore[index]
    assert [codes.count(i) for i in (0, 49, 50)] == [4, 4, 140] and len(codes) == 340
    assert codes[29:32] == [50, 0, 1]
    assert place["values"] == ["quay", "shore"]  # type: ignore[index]
    assert "sender the 50 largest of 120 values, worst first" in Page(text).flat
    assert "Left out" not in Page(text).flat


def test_without_a_test_split_validation_is_shown_and_said_so(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", ["a", "b"], 40, test=False)
    page = Page(build_report(folder).read_text(encoding="utf-8"))
    assert "This run has no test split" in page.flat
    assert "val top-1" in page.flat and "test top-1" not in page.flat


def test_both_splits_stand_side_by_side(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", ["a", "b"], 40)
    summary = json.loads((folder / "summary.json").read_text())
    twin = {"n": 80, "top1": 0.975, "macro_f1": 0.961, "log_loss": 0.1, "ece": 0.02}
    summary["other_split"] = {"by": "random", "run": "made-up/before", "test": twin}
    (folder / "summary.json").write_text(json.dumps(summary))
    page = Page(build_report(folder).read_text(encoding="utf-8"))
    assert "at random made-up/before 80 97.5%" in page.flat
    mine = f"whole groups kept apart this run 40 {summary['test']['top1']:.1%}"
    assert mine in page.flat


def test_a_hundred_classes_are_all_named(tmp_path: Path) -> None:
    names = [f"species {i:03d}" for i in range(100)]
    text = build_report(make_run(tmp_path / "run", names, 500)).read_text(encoding="utf-8")
    matrix = re.search(r'aria-label="Confusion matrix of 100 classes.*?</svg>', text, re.DOTALL)
    assert matrix and all(matrix[0].count(f">{name}<") >= 2 for name in names)


def test_pictures_are_read_from_the_run_folder_alone(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", ["a", "b"], 20)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (folder / "plots").mkdir()
    photo = {"kind": "worst", "row": 0, "path": "x.jpg", "label": "a", "predicted": "b"}
    photo |= {"score": 0.9, "second": "a", "margin": 0.8, "picture": "../secret.jpg", "cam": None}
    gallery = {"split": "test", "photos": [photo]}
    (folder / "plots" / "gallery.json").write_text(json.dumps(gallery))
    assert "base64" not in build_report(folder).read_text(encoding="utf-8")


def test_command_rebuilds_and_prints_the_file(
    trained: Path, run: Path, tmp_path: Path, osprey: Callable[..., Result]
) -> None:
    result = osprey("report", "--runs", trained / "runs", "--output", tmp_path / "r.html")
    assert (result.code, result.out) == (0, f"{tmp_path / 'r.html'}\n")
    assert (tmp_path / "r.html").read_bytes() == (run / "report.html").read_bytes()


def test_command_answers_mistakes_in_one_line(
    here: Path, tmp_path: Path, osprey: Callable[..., Result]
) -> None:
    def error(*words: str | Path) -> str:
        result = osprey("report", *words)
        assert result.code == 2
        return result.err

    assert error() == (
        "osprey report: there is no finished run under 'runs': train one with 'osprey train'\n"
    )
    assert error("nowhere") == (
        "osprey report: there is no run 'nowhere'; name a folder below 'runs', or latest\n"
    )
    folder = make_run(here / "runs" / "made-up" / "stamp", ["a", "b"], 20)
    assert error("--output", tmp_path) == (
        f"osprey report: --output: '{tmp_path}' is a folder; name a file\n"
    )
    assert error("--output", "no/r.html") == (
        "osprey report: --output: there is no folder 'no' to write to\n"
    )
    (folder / "predictions.csv").unlink()
    (folder / "predictions_val.csv").unlink()
    run = "runs/made-up/stamp"
    assert error(run) == (
        f"osprey report: run '{run}' has no predictions.csv: osprey train resume={run} tests it "
        "again\n"
    )
    (folder / "predictions.csv").write_text("path,label\n")
    assert error(run).startswith(f"osprey report: run '{run}' has a file that cannot be read: ")
    (folder / "summary.json").unlink()
    assert error(run) == (
        f"osprey report: run '{run}' is not finished, so there is nothing to report: it has not "
        "finished an epoch: train anew\n"
    )


def test_a_report_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", ["a", "b"], 20)
    before = build_report(folder).read_bytes()
    (folder / "summary.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        build_report(folder)
    assert (folder / "report.html").read_bytes() == before
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


def test_the_monitored_metric_is_named(run: Path, tmp_path: Path) -> None:
    """Also where ``monitor=`` names another than the task's own."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    page = build_report(folder).read_text(encoding="utf-8")
    assert "by validation macro-F1" in page and "macro-F1 (chooses the best epoch)" in page
    config = folder / "config.yaml"
    text = config.read_text(encoding="utf-8").replace("monitor: null", "monitor: val/top1")
    config.write_text(text, encoding="utf-8")
    page = build_report(folder).read_text(encoding="utf-8")
    assert "by validation top-1" in page and "top-1 (chooses the best epoch)" in page
    assert "macro-F1 (chooses the best epoch)" not in page
