"""Weights of several epochs averaged: what is gathered, what is kept, and that it says so."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, only_run
from helpers import quick
from hypothesis import given
from hypothesis import strategies as st

from osprey.engine.callbacks.progress import Progress
from osprey.ensembling.averaging import (
    AVERAGED,
    INGREDIENTS,
    GatherSoup,
    GatherSwa,
    mean_state,
    soup_files,
    swa_file,
)
from osprey.ensembling.averaging_candidate import Score
from osprey.models.checkpoint import load_model, read_checkpoint

WORDS = [*TINY, "augmentation=light", "data.batch_size=4", "scheduler=constant"]


def content(*values: float) -> dict[str, Any]:
    return {
        "osprey": {},
        "state_dict": {"w": torch.tensor(values), "n": torch.tensor(len(values))},
    }


@quick
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=5), st.integers(1, 30))
def test_the_mean_of_identical_weights_is_the_same_weights(values: list[float], n: int) -> None:
    states = [content(*values)["state_dict"]] * n
    mean = mean_state(states, [1.0] * n)
    torch.testing.assert_close(mean["w"], states[0]["w"], rtol=1e-7, atol=0)
    assert torch.equal(mean["n"], states[0]["n"]) and mean["n"].dtype == torch.int64


@quick
@given(st.integers(2, 30))
def test_swa_is_the_mean_of_the_last_quarter(epochs: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        gatherer = GatherSwa(Path(folder))
        for epoch in range(1, epochs + 1):
            gatherer.gather(content(float(epoch)), epoch, epochs, 0.5)
            gatherer.gather(content(float(epoch)), epoch, epochs, 0.5)  # repeated after a crash
        last = max(2, -(-epochs // 4))
        kept = read_checkpoint(swa_file(Path(folder)))
    wanted = list(range(epochs - last + 1, epochs + 1))
    assert kept["epochs"] == wanted
    assert float(kept["state_dict"]["w"]) == pytest.approx(sum(wanted) / last, rel=1e-6)


def test_a_run_that_goes_on_has_another_last_quarter(tmp_path: Path) -> None:
    gatherer = GatherSwa(tmp_path)
    for epoch in (3, 4):
        gatherer.gather(content(float(epoch)), epoch, 4, 0.5)
    for epoch in range(5, 9):
        gatherer.gather(content(float(epoch)), epoch, 8, 0.5)
    assert read_checkpoint(swa_file(tmp_path))["epochs"] == [7, 8]


@quick
@given(st.lists(st.sampled_from([0.1, 0.5, 0.9, 0.95]), min_size=1, max_size=12))
def test_a_soup_keeps_the_best_few_and_bounded_disk(scores: list[float]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gatherer = GatherSoup(folder)
        for epoch, score in enumerate(scores, start=1):
            gatherer.gather(content(float(epoch)), epoch, len(scores), score)
            gatherer.gather(content(float(epoch)), epoch, len(scores), score)
            assert len(list(folder.iterdir())) <= INGREDIENTS
        found = [read_checkpoint(file)["epochs"][0] for file in soup_files(folder)]
    ranked = sorted(range(1, len(scores) + 1), key=lambda e: (-scores[e - 1], e))
    assert found == ranked[:INGREDIENTS]


def test_the_log_loss_breaks_ties_and_nothing_more() -> None:
    best = Score(0.9, 0.3)
    assert Score(0.9, 0.3).no_worse(best) and Score(0.9, 0.2).no_worse(best)
    assert Score(0.91, 0.9).no_worse(best)
    assert not Score(0.9, 0.31).no_worse(best) and not Score(0.89, 0.1).no_worse(best)


@pytest.mark.parametrize("more", [["swa"], ["soup"], ["soup", "callbacks.ema_decay=0.5"]], ids=str)
def test_kept_only_where_validation_agrees(  # type: ignore[no-untyped-def]
    more: list[str], here: Path, photos: Path, osprey
) -> None:
    kind, *rest = more
    words = [*WORDS, f"callbacks.averaging={kind}", *rest, "trainer.max_epochs=4"]
    result = osprey("train", "data=folder", f"data.root={photos}", *words)
    assert result.code == 0, result.err
    run = only_run(here)
    summary = json.loads((run / "summary.json").read_text())
    found = summary["averaging"]
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert found["kind"] == kind
    assert summary["val"]["macro_f1"] >= found.get("best_val_macro_f1", 0) - 1e-9
    (line,) = [text for text in result.out.splitlines() if text.startswith(f"{kind} ")]
    if found["kept"]:
        assert summary["val"]["macro_f1"] == pytest.approx(found["val_macro_f1"])
        numbers = ", ".join(map(str, found["epochs"]))
        assert re.fullmatch(rf"{kind} +epochs {numbers}: val macro-F1 .+ [>=<] .+, kept", line)
        assert f"best    {kind} of epochs {numbers} of 4 by" in result.out
        last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
        assert last["callbacks"]["BestAndLast"]["score"] >= found["val_macro_f1"]
    else:
        assert "not kept" in line or "best.ckpt stays as it is" in line
        assert re.search(r"best    epoch \d of 4(: | by )validation", result.out)


@pytest.fixture(scope="module")
def averaged(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A finished run with what a soup needs left in its folder, and a best epoch made bad."""
    from osprey.commands import main

    folder = tmp_path_factory.mktemp("averaged")
    runs = [f"paths.runs={folder / 'runs'}", f"paths.cache={folder / 'cache'}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("osprey.engine.finalize.clear", lambda folder: None)
        words = [*WORDS, "callbacks.averaging=soup", "trainer.max_epochs=3"]
        assert main(["train", "data=folder", f"data.root={photos}", *words, *runs]) == 0
    return folder


def judged(source: Path, folder: Path, change: Any) -> tuple[dict[str, Any], Path]:
    """What is decided on a copy of ``source`` whose soup files ``change`` has altered."""
    from osprey.ensembling.averaging_candidate import CandidateEvaluator, average_weights
    from osprey.runs.folder import RunFolder
    from osprey.tasks.evaluation import load_for_testing

    shutil.copytree(source, folder)
    run = RunFolder(folder)
    best = read_checkpoint(run.best)
    best.pop(AVERAGED, None)  # as a best epoch has it
    torch.save(best, run.best)
    for number, file in enumerate(soup_files(folder / "checkpoints")):
        saved = read_checkpoint(file)
        change(number, saved["state_dict"])
        torch.save(saved, file)
    config = run.load_config()
    manifest = run.load_manifest(config.data.root)
    evaluator = CandidateEvaluator(*load_for_testing(run.best, config), manifest)
    found, _ = average_weights(run, config.callbacks.averaging, evaluator)
    return found, run.best


def test_a_bad_epoch_is_left_out_and_a_bad_soup_not_kept(averaged: Path, tmp_path: Path) -> None:
    run = only_run(averaged)
    before = load_model(run / "checkpoints" / "best.ckpt")[0].state_dict()

    def spoil_all(_: int, state: dict[str, torch.Tensor]) -> None:
        state["head.bias"] += torch.tensor([1e4, 0, 0])

    found, best = judged(run, tmp_path / "a", spoil_all)
    assert not found["kept"]
    after = load_model(best)[0].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)

    def spoil_others(number: int, state: dict[str, torch.Tensor]) -> None:
        if number:
            spoil_all(number, state)

    found, best = judged(run, tmp_path / "b", spoil_others)
    assert len(found["epochs"]) == 1 and not found["kept"]


