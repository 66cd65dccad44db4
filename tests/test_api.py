"""Osprey from Python gives what the commands give, and raises what they would say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import TINY, only_run
from torch import nn

import osprey
from osprey.errors import CheckpointError, ConfigError, UserError
from osprey.system.plugins import command_scope


@pytest.fixture(autouse=True)
def scope():  # type: ignore[no-untyped-def]
    """Trust that one test gives ends with it."""
    with command_scope():
        yield


@pytest.fixture
def run(trained: Path, monkeypatch: pytest.MonkeyPatch) -> osprey.Run:
    """A finished run of a classifier. Read only."""
    monkeypatch.chdir(trained)
    return osprey.open_run("latest")


def on_disk(run: osprey.Run, name: str) -> dict:  # type: ignore[type-arg]
    return json.loads((run.path / name).read_text())  # type: ignore[no-any-return]


def test_train_gives_the_finished_run(here: Path, photos: Path) -> None:
    words = ["data=folder", f"data.root={photos}", "model=simple_cnn", *TINY]
    run = osprey.train([*words, "trainer.max_epochs=1"])
    assert isinstance(run, osprey.Run)
    assert run.path.resolve() == only_run(here).resolve()
    assert run.summary == on_disk(run, "summary.json")
    assert 0 <= run.summary["test"]["macro_f1"] <= 1
    again = osprey.train([f"resume={run.path}", "trainer.max_epochs=2"])
    assert again.path == run.path and again.summary["epochs"]["trained"] == 2


def test_train_with_a_network_of_ones_own(my_pkg: Path, photos: Path) -> None:
    """As docs/extend.md shows it; this process goes on trusting what it trained with."""
    words = [word for word in TINY if not word.startswith("model.")]
    own = ["model._target_=my_pkg.nets.ReefNet", "+model.width=4", "trainer.max_epochs=1"]
    run = osprey.train(["data=folder", f"data.root={photos}", *words, *own])
    assert type(run.model()).__name__ == "ReefNet"
    assert run.config.model.args == {"width": 4}
    assert run.predict([photos / "red" / "red_00.png"])[0]["label"] in ("blue", "green", "red")


def test_what_a_run_holds(run: osprey.Run) -> None:
    assert run.config.model.name == "simple_cnn" and run.config.trainer.max_epochs == 2
    assert {"path", "split", "label", "group", "weight"} <= set(run.manifest.columns)
    assert len(run.manifest) == 36
    assert run.metrics["epoch"].tolist() == [1, 2]
    tested = run.manifest[run.manifest["split"] == "test"]
    assert run.predictions["path"].tolist() == tested["path"].tolist()
    assert repr(run) == f"osprey.open_run({str(run.path)!r})"


def test_the_model_is_a_plain_module(run: osprey.Run) -> None:
    model = run.model()
    assert isinstance(model, nn.Module) and not hasattr(model, "trainer")
    assert not model.training
    with torch.no_grad():
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


def test_predict_gives_the_records_of_the_command(  # type: ignore[no-untyped-def]
    run: osprey.Run, tmp_path: Path, osprey
) -> None:
    from osprey import open_run, predict

    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "a.png"), np.full((40, 40, 3), (40, 50, 210), np.uint8))
    (photos / "b.png").write_bytes(b"no photo")
    files = [str(photos / "a.png"), photos / "b.png"]
    found = run.predict(files)
    assert [set(record) for record in found] == [
        {"file", "label", "score", "top"},
        {"file", "failure"},
    ]
    output = tmp_path / "o.json"
    assert osprey("predict", "--folder", photos, "--output", output).code == 0
    assert json.loads(output.read_text()) == found
    assert predict(run, files) == predict(run.path, files) == predict("latest", files) == found
    assert run.predict(files[0]) == found[:1]
    assert open_run(run.path.parent.name + "/" + run.path.name).path == run.path
    flipped = run.predict(files[:1], tta="flip")
    assert flipped[0]["label"] == found[0]["label"]


def test_a_detector_gives_detections(  # type: ignore[no-untyped-def]
    detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, osprey
) -> None:
    from osprey import open_run

    monkeypatch.chdir(detector)
    run = open_run("latest")
    photo = Path(run.config.data.root) / run.manifest["path"].iloc[0]
    (record,) = run.predict([photo], min_score=0.0)
    told = osprey("predict", "--image", photo, "--min-score", "0")
    assert json.loads(told.out) == record
    assert set(record) == {"file", "detections"} and record["detections"]
    (tmp_path / "b.png").write_bytes(b"no photo")
    assert set(run.predict(tmp_path / "b.png")[0]) == {"file", "failure"}
    assert isinstance(run.predictions, pd.DataFrame)
    assert isinstance(run.model(), nn.Module)


def test_a_module_of_ones_own_is_what_model_gives(my_pkg: Path) -> None:
    from osprey.commands import main

    words = ["plugins=[my_pkg]", "--config-dir", "mine", "experiment=digits"]
    assert main(["train", *words, "trainer.max_epochs=1"]) == 0
    run = osprey.open_run("latest", plugins=["my_pkg"])
    module = run.model()
    assert type(module).__name__ == "LitDigits" and not module.training
    state = torch.load(run.path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    with pytest.raises(UserError, match=r"task=lightning has no predictor: give its task a Task"):
        run.predict(["a.png"])


def test_evaluate_gives_the_figures(run: osprey.Run) -> None:
    figures = osprey.evaluate([f"run={run.path}", "data.split=val"])
    assert figures == on_disk(run, "evaluations/best-val.json")
    assert figures["macro_f1"] == pytest.approx(run.summary["val"]["macro_f1"])


def test_mistakes_are_raised_in_one_line(run: osprey.Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown setting 'data\.rot'; did you mean 'data\.root"):
        osprey.train(["data=folder", "data.rot=x"])
    with pytest.raises(ConfigError, match=r"osprey\.train trains one run: call it once for each"):
        osprey.train(["-m", "seed=0,1"])
    with pytest.raises(ConfigError, match=r"^nothing was run: leave out --cfg$"):
        osprey.train(["--cfg", "job"])
    with pytest.raises(UserError, match=r"^there is no run 'lastest'; "):
        osprey.open_run("lastest")
    with pytest.raises(UserError, match=r"^there is no run 'nowhere'"):
        osprey.evaluate(["run=nowhere"])
    with pytest.raises(ConfigError, match=r"^plugins: there is no module 'my_pk'"):
        osprey.open_run("latest", plugins=["my_pk"])
    begun = tmp_path / "begun"
    begun.mkdir()
    shutil.copy(run.path / "config.yaml", begun)
    unfinished = osprey.open_run(begun)
    with pytest.raises(UserError, match=r"is not finished: it has no summary\.json yet$"):
        _ = unfinished.summary
    for name in ("manifest", "metrics", "predictions"):
        with pytest.raises(UserError, match=r"^run '.*' has no "):
            getattr(unfinished, name)
    with pytest.raises(CheckpointError, match=r"^there is no checkpoint "):
        unfinished.model()
