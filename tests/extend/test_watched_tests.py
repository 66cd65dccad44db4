"""What a run's callbacks and loggers see of its test, in one process and in two."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from conftest import TINY, make_photos, only_run, osprey_process, run_process

SEEN = '''
import json
from pathlib import Path

from pytorch_lightning.callbacks import Callback


class Seen(Callback):
    """Writes down which photos a process trained on and which it was tested on."""

    def __init__(self, save_dir):
        self.folder, self.steps, self.tested, self.validations = Path(save_dir), 0, [], 0

    def on_train_batch_end(self, *_):
        self.steps += 1

    def on_validation_start(self, *_):
        self.validations += 1

    def on_test_batch_end(self, trainer, module, outputs, batch, *_):
        self.tested += [number for number in batch["index"].tolist() if number >= 0]

    def on_test_end(self, trainer, module):
        found = {"steps": self.steps, "tested": self.tested, "validations": self.validations}
        (self.folder / f"seen-{trainer.global_rank}.json").write_text(json.dumps(found))
'''


@pytest.fixture
def words(here: Path) -> Iterator[list[str]]:
    (here / "seen.py").write_text(SEEN)
    photos = make_photos(here / "photos", per_class=15)
    words = ["train", "data=folder", f"data.root={photos}", *TINY, "augmentation=none"]
    yield [*words, "data.eval_batch_size=4", "+callbacks.seen._target_=seen.Seen"]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_each_sample_is_tested_once(here: Path, words: list[str], processes: int) -> None:
    more = ["trainer=ddp_sim"] if processes == 2 else []
    result = run_process([*words, *more], here)
    assert result.code == 0, result.err
    run = only_run(here)
    seen = [json.loads(file.read_text()) for file in sorted(run.glob("seen-*.json"))]
    assert len(seen) == processes
    assert all(part["steps"] and part["tested"] for part in seen), "the callback of the fit itself"
    assert [part["validations"] for part in seen] == [2] * processes, "one each epoch"
    count = json.loads((run / "summary.json").read_text())["test"]["n"]
    assert sorted(n for part in seen for n in part["tested"]) == list(range(count))
    table, manifest = (pd.read_csv(run / f"{name}.csv") for name in ("predictions", "manifest"))
    assert table["path"].tolist() == manifest["path"][manifest["split"] == "test"].tolist()


def test_a_module_of_ones_own_logs_its_test(here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    import shutil

    shutil.copytree(Path(__file__).with_name("template_project"), here, dirs_exist_ok=True)
    words = ["train", "--config-dir", "mine", "experiment=mnist", "trainer.max_epochs=1"]
    own = ["+logger.mine._target_=pytorch_lightning.loggers.CSVLogger"]
    result = osprey(*words, *own)
    assert result.code == 0, result.err
    run = only_run(here)
    tested = json.loads((run / "summary.json").read_text())["test"]
    logged = [
        row
        for file in run.rglob("metrics.csv")
        if file.parent != run
        for row in csv.DictReader(file.open(newline=""))
        if row.get("test/acc")
    ]
    assert [float(row["test/acc"]) for row in logged] == pytest.approx([tested["acc"]])


SLOW = '''
import time

from pytorch_lightning.callbacks import Callback


class Slow(Callback):
    """Says when the test begins, and makes it long."""

    def on_test_batch_end(self, trainer, *_):
        print(f"testing on {trainer.global_rank}", flush=True)
        time.sleep(60)
'''


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_test(
    here: Path, words: list[str], processes: int, number: signal.Signals, code: int
) -> None:
    (here / "slow.py").write_text(SLOW)
    more = ["trainer=ddp_sim"] if processes == 2 else []
    process = osprey_process([*words, *more, "+callbacks.slow._target_=slow.Slow"], here)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("testing on"):
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert abs(process.returncode) in (code, number), err
    assert "Traceback" not in err
    run = only_run(here)
    assert not (run / "summary.json").exists() and (run / "checkpoints" / "last.ckpt").is_file()