def test_twins_of_the_best_epoch_make_the_same_network(averaged: Path, tmp_path: Path) -> None:
    """The weights stay; BatchNorm's statistics are those of the training photos."""
    run = only_run(averaged)
    best = load_model(run / "checkpoints" / "best.ckpt")[0].state_dict()

    def twin(_: int, state: dict[str, torch.Tensor]) -> None:
        state.update({key: value.clone() for key, value in best.items()})

    found, path = judged(run, tmp_path / "c", twin)
    after = load_model(path)[0].state_dict()
    weights = [key for key in best if "running" not in key and "num_batches" not in key]
    assert all(torch.equal(best[key], after[key]) for key in weights)
    assert found["kept"] or len(found["epochs"]) == 1


@pytest.mark.slow
def test_interrupted_and_resumed_it_averages_the_same(  # type: ignore[no-untyped-def]
    here: Path, photos: Path, osprey
) -> None:
    words = [*WORDS, "callbacks.averaging=swa", "trainer.max_epochs=4"]
    count = Progress.on_train_batch_end

    def interrupt(self, trainer, module, outputs, batch, step):  # type: ignore[no-untyped-def]
        count(self, trainer, module, outputs, batch, step)
        if (trainer.current_epoch, step) == (3, 1):
            os.kill(os.getpid(), signal.SIGINT)

    seen: list[dict[str, Any]] = []
    for patched in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("osprey.engine.finalize.clear", lambda folder: None)
            if patched:
                patch.setattr(Progress, "on_train_batch_end", interrupt)
            name = f"name=run{patched}"
            code = osprey("train", "data=folder", f"data.root={photos}", *words, name).code
            assert code == (130 if patched else 0)
            if patched:
                patch.setattr(Progress, "on_train_batch_end", count)
                assert osprey("train", "resume=latest").code == 0
        (folder,) = here.glob(f"runs/run{patched}/*/checkpoints")
        seen.append(read_checkpoint(swa_file(folder)))
    assert seen[0]["epochs"] == seen[1]["epochs"] == [3, 4]
    for key, value in seen[0]["state_dict"].items():
        torch.testing.assert_close(seen[1]["state_dict"][key], value, msg=key)


