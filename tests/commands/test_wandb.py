"""Weights & Biases without key or network: offline by itself, one line, the same run on resume."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import TINY, only_run, run_process
from helpers import train_config
from pytorch_lightning.loggers.logger import DummyLogger

from osprey.config.groups.model import FACTORIES
from osprey.config.parse import tree_of
from osprey.engine import fit, worker
from osprey.engine.launch import train_run
from osprey.engine.loggers import build as loggers
from osprey.engine.loggers import wandb as wandb_logger
from osprey.engine.loggers import wandb_media, wandb_sync
from osprey.errors import Interrupted, UserError
from osprey.runs.folder import RunFolder
from osprey.tasks.evaluation import Watchers


@pytest.mark.slow
def test_offline_by_itself(here: Path, photos: Path) -> None:
    words = ["train", "data=folder", f"data.root={photos}", *TINY, "trainer.max_epochs=1"]
    quiet = {"WANDB_API_KEY": "", "HOME": str(here), "NETRC": str(here / "none")}
    result = run_process([*words, "logger=wandb"], here, **quiet)
    assert result.code == 0, result.err
    run = only_run(here).relative_to(here)
    assert (
        "wandb   offline (no API key: set WANDB_API_KEY or run 'wandb login'); to send it later: "
        f"osprey sync {run}"
    ) in result.out.splitlines()
    (folder,) = (here / run / "wandb").glob("offline-run-*")
    assert folder.name.endswith(run.name), "the run's stamp is its id, also on resume"
    _holds_the_test(here / run, folder)
    result = run_process(["train", "resume=latest", "trainer.max_epochs=2"], here, **quiet)
    assert result.code == 0, result.err
    ids = {p.name[-len(run.name) :] for p in (here / run / "wandb").glob("offline-run-*")}
    assert ids == {run.name}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("", "no API key: set WANDB_API_KEY or run 'wandb login'"),
        ("online", "No API key configured. Use `wandb login` to log in"),
    ],
)
def test_what_wandb_refuses_goes_on_offline(here: Path, photos: Path, mode: str, why: str) -> None:
    words = ["train", "data=folder", f"data.root={photos}", *TINY, "trainer.max_epochs=1"]
    quiet = {"WANDB_API_KEY": "", "HOME": str(here), "NETRC": str(here / "none")}
    result = run_process([*words, "logger=wandb"], here, WANDB_MODE=mode, **quiet)
    assert result.code == 0, result.err
    run = only_run(here).relative_to(here)
    line = f"wandb   offline ({why}); to send it later: osprey sync {run}"
    assert result.out.splitlines().count(line) == 1
    assert list((here / run / "wandb").glob("offline-run-*"))


def _holds_the_test(run: Path, folder: Path) -> None:
    """Pictures, table, figures and checkpoint went into the run that training had opened."""
    media = folder / "files" / "media"
    assert list(media.glob("images/batch_*.jpg"))
    gallery = json.loads((run / "plots" / "gallery.json").read_text())["photos"]
    doubtful = [photo for photo in gallery if photo["kind"] == "doubtful"]
    pictures = list(media.glob("images/gallery/most_doubtful_*.jpg"))
    assert len([p for p in pictures if "_cam_" not in p.name]) == len(doubtful) > 0
    assert len(pictures) == 2 * len(doubtful)
    (page,) = media.glob("html/confusion_*.html")
    assert "Confusion matrix of 3 classes" in page.read_text(encoding="utf-8")
    summary = json.loads((run / "summary.json").read_text())
    (table,) = media.glob("table/test/predictions_*.table.json")
    content = json.loads(table.read_text())
    assert content["columns"] == ["path", "label", "predicted", "score"]
    assert len(content["data"]) == summary["test"]["n"]
    wait_until = time.monotonic() + 30  # W&B's own process writes it, and outlives ours
    while not list(folder.glob("*.wandb")) and time.monotonic() < wait_until:
        time.sleep(0.1)
    (log,) = folder.glob("*.wandb")
    record = log.read_bytes()
    assert f"model-{run.name}".encode() in record, "the best checkpoint is an artifact"
    assert b"report.html" in record, "and the report goes with it"
    assert b"test/macro_f1" in record and b"test/blind/macro_f1" in record


@pytest.mark.parametrize("error", [None, UserError("no"), Interrupted(130), KeyboardInterrupt()])
@pytest.mark.parametrize("in_worker", [False, True])
def test_a_run_that_failed_is_ended_as_failed(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_worker: bool,
    error: BaseException | None,
) -> None:
    codes: list[int] = []
    run = SimpleNamespace(
        finish=lambda exit_code: codes.append(exit_code),
        settings=SimpleNamespace(sync_file=tmp_path / "run-1.wandb"),
        offline=True,
        disabled=False,
    )
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(run=run))

    def train(*_: object, **__: object) -> Watchers:
        if error is not None:
            raise error
        return Watchers()

    monkeypatch.setattr(fit, "fit", train)
    for step in ("evaluate_run", "publish"):
        monkeypatch.setattr(f"osprey.engine.finalize.{step}", lambda *_: {})
    monkeypatch.setattr(RunFolder, "write_text", lambda *_: None)
    folder = RunFolder(Path(shutil.copytree(only_run(trained), tmp_path / "run")))
    monkeypatch.setattr(sys, "argv", ["worker", str(folder.path)])
    with contextlib.suppress(UserError, Interrupted, KeyboardInterrupt):
        worker.main() if in_worker else train_run(folder, folder.load_config())
    assert codes == [0 if error is None else 1]


def test_what_could_not_be_sent_in_time_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that W&B had taken whole is marked as sent, one that it had not is kept."""

    ends: list[type[BaseException]] = [TimeoutError]

    def finish(exit_code: int) -> None:
        if ends:
            raise ends.pop()

    log = tmp_path / "wandb" / "run-1-a" / "run-a.wandb"
    log.parent.mkdir(parents=True)
    log.touch()
    run = SimpleNamespace(
        finish=finish,
        settings=SimpleNamespace(sync_file=log),
        offline=False,
        disabled=False,
    )
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(run=run))
    monkeypatch.delenv("RANK", raising=False)
    for left in ([log], []):
        with loggers.closing_loggers(RunFolder(tmp_path)):
            pass
        assert wandb_sync.unsent(tmp_path) == left
    assert capsys.readouterr().out == (
        f"wandb   not everything could be sent in time; to send it later: osprey sync {tmp_path}\n"
    )


