"""The page of ``osprey compare --html``: what it says, its pictures, where it is written."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import browse
from conftest import COLOURS, Result, only_run
from test_narrow import MEASURE
from test_report import Page

from osprey.imaging import decode
from osprey.imaging.drawing import FALSE_BOX, FOUND_BOX, TRUE_BOX
from osprey.tasks.classification.plugin import ClassificationTask

Two = tuple[Path, Path]
Compare = Callable[..., Result]
DEFAULT = "runs/set/other/compare_set_one.html"


@pytest.fixture
def mixed(two: Two) -> Two:
    """Two runs of which the tables say by hand what each answers to the five test photos."""
    kinds = "right wrong wrong right wrong", "wrong right wrong right other"
    for run, answers in zip(two, kinds, strict=True):
        table = pd.read_csv(run / "predictions.csv", dtype=str)
        for row, kind in enumerate(answers.split()):
            label = table.loc[row, "label"]
            wrong = [name for name in COLOURS if name != label]
            table.loc[row, "predicted"] = {"right": label, "wrong": wrong[0], "other": wrong[1]}[
                kind
            ]
        table.to_csv(run / "predictions.csv", index=False)
    summary = json.loads((two[1] / "summary.json").read_text())
    summary["test"]["per_class"][0]["f1"] = 0.123
    (two[1] / "summary.json").write_text(json.dumps(summary))
    return two


@pytest.fixture
def boxes(detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Two:
    """A detector that finds nothing, and one that finds all and raises a false alarm a photo."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OSPREY_CACHE", str(tmp_path / "cache"))
    one, other = (tmp_path / "runs" / "boxes" / name for name in ("one", "other"))
    for run in (one, other):
        shutil.copytree(only_run(detector), run)
    manifest = pd.read_csv(one / "manifest.csv", dtype=str, keep_default_na=False)
    count = json.loads((one / "summary.json").read_text())["test"]["n"]
    tested = manifest[manifest["split"] == "test"].head(count)
    rows = [
        (path, label, 1.0, x, y, w, h)
        for path, text in zip(tested["path"], tested["boxes"], strict=True)
        for label, x, y, w, h in json.loads(text)
    ]
    rows += [(path, "fish", 0.99, 0.0, 0.0, 12.0, 12.0) for path in tested["path"]]
    table = pd.DataFrame(rows, columns=["path", "label", "score", "x", "y", "w", "h"])
    table.head(0).to_csv(one / "predictions.csv", index=False)
    table.to_csv(other / "predictions.csv", index=False)
    return one, other


def words(text: str) -> str:
    shown = re.sub(r"<(style|script).*?</\1>|<wbr>", "", text, flags=re.DOTALL)
    return Page(shown).flat


def pictures(text: str) -> list[np.ndarray]:
    found = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)"', text)
    return [decode(base64.b64decode(each)) for each in found]


def has_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    distance = np.abs(picture.astype(int) - np.array(colour)).max(axis=2)
    return bool((distance < 40).sum() >= 8)


def test_a_page_without_outside_assets(mixed: Two, osprey: Compare) -> None:
    plain = osprey("compare", "set/one", "set/other").out
    result = osprey("compare", "set/one", "set/other", "--html")
    assert result.code == 0, result.err
    assert result.out == f"{plain}page    {DEFAULT}\n"
    text = Path(DEFAULT).read_text(encoding="utf-8")
    assert set(re.findall(r'(?:src|href)="([^"]{5})', text)) == {"data:"}
    assert "url(" not in text and "@import" not in text
    assert osprey("compare", "set/one", "set/other", "--html").code == 0  # its own, once more
    assert Path(DEFAULT).read_text(encoding="utf-8") == text


def test_what_the_page_says(mixed: Two, osprey: Compare) -> None:
    assert osprey("compare", "set/one", "set/other", "--html").code == 0
    text = Path(DEFAULT).read_text(encoding="utf-8")
    said = words(text)
    assert "A runs/set/one B runs/set/other" in said
    assert "optimizer.lr 0.01 0.02" in said
    assert "on the 5 photos that both answered" in said
    assert "Photos whose answer changed 3 on test" in said
    for title in ("Right before, wrong now", "Wrong before, right now", "Both wrong, differently"):
        assert f"{title} 1 photo" in said
    first, second = (pd.read_csv(run / "predictions.csv").iloc[0] for run in mixed)
    answers = f"A ✓ {first['predicted']} {first['score']:.1%} B ✗ {second['predicted']} "
    assert f"{answers}{second['score']:.1%} is {first['label']} {Path(first['path']).name}" in said
    found = pictures(text)
    assert len(found) == 3 and {picture.shape for picture in found} == {(240, 240, 3)}
    assert not re.search(r"\b1 (photos|boxes|files)\b", said)


