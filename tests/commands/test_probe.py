"""The probe, and what goes on from it, as a user would call them."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import COLOURS, make_photos

from osprey.errors import DataError
from osprey.models.registry import ModelSpec, build

SMALL = ["augmentation=none", "data.size=32", "data.batch_size=8", "data.num_workers=0"]
QUIET = ["trainer.autotune=false", "callbacks.progress=false"]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Some backbone's weights; random ones tell three colours apart well enough."""
    torch.manual_seed(0)
    path = tmp_path / "backbone.pth"
    torch.save(build(ModelSpec("simple_cnn", "simple_cnn", {"width": 8}), 5).state_dict(), path)
    return path


def probe_words(photos: Path, weights: Path) -> list[str]:
    model = ["model=simple_cnn", "model.options={width: 8}", f"model.pretrained={weights}"]
    data = ["data=folder", f"data.root={photos}"]
    return ["train", "experiment=probe", *data, *model, *SMALL, *QUIET]


def run_of(folder: Path, name: str) -> Path:
    return max(folder.glob(f"runs/{name}/*/config.yaml"), key=lambda p: p.parent.name).parent


def test_a_probe_is_an_ordinary_run(here: Path, photos: Path, weights: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey(*probe_words(photos, weights))
    assert result.code == 0, result.err
    assert "head    fitted on 64 frozen features: val top-1 1.000 (L2 " in result.out
    run = run_of(here, "probe")
    assert f"  osprey train experiment=finetune from={run.relative_to(here)}" in result.out
    summary = json.loads((run / "summary.json").read_text())
    assert summary["epochs"] == {"trained": 0, "best": 0}
    assert summary["test"]["top1"] == 1.0
    assert (run / "predictions.csv").is_file()
    points = json.loads((run / "plots" / "map.json").read_text())["points"]
    assert len(points["x"]) == len(set(points["path"])) == 36
    assert sorted(points["by"]["class"]["names"]) == sorted(COLOURS)
    assert set(points["by"]["split"]["names"]) == {"train", "val", "test"}
    assert "Features of the frozen network along the two" in (run / "report.html").read_text()
    photo = next(iter(sorted((photos / "red").iterdir())))
    assert osprey("predict", "--image", photo).out == "['red']\n"
    table = (run / "predictions.csv").read_text().splitlines()
    tested = table[1].split(",")
    result = osprey("predict", "--image", photos / tested[0], "--verbose")
    ranked = ast.literal_eval(result.out)
    assert ranked[0] == [tested[2], pytest.approx(float(tested[3]), abs=1e-3)]
    result = osprey("train", f"resume={run}")
    assert result.err == f"osprey train: run '{run}' has no last.ckpt to go on from\n"


def test_a_probe_that_fails_in_testing_keeps_its_head(
    here: Path, photos: Path, weights: Path, osprey, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    def fail(*_: object) -> None:
        raise DataError("a photo vanished")

    monkeypatch.setattr("osprey.tasks.classification.evaluate.test", fail)
    result = osprey(*probe_words(photos, weights))
    assert (result.code, result.err) == (2, "osprey train: a photo vanished\n")
    assert (run_of(here, "probe") / "checkpoints" / "best.ckpt").is_file()


@pytest.mark.slow
def test_features_are_computed_once(
    here: Path, photos: Path, weights: Path, osprey, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    from osprey.tasks.classification.probe.features import FeatureStore

    computed: list[int] = []
    compute = FeatureStore._compute

    def counted(self: FeatureStore, dataset: object, view: int):  # type: ignore[no-untyped-def]
        computed.append(view)
        return compute(self, dataset, view)  # type: ignore[arg-type]

    monkeypatch.setattr(FeatureStore, "_compute", counted)
    own = Path(shutil.copytree(photos, here / "own"))
    words = [*probe_words(own, weights), "augmentation=light", "model.probe_views=2"]

    def figures() -> object:
        assert osprey(*words).code == 0
        return json.loads((run_of(here, "probe") / "summary.json").read_text())["test"]

    first = figures()
    assert computed == [0, 1, 0, 0], "train twice, val, test"
    computed.clear()
    assert figures() == first
    assert computed == []

    changed = sorted((own / "red").iterdir())
    for photo in changed:
        photo.write_bytes(photo.read_bytes())  # another time is enough to look again
    figures()
    assert sorted(computed) == [0, 0, 0, 1]
    computed.clear()
    (here / "elsewhere").mkdir()
    shutil.copytree(own, here / "elsewhere" / "own", copy_function=shutil.copy2)
    words[3] = f"data.root={here / 'elsewhere' / 'own'}"
    figures()
    assert len(computed) == 4, "the same names, sizes and times elsewhere may be other photos"
    computed.clear()
    for file in (here.parent / "cache" / "features").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    assert figures() == first, "features that were cut short are computed anew"
    assert len(computed) == 4
    computed.clear()
    torch.save(build(ModelSpec("simple_cnn", "simple_cnn", {"width": 8}), 5).state_dict(), weights)
    figures()
    assert len(computed) == 4, "other weights give other features"


@pytest.mark.slow
def test_features_serve_other_class_lists(here: Path, weights: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    """Class numbers are a run's own, also where two runs test on the same photos."""
    source = make_photos(here / "source", per_class=8)
    for split, labels in (("train", "blue green red"), ("test", "green red")):
        for label in labels.split():
            shutil.copytree(source / label, here / "own" / split / label)
    words = [*probe_words(here / "own", weights), "data.val_fraction=0.3"]
    assert osprey(*words, "data.classes=[green,red]").code == 0
    assert osprey(*words).code == 0
    summary = json.loads((run_of(here, "probe") / "summary.json").read_text())
    assert summary["test"]["top1"] == 1.0


@pytest.mark.slow
def test_weights_and_samplers_count(here: Path, weights: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    source = make_photos(here / "own", per_class=20)
    rows = [("path", "label", "weight")]
    for photo in sorted(source.rglob("*.png")):
        true = photo.parent.name
        wrong = true == "red" and int(photo.stem[-2:]) % 2
        rows.append((f"{true}/{photo.name}", "blue" if wrong else true, "0" if wrong else "1"))
    (here / "labels.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    table = ["data=table", f"data.root={source}", f"data.file={here / 'labels.csv'}"]
    words = [w for w in probe_words(source, weights) if not w.startswith("data=")]
    assert osprey(*words, *table).code == 0
    photo = source / "red" / "red_01.png"
    result = osprey("predict", "--image", photo, "--verbose")
    assert ast.literal_eval(result.out)[0][0] == "red", "photos of no weight teach nothing"
    alike = "\n".join(",".join(row[:2]) for row in rows)
    (here / "labels.csv").write_text(alike + "\n")
    assert osprey(*words, *table).code == 0
    doubtful = ast.literal_eval(osprey("predict", "--image", photo, "--verbose").out)
    assert dict(doubtful)["blue"] > 0.2


@pytest.mark.slow
def test_finetune_goes_on_from_the_probe(here: Path, photos: Path, weights: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey(*probe_words(photos, weights), "data.split_seed=3").code == 0
    probe = run_of(here, "probe")
    result = osprey("train", "experiment=finetune", "from=latest", "trainer.max_epochs=1", *QUIET)
    assert result.code == 0, result.err
    assert f"weights: {probe / 'checkpoints' / 'best.ckpt'}, head included" in result.out
    tuned = run_of(here, "finetune")
    assert (tuned / "manifest.csv").read_text() == (probe / "manifest.csv").read_text()
    shutil.rmtree(probe)  # a resumed run no longer needs where it came from
    result = osprey("train", f"resume={tuned}", "trainer.max_epochs=2")
    assert result.code == 0, result.err


@pytest.mark.slow
def test_from_a_run_of_other_classes(here: Path, photos: Path, weights: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey(*probe_words(photos, weights)).code == 0
    other = make_photos(here / "other", seed=1)
    (other / "red").rename(other / "rose")
    words = ["train", "experiment=finetune", "from=latest", "trainer.max_epochs=1", *QUIET]
    result = osprey(*words, f"data.root={other}")
    assert result.code == 0, result.err
    assert "; head kept for blue, green; begun anew for rose; dropped for red" in result.out
    assert sorted(COLOURS) == ["blue", "green", "red"]


@pytest.mark.slow
def test_a_photo_added_since_leaves_the_split_as_it_was(
    here: Path, photos: Path, weights: Path, osprey
) -> None:  # type: ignore[no-untyped-def]
    own = Path(shutil.copytree(photos, here / "own"))
    assert osprey(*probe_words(own, weights)).code == 0
    before = splits(run_of(here, "probe"))
    for number in range(4):
        shutil.copy(own / "red" / "red_00.png", own / "red" / f"new_{number}.png")
    start = ["train", "experiment=finetune", "from=latest", "trainer.max_epochs=1", *QUIET]
    assert osprey(*start, "data.batch_size=4").code == 0
    after = splits(run_of(here, "finetune"))
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 4


def splits(run: Path) -> dict[str, str]:
    rows = [line.split(",") for line in (run / "manifest.csv").read_text().splitlines()[1:]]
    return {row[0]: row[1] for row in rows}


@pytest.mark.slow
def test_leaks_are_found_however_the_folder_is_named(
    here: Path, photos: Path, weights: Path, osprey
) -> None:  # type: ignore[no-untyped-def]
    own = Path(shutil.copytree(photos, here / "own"))
    assert osprey(*probe_words(own, weights)).code == 0
    probe = run_of(here, "probe")
    start = ["train", "experiment=finetune", "trainer.max_epochs=1", *QUIET, *SMALL]
    result = osprey(*start, f"from={probe}", "data=folder", "data.root=own", "data.split_seed=7")
    assert result.code == 2
    assert f"from: '{probe}' was trained on " in result.err
    other = make_photos(here / "other", seed=1)
    assert osprey(*start, f"from={probe}", "data=folder", f"data.root={other}").code == 0
    child = run_of(here, "finetune")
    result = osprey(*start, f"from={child}", "data=folder", "data.root=own", "data.split_seed=7")
    assert f"from: '{probe}' was trained on " in result.err, "the run it came from counts, too"


@pytest.mark.slow
def test_latest_is_one_run_for_a_whole_sweep(
    here: Path, photos: Path, weights: Path, osprey
) -> None:  # type: ignore[no-untyped-def]
    assert osprey(*probe_words(photos, weights)).code == 0
    probe = run_of(here, "probe")
    words = ["train", "-m", "from=latest", "trainer.max_epochs=1", "optimizer.lr=1e-3,1e-4"]
    result = osprey(*words, *QUIET)
    assert result.code == 0, result.err
    assert result.out.count(f"weights: {probe / 'checkpoints' / 'best.ckpt'}") == 2
    assert f"from_run={probe.relative_to(here)}" in result.out.splitlines()[-1]
    assert (here / "runs" / "folder-simple_cnn").is_dir(), "named after the donor's network"


@pytest.mark.slow
def test_what_a_recipe_sets_is_said(here: Path, photos: Path, weights: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey(*probe_words(photos, weights)).code == 0
    recipe = here / "mine" / "experiment" / "big.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text("# @package _global_\nname: big\ndata: {size: 48, sampler: balanced}\n")
    words = ["train", "--config-dir", "mine", "experiment=big", "from=latest"]
    assert osprey(*words, "trainer.max_epochs=1", *QUIET).code == 0
    config = (run_of(here, "big") / "config.yaml").read_text()
    assert "  size: 48\n" in config and "  sampler: balanced\n" in config
    assert f"  root: {photos}\n" in config and "  batch_size: 8\n" in config


def test_nothing_is_written_among_the_photos(here: Path, photos: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("train", "data=folder", f"data.root={here}")
    assert result.err == (
        f"osprey train: paths.runs: 'runs' lies inside data.root '{here}', where nothing is "
        "written: run the command elsewhere, or name a folder with paths.runs=FOLDER\n"
    )


def test_mistakes_are_one_line(here: Path, photos: Path, weights: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    assert osprey(*probe_words(photos, weights)).code == 0
    run = run_of(here, "probe").relative_to(here)
    start = ["train", "experiment=finetune", f"from={run}"]
    for words, error in (
        (["model=resnet18"], "model cannot be set beside from=RUN: a run brings its own network"),
        (["from=runs/prob"], "there is no run 'runs/prob'; name a folder below 'runs', or latest"),
        (
            ["data.split_seed=1"],
            f"from: '{run}' was trained on ",
        ),
        (["data=folder"], "data.root is not set: add data.root=VALUE to the command"),
    ):
        result = osprey(*start, *words)
        assert result.code == 2
        assert result.err.startswith(f"osprey train: {error}")
        assert result.err.count("\n") == 1
    result = osprey(*start, "data.split_seed=1", "data.allow_leakage=true", "trainer.max_epochs=1")
    assert result.code == 0
    assert "figures will flatter" in result.out
    (here / run / "checkpoints" / "best.ckpt").unlink()
    assert osprey(*start).err == (
        f"osprey train: from: run '{run}' has no best.ckpt yet: train it first\n"
    )