@pytest.mark.parametrize("answers", [True, False])
def test_a_long_upload_is_waited_for_while_the_server_answers(
    monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    from wandb.sdk.artifacts.exceptions import WaitTimeoutError

    waited: list[int] = []

    def wait(timeout: int) -> None:
        waited.append(timeout)
        if len(waited) < 3:
            raise WaitTimeoutError("late")

    monkeypatch.setattr(wandb_logger, "why_unreachable", lambda _: None if answers else "gone")
    wandb_logger._wait_for(SimpleNamespace(wait=wait), "http://127.0.0.1")
    assert len(waited) == (3 if answers else 1)


@pytest.mark.parametrize("factory", ["timm", "ensemble"])
def test_that_it_is_offline_is_said_once(
    factory: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also where the trainer never opened W&B's run, and where there was no trainer."""
    opened: list[object] = []

    class Fake(DummyLogger):
        experiment = SimpleNamespace(offline=True, disabled=False)  # type: ignore[assignment]

    logger = Fake()
    monkeypatch.setattr(wandb_logger, "_FallingBack", lambda *_, **__: logger)
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(run=None, Settings=dict))
    monkeypatch.setattr(wandb_media, "log_media", lambda *words: opened.append(words[0]))
    monkeypatch.delenv("RANK", raising=False)
    config = train_config("logger=wandb", "logger.offline=true")
    config.model.target = FACTORIES[factory]
    run = RunFolder(tmp_path)
    if factory != "ensemble":
        values = loggers.run_time_values(config, run)
        assert loggers.make_loggers(config.logger.args, values) == [logger]
    trained = factory != "ensemble"
    node = config.logger.args["wandb"]
    wandb_logger.log_results(run, node, tree_of(config), {}, quiet=trained)
    assert opened == [Fake.experiment]
    assert capsys.readouterr().out.count("wandb   offline (logger.offline=true)") == 1