def test_photos_that_are_gone_are_told(mixed: Two, photos: Path, osprey: Compare) -> None:
    first = pd.read_csv(mixed[0] / "predictions.csv")["path"][0]
    moved = mixed[0].parents[2] / "moved"
    shutil.copytree(photos, moved)
    (moved / first).unlink()
    for run in mixed:
        config = (run / "config.yaml").read_text()
        (run / "config.yaml").write_text(config.replace(str(photos), str(moved)))
    result = osprey("compare", "set/one", "set/other", "--html")
    assert result.code == 0, result.err
    line = f"1 photo cannot be read any more, first {moved / first}: no such file"
    assert result.out.endswith(f"note    {line}\npage    {DEFAULT}\n")
    text = Path(DEFAULT).read_text(encoding="utf-8")
    assert text.count("cannot be read any more</div>") == 1 and len(pictures(text)) == 2
    assert f'<p class="notice">{line}.</p>' in text
    # One of the two still knows where it lies.
    config = (mixed[1] / "config.yaml").read_text()
    (mixed[1] / "config.yaml").write_text(config.replace(str(moved), str(photos)))
    assert "cannot be read" not in osprey("compare", "set/one", "set/other", "--html").out


def test_what_cannot_be_compared_stands_on_the_page(mixed: Two, osprey: Compare) -> None:
    (mixed[1] / "predictions.csv").unlink()
    assert osprey("compare", "set/one", "set/other", "--html").code == 0
    text = Path(DEFAULT).read_text(encoding="utf-8")
    assert '<p class="notice">Run &#39;runs/set/other&#39; has no predictions.csv: osprey' in text
    assert 'id="photos"' not in text and "not known" in text


def test_a_task_whose_answers_are_not_compared(
    mixed: Two, monkeypatch: pytest.MonkeyPatch, osprey: Compare
) -> None:
    """As a user's own LightningModule: settings and figures are there all the same."""
    for name in ("paired_differences", "changed_answers", "changed_photos"):
        monkeypatch.delattr(ClassificationTask, name)
    result = osprey("compare", "set/one", "set/other", "--html")
    assert result.code == 0, result.err
    assert "answers that differ" not in result.out and "note" not in result.out
    said = words(Path(DEFAULT).read_text(encoding="utf-8"))
    assert "not known" in said and "optimizer.lr 0.01 0.02" in said
    assert "Photos whose answer changed" not in said


def test_a_file_of_somebody_s_is_left_alone(mixed: Two, osprey: Compare) -> None:
    Path("mine.html").write_text("mine")
    refused = osprey("compare", "set/one", "set/other", "--html", "mine.html")
    assert refused.code == 2 and "--html: 'mine.html' is there already" in refused.err
    assert refused.err.count("\n") == 1 and Path("mine.html").read_text() == "mine"
    Path(DEFAULT).write_text("mine, too")
    assert osprey("compare", "set/one", "set/other", "--html").code == 2
    assert Path(DEFAULT).read_text() == "mine, too"
    forced = osprey("compare", "set/one", "set/other", "--html", "mine.html", "--force")
    assert forced.out.endswith("page    mine.html\n") and "Osprey" in Path("mine.html").read_text()


def test_names_cannot_break_out(mixed: Two, osprey: Compare) -> None:
    evil = "<script>alert(1)</script>"
    for run in mixed:
        for name in ("predictions.csv", "summary.json"):
            content = re.sub(r"\bred\b", evil, (run / name).read_text())
            (run / name).write_text(content)
    assert osprey("compare", "set/one", "set/other", "--html").code == 0
    text = Path(DEFAULT).read_text(encoding="utf-8")
    assert evil not in text and "&lt;script&gt;alert(1)" in text


def test_boxes_of_both_detectors_are_drawn(boxes: Two, osprey: Compare) -> None:
    result = osprey("compare", "boxes/one", "boxes/other", "--html", "page.html")
    assert result.code == 0, result.err
    text = Path("page.html").read_text(encoding="utf-8")
    said = words(text)
    counts = dict(re.findall(r"((?:More|Fewer|As many|The same)[a-z ,]+) (\d+) photos?", said))
    more = int(counts["More subjects found than before"])
    empty = int(counts["The same subjects found, more false alarms"])
    assert counts["Fewer subjects found than before"] == "0" and more > 12 > empty > 0
    tested = json.loads((boxes[0] / "summary.json").read_text())["test"]["n"]
    assert more + empty == tested
    assert f"{more} photos, the first 12 shown" in said
    found = pictures(text)
    assert len(found) == 2 * (12 + empty)
    before, now = found[0], found[1]
    assert has_colour(before, TRUE_BOX) and not has_colour(before, FOUND_BOX)
    assert has_colour(now, FOUND_BOX) and has_colour(now, FALSE_BOX)
    assert not any(has_colour(picture, FALSE_BOX) for picture in found[::2])
    once = r"A 0 of (\d+) found, 0 false alarms B \1 of \1 found, 1 false alarm \(fish\) is \1 fish"
    assert re.search(once, said)
    assert "A no subject, 0 false alarms B no subject, 1 false alarm (fish) img_" in said


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_on_a_phone_and_on_a_desk(mixed: Two, width: int, osprey: Compare) -> None:
    assert osprey("compare", "set/one", "set/other", "--html", "page.html").code == 0
    (page,) = browse([Path("page.html").read_text(encoding="utf-8")], width, MEASURE)
    assert page["width"] <= width
    assert (page["uncued"], page["idle"], page["small"], page["cut"]) == ([], [], [], [])
    assert page["headings"] == ["Class", "n", "A", "B", "B − A"]