@pytest.mark.slow
def test_a_run_that_goes_on_says_what_its_best_is(  # type: ignore[no-untyped-def]
    here: Path, photos: Path, osprey
) -> None:
    def resume(epochs: int, score: float) -> tuple[str, dict[str, Any], str]:
        """Go on with ``score`` as the best so far, and any mean no better than that."""
        last = read_checkpoint(run / "checkpoints" / "last.ckpt")
        last["callbacks"]["BestAndLast"]["score"] = score
        torch.save(last, run / "checkpoints" / "last.ckpt")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Score, "no_worse", lambda self, other: False)
            result = osprey("train", "resume=latest", f"trainer.max_epochs={epochs}")
        assert result.code == 0, result.err
        summary = json.loads((run / "summary.json").read_text())
        return result.out, summary["averaging"], (run / "report.html").read_text()

    words = [*WORDS, "callbacks.averaging=soup", "trainer.max_epochs=2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Score, "no_worse", lambda self, other: True)
        assert osprey("train", "data=folder", f"data.root={photos}", *words).code == 0
    run = only_run(here)
    soup = json.loads((run / "summary.json").read_text())["averaging"]
    assert soup["kept"] and soup["epochs"] == [1, 2]
    for epochs, why in ((2, "fewer than two new epochs"), (4, r"no epoch makes epoch \d better")):
        out, found, report = resume(epochs, 1.0)
        assert re.search(rf"soup +{why}.*: best.ckpt stays the soup of epochs 1, 2\n", out)
        assert found == soup
        assert f"best    soup of epochs 1, 2 of {epochs} by" in out
        assert "of epochs 1, 2 of" in report and "best epoch</dt>" not in report
    out, found, report = resume(6, -1.0)  # epoch 5 takes the soup's place
    assert "best.ckpt stays as it is" in out and not found["kept"]
    assert re.search(r"best    epoch [56] of 6\b", out) and "best epoch</dt>" in report


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["trainer.max_epochs=1"],
            "callbacks.averaging=swa needs the weights of 2 epochs or more: raise "
            "trainer.max_epochs, or set it to none",
        ),
        (
            ["trainer=fsdp", "trainer.gradient_clip=null"],
            "callbacks.averaging=swa cannot be used with trainer=fsdp: use trainer=ddp",
        ),
    ],
)
def test_mistakes(words: list[str], message: str, here: Path, osprey) -> None:  # type: ignore[no-untyped-def]
    result = osprey("train", "callbacks.averaging=swa", *words)
    assert (result.code, result.out, result.err) == (2, "", f"osprey train: {message}\n")
