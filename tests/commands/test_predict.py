"""Predict: names on standard output, everything else on standard error, failures never named."""

from __future__ import annotations

import ast
import csv
import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import make_photos, only_run, real_data


@pytest.fixture
def folder(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Odd names, sub-folders, junk and a truncated photo."""
    photos = make_photos(tmp_path / "photos", per_class=2, seed=5)
    inbox = tmp_path / "my inbox"
    (inbox / "sub").mkdir(parents=True)
    shutil.copy(photos / "red" / "red_00.png", inbox / "Größe, neu.PNG")
    shutil.copy(photos / "blue" / "blue_00.png", inbox / "sub" / "b.png")
    whole = (photos / "green" / "green_00.png").read_bytes()
    (inbox / "cut.png").write_bytes(whole[:500])
    (inbox / "readme.txt").write_text("not a photo")
    return inbox


def test_one_image(folder: Path, inbox: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    photo = inbox / "Größe, neu.PNG"
    result = osprey("predict", "--image", photo)
    assert (result.code, result.out) == (0, "['red']\n")
    run = only_run(folder).relative_to(folder)
    assert result.err == f"model: {run}/checkpoints/best.ckpt (simple_cnn, 3 classes)\n"

    result = osprey("predict", "--image", photo, "--verbose", "--run", run)
    ranked = ast.literal_eval(result.out)
    assert ranked[0][0] == "red" and len(ranked) == 3
    assert sum(p for _, p in ranked) == pytest.approx(1, abs=1e-3)
    assert "model loaded in" in result.err and "answered in" in result.err


def test_predict_agrees_with_the_test_table(folder: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    with (only_run(folder) / "predictions.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    for row in table[:3]:
        ranked = ast.literal_eval(
            osprey("predict", "--image", photos / row["path"], "--verbose").out
        )
        assert ranked[0][0] == row["predicted"]
        assert ranked[0][1] == pytest.approx(float(row["score"]), abs=2e-4)


def test_folder_formats(folder: Path, inbox: Path, tmp_path: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    table = tmp_path / "p.csv"
    result = osprey("predict", "--folder", inbox, "--output", table)
    assert result.code == 0, result.err
    assert "1 photo could not be read, so without label, first: " in result.err
    with table.open(newline="", encoding="utf-8") as file:
        found = {Path(r["file"]).name: r for r in csv.DictReader(file)}
    assert found["Größe, neu.PNG"]["label"] == "red"
    assert found["b.png"]["label"] == "blue"
    assert found["cut.png"]["label"] == found["cut.png"]["score"] == ""
    assert "cut.png" in found["cut.png"]["failure"]

    osprey("predict", "--folder", inbox, "--output", tmp_path / "p.json")
    records = {Path(r["file"]).name: r for r in json.loads((tmp_path / "p.json").read_text())}
    assert set(records["cut.png"]) == {"file", "failure"}
    assert set(records["b.png"]) == {"file", "label", "score", "top"}
    assert records["b.png"]["top"][0] == ["blue", records["b.png"]["score"]]

    osprey("predict", "--folder", inbox, "--output", table, "--format", "submission")
    with table.open(newline="", encoding="utf-8") as file:
        rows = {r["image"]: r for r in csv.DictReader(file)}
    assert list(rows["b.png"]) == ["image", "blue", "green", "red"]
    assert sum(float(rows["b.png"][c]) for c in ("blue", "green", "red")) == pytest.approx(1)
    assert rows["cut.png"]["blue"] == "", "no probability for what was not seen"


def test_a_name_that_is_no_utf8(folder: Path, tmp_path: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    inbox = make_photos(tmp_path / "old card", per_class=1)
    photo = inbox / "red" / "red_00.png"
    os.rename(photo, os.path.join(os.fsencode(photo.parent), b"caf\xe9.png"))
    for name in ("o.csv", "o.json"):
        result = osprey("predict", "--folder", inbox, "--output", tmp_path / name)
        assert result.code == 0, result.err
        assert "caf\\udce9.png" in (tmp_path / name).read_text(encoding="utf-8")


def test_submission_refuses_twins(folder: Path, tmp_path: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    inbox = make_photos(tmp_path / "in", per_class=1)
    shutil.copy(inbox / "red" / "red_00.png", inbox / "blue" / "red_00.png")
    words = ("--folder", inbox, "--output", tmp_path / "o.csv", "--format", "submission")
    result = osprey("predict", *words)
    assert result.code == 2
    assert result.err.splitlines()[-1] == (
        "osprey predict: --format submission names photos without their folders, and "
        f"'{inbox}/blue/red_00.png' and '{inbox}/red/red_00.png' would be one: use --format csv, "
        "or one folder at a time"
    )
    assert not (tmp_path / "o.csv").exists() and not list(tmp_path.glob(".o.csv*"))


def test_mistakes(folder: Path, inbox: Path, tmp_path: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    cases = {
        ("--image", str(inbox / "cut.jpg")): (
            f"--image: there is no file '{inbox}/cut.jpg'; did you mean '{inbox}/cut.png'?"
        ),
        ("--image", str(inbox)): f"--image: '{inbox}' is a folder; use --folder",
        ("--folder", str(inbox)): "--folder needs --output FILE to write its table to",
        ("--folder", str(inbox / "suv"), "--output", "o.csv"): (
            f"--folder: there is no folder '{inbox}/suv'; did you mean 'sub'?"
        ),
        ("--folder", str(inbox), "--output", "no/o.csv"): (
            "--output: there is no folder 'no' to write to"
        ),
        ("--image", str(inbox / "sub" / "b.png"), "--run", "runs/nope"): (
            "there is no run 'runs/nope'; name a folder below 'runs', or latest"
        ),
        ("--image", str(inbox / "sub" / "b.png"), "--runs", str(tmp_path)): (
            f"there is no finished run under '{tmp_path}': train one with 'osprey train'"
        ),
    }
    for words, message in cases.items():
        result = osprey("predict", *words)
        assert (result.code, result.err) == (2, f"osprey predict: {message}\n")
    result = osprey("predict", "--image", inbox / "cut.png")
    assert (result.code, result.out) == (2, "")
    assert "cut.png" in result.err.splitlines()[-1]


def test_damaged_and_hostile_checkpoints(
    trained: Path,
    tmp_path: Path,
    photos: Path,
    osprey,  # type: ignore[no-untyped-def]
) -> None:
    import pickle

    import torch

    photo = photos / "red" / "red_00.png"
    run = tmp_path / "run"
    shutil.copytree(only_run(trained), run)
    best = run / "checkpoints" / "best.ckpt"
    whole = best.read_bytes()

    def refusal() -> str:
        result = osprey("predict", "--image", photo, "--run", run)
        assert (result.code, result.out) == (2, "")
        assert result.err.count("\n") == 1, result.err
        return str(result.err)

    best.write_bytes(whole[: len(whole) // 2])
    assert f"checkpoint '{best}' is damaged" in refusal()

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "exploded",))

    best.write_bytes(pickle.dumps({"state_dict": Bomb()}))
    assert "it was not loaded, because such a file could run code" in refusal()
    torch.save({"state_dict": Bomb(), "osprey": {}}, best)
    assert "it was not loaded, because such a file could run code" in refusal()
    assert not (tmp_path / "exploded").exists()

    best.write_bytes(whole)
    content = torch.load(best, weights_only=True)
    own = dict(content["osprey"])
    content["osprey"] = {**own, "classes": []}
    torch.save(content, best)
    assert "describes itself in a way Osprey never writes" in refusal()
    huge = {"factory": "simple_cnn", "name": "simple_cnn", "options": {"width": 1_000_000}}
    content["osprey"] = {**own, "model": huge}
    torch.save(content, best)
    assert "its tensors do not fit 'simple_cnn'" in refusal()
    content["osprey"] = {**own, "model": dict(own["model"])}
    content["osprey"]["model"]["factory"] = "os.system"
    torch.save(content, best)
    assert "names os.system, which is not Osprey's: add --plugin os" in refusal()
    content["osprey"]["model"] = {"factory": "timm", "name": "hf-hub:evil/net", "options": {}}
    torch.save(content, best)
    assert "unknown model 'hf-hub:evil/net'" in refusal()


def test_real_awkward_photos(folder: Path, tmp_path: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    awkward = real_data("awkward_images", "test_data")
    output = tmp_path / "awkward.json"
    result = osprey("predict", "--folder", awkward, "--output", output)
    assert result.code == 0, result.err
    records = json.loads(output.read_text())
    assert len(records) == 14
    (failed,) = [r for r in records if "failure" in r]
    assert "truncated" in failed["file"]
