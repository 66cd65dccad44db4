"""A run as a bundle, and ``classify``: the same answers without PyTorch, or one plain line."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Result, environment, only_run

from osprey.inference.card import read_card

DAMAGED = "is damaged, or another program's"


def some_photo(photos: Path, label: str = "red") -> Path:
    return sorted((photos / label).iterdir())[0]


def test_the_card_says_what_it_is_and_how_it_was_checked(exported: Path) -> None:
    run = only_run(exported)
    card = read_card(run / "bundle")
    summary = json.loads((run / "summary.json").read_text())
    assert card.classes == ["blue", "green", "red"]
    assert (card.task, card.precision, card.name) == ("classification", "float32", summary["name"])
    assert card.temperature == summary["temperature"]
    assert card.metrics["val"]["macro_f1"] == summary["val"]["macro_f1"]
    assert card.check["agreement"] == 1 and card.check["error"] < 1e-4
    assert abs(card.check["theirs"] - summary["val"]["macro_f1"]) < 1e-6  # as trained
    network = (run / "bundle" / "model.onnx").read_bytes()
    assert hashlib.sha256(network).hexdigest() == card.sha256


def test_it_answers_as_the_checkpoint_does(
    bundles: Path, osprey: Callable[..., Result], photos: Path
) -> None:
    for command in ("predict", "classify"):
        result = osprey(command, "--folder", photos, "--output", f"{command}.json")
        assert result.code == 0, result.err
    ours, theirs = (json.loads(Path(f"{c}.json").read_text()) for c in ("predict", "classify"))
    assert len(ours) == len(theirs) == 36
    for one, other in zip(ours, theirs, strict=True):
        assert (one["file"], one["label"]) == (other["file"], other["label"])
        np.testing.assert_allclose(one["score"], other["score"], atol=1e-4)


def test_one_photo(bundles: Path, osprey: Callable[..., Result], photos: Path) -> None:
    photo, run = some_photo(photos), only_run(bundles)
    result = osprey("classify", "--image", photo)
    assert (result.code, result.out) == (0, "['red']\n")
    assert result.err.startswith(f"model: {run.relative_to(bundles)}/bundle (folder-simple_cnn, ")
    loud = osprey("classify", "--image", photo, "--model", run, "--verbose")
    ranked = json.loads(loud.out.replace("'", '"'))
    assert ranked[0][0] == "red" and sum(score for _, score in ranked) == pytest.approx(1, abs=1e-3)
    assert "loaded in" in loud.err and "answered in" in loud.err
    sure = osprey("classify", "--image", photo, "--unknown-below", "1")
    assert sure.out == "['unknown']\n"


def test_a_photo_on_standard_input_and_no_torch(bundles: Path, photos: Path) -> None:
    code = (
        "import sys; from osprey.commands import main; code = main(['classify', *sys.argv[1:]]); "
        "heavy = {'torch', 'hydra', 'omegaconf', 'pandas', 'timm', 'sklearn'} & set(sys.modules); "
        "assert not heavy, heavy; sys.exit(code)"
    )
    for words in ([], ["--image", "-"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=bundles,
            env=environment(),
            input=some_photo(photos, "blue").read_bytes(),
            capture_output=True,
        )
        assert (done.returncode, done.stdout) == (0, b"['blue']\n"), done.stderr


def test_nothing_is_left_in_the_home_folder_or_sent(
    bundles: Path, photos: Path, tmp_path: Path
) -> None:
    """ONNX Runtime would make a name for the machine, and tell its maker of every session."""
    (home := tmp_path / "home").mkdir()
    unset = {key: value for key, value in environment().items() if not key.startswith("ORT_")}
    done = subprocess.run(
        [sys.executable, "-m", "osprey", "classify", "--image", some_photo(photos)],
        cwd=bundles,
        env={**unset, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in home.rglob("*")] == []


def test_tables(bundles: Path, osprey: Callable[..., Result], photos: Path) -> None:
    (bundles / "list.txt").write_text(f"{some_photo(photos)}\nnowhere.jpg\n")
    assert osprey("classify", "--list", "list.txt", "--output", "a.jsonl").code == 0
    found = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]
    assert found[0]["label"] == "red" and found[1] == {
        "file": "nowhere.jpg", "failure": "nowhere.jpg: no such file",
    }  # fmt: skip
    strict = osprey("classify", "--list", "list.txt", "--output", "a.csv", "--strict")
    assert strict.code == 1
    rows = list(csv.DictReader(io.StringIO(Path("a.csv").read_text())))
    assert [row["label"] for row in rows] == ["red", ""]
    assert list(rows[0]) == ["file", "label", "score", "failure"]


def test_training_exports(here: Path, osprey: Callable[..., Result], photos: Path) -> None:
    from conftest import TINY

    words = ["train", "data=folder", f"data.root={photos}", *TINY, "export=onnx"]
    result = osprey(*words)
    assert result.code == 0, result.err
    run = only_run(here).relative_to(here)
    assert f"bundle  {run}/bundle (100.0% of " in result.out
    again = osprey("train", f"resume={run}", "trainer.max_epochs=3", "export=null")
    assert again.code == 0 and not (run / "bundle").exists()


def test_int8(bundles: Path, osprey: Callable[..., Result]) -> None:
    run = only_run(bundles).relative_to(bundles)
    result = osprey("export", run, "--format", "onnx-int8", "--max-drop", "1")
    assert result.code == 0, result.err
    small, large = (run / name / "model.onnx" for name in ("bundle-int8", "bundle"))
    assert small.stat().st_size < 0.6 * large.stat().st_size
    assert read_card(run / "bundle-int8").precision == "int8"


def test_a_run_without_validation_photos(bundles: Path, osprey: Callable[..., Result]) -> None:
    table = only_run(bundles) / "manifest.csv"
    table.write_text(table.read_text().replace(",val", ",train"))
    result = osprey("export", "latest")
    assert (result.code, result.err) == (
        2, "osprey export: the run has no validation photos to compare a bundle on\n",
    )  # fmt: skip


# ---------------------------------------------------------------- what is refused


def change(bundle: Path, **values: object) -> None:
    card = json.loads((bundle / "card.json").read_text())
    (bundle / "card.json").write_text(json.dumps({**card, **values}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 2}, "has format 2, this Osprey reads 1"),
        ({"classes": ["a", "a", "b"]}, DAMAGED),
        ({"classes": []}, DAMAGED),
        ({"temperature": "hot"}, DAMAGED),
        ({"temperature": 0}, DAMAGED),
        ({"thresholds": [0.5]}, DAMAGED),
        ({"surprise": 1}, "its card.json has 'surprise', which this Osprey does not know: update"),
        ({"preprocess": {"size": 10**9}}, "size"),
        ({"reader": "os.system"}, "is read by os.system, which is not Osprey's"),
        ({"reader": "osprey.tasks.nothing.Here"}, "cannot be imported"),
        ({"reader": "osprey.tasks.classification.reader.UNKNOWN"}, "is not a reader of answers"),
        ({"sha256": "0" * 64}, "is not the one that its card was written for"),
    ],
)
def test_a_bundle_that_was_tampered_with(
    values: dict[str, object],
    message: str,
    bundles: Path,
    osprey: Callable[..., Result],
    photos: Path,
) -> None:
    change(only_run(bundles) / "bundle", **values)
    result = osprey("classify", "--image", some_photo(photos))
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1 and message in result.err


def test_a_network_that_refers_to_other_files(
    bundles: Path, osprey: Callable[..., Result], photos: Path
) -> None:
    import onnx

    bundle = only_run(bundles) / "bundle"
    model = onnx.load(bundle / "model.onnx")
    onnx.save(model, bundle / "model.onnx", save_as_external_data=True, location="weights.bin",
              size_threshold=0)  # fmt: skip
    content = (bundle / "model.onnx").read_bytes()
    change(bundle, sha256=hashlib.sha256(content).hexdigest())
    result = osprey("classify", "--image", some_photo(photos))
    assert result.code == 2 and "its model.onnx refers to other files" in result.err


def test_a_network_with_other_classes(
    bundles: Path, osprey: Callable[..., Result], photos: Path
) -> None:
    change(only_run(bundles) / "bundle", classes=["blue", "green"])
    result = osprey("classify", "--image", some_photo(photos))
    assert (result.code, result.err.splitlines()[-1]) == (
        2,
        "osprey classify: the bundle's network answers [1, 3] instead of [1, 2]",
    )


def test_a_server_that_speaks_no_http(bundles: Path, osprey: Callable[..., Result]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.jpg"

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"no\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        result = osprey("classify", "--image", address)
        thread.join()
    assert result.code == 2 and f"{address}: cannot be fetched (" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("content", [b"", b"nonsense", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_a_card_that_is_none(
    content: bytes, bundles: Path, osprey: Callable[..., Result], photos: Path
) -> None:
    (only_run(bundles) / "bundle" / "card.json").write_bytes(content)
    result = osprey("classify", "--image", some_photo(photos))
    assert result.code == 2 and result.err.count("\n") == 1


def test_what_is_not_there(here: Path, osprey: Callable[..., Result], photos: Path) -> None:
    photo = some_photo(photos)
    for words, message in (
        ([], "there is no bundle under 'runs' and none in the registry 'registry': write one with "
             "'osprey export RUN'"),
        (["--model", "fish"], "there is no bundle 'fish' in the registry 'registry'"),
        (["--model", "../x"], "--model: '../x' is no bundle: write one with 'osprey export ../x'"),
    ):  # fmt: skip
        result = osprey("classify", "--image", photo, *words)
        assert (result.code, result.err) == (2, f"osprey classify: {message}\n")
    result = osprey("classify", "--folder", photos)
    assert result.err == "osprey classify: --folder and --list need --output FILE to write to\n"


def test_another_s_folder_is_left_alone(bundles: Path, osprey: Callable[..., Result]) -> None:
    (bundles / "mine").mkdir()
    (bundles / "mine" / "diary.txt").write_text("dear diary")
    result = osprey("export", "latest", "--output", "mine")
    assert result.code == 2 and "'mine' is there and is no bundle" in result.err
    assert [path.name for path in (bundles / "mine").iterdir()] == ["diary.txt"]


def test_photos_that_were_moved(bundles: Path, osprey: Callable[..., Result], photos: Path) -> None:
    run = only_run(bundles)
    config = (run / "config.yaml").read_text().replace(str(photos), "/nowhere")
    (run / "config.yaml").write_text(config)
    result = osprey("export", "latest", "--output", "out")
    assert result.code == 2 and "can be read under '/nowhere': name their folder with --root" in (
        result.err
    )
    assert not (bundles / "out").exists()
    assert osprey("export", "latest", "--output", "out", "--root", photos).code == 0
