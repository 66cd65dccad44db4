"""What an annoyed user hands to ``classify`` and ``osprey registry``: one plain line each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Result, only_run

from osprey.commands.classifying.named import is_address
from osprey.system.locks import FolderLock

Osprey = Callable[..., Result]


def refusal(osprey: Osprey, *words: str | Path) -> str:
    result = osprey("classify", *words)
    assert (result.code, result.out) == (2, "") and result.err.count("\n") == 1, result.err
    return result.err.removeprefix("osprey classify: ").rstrip("\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--image", ""], "--image: it is empty"),
        (["--image", "http://[::1/x.jpg"], "http://[::1/x.jpg: cannot be fetched (Invalid IPv6 "
         "URL)"),
        (["--image", "photo.png", "--server", "http://[::1"], "--server: 'http://[::1' cannot be "
         "reached (Invalid IPv6 URL)"),
        (["--list", "photos", "--output", "a.csv"], "--list: 'photos' is a folder; use --folder"),
        (["--list", "photo.png", "--output", "a.csv"], "--list: 'photo.png' is no list of photos, "
         "a path in each line"),
        (["--image", "photo.png", "--model", "b/card.json"], "--model: 'b/card.json' is a file: "
         "name the bundle's folder"),
    ],
)  # fmt: skip
def test_words(words: list[str], message: str, bundles: Path, osprey: Osprey, photos: Path) -> None:
    Path("photo.png").write_bytes(next((photos / "red").iterdir()).read_bytes())
    Path("photos").mkdir()
    (only_run(bundles) / "bundle").rename("b")
    model = [] if "--model" in words or "--server" in words else ["--model", "b"]
    assert refusal(osprey, *words, *model) == message
    assert not Path("a.csv").exists()


def test_an_address_in_capitals_is_one() -> None:
    assert is_address("HTTP://host/x.jpg") and not is_address("httpx://host/x.jpg")


def test_a_list_written_on_windows(bundles: Path, osprey: Osprey, photos: Path) -> None:
    photo = next((photos / "red").iterdir())
    Path("list.txt").write_bytes(f"\ufeff{photo}\r\n\r\n".encode())
    assert osprey("classify", "--list", "list.txt", "--output", "a.jsonl").code == 0
    (record,) = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]
    assert (record["file"], record["label"]) == (str(photo), "red")


def test_bundles_that_lack_something(bundles: Path, osprey: Osprey, photos: Path) -> None:
    photo, bundle = next((photos / "red").iterdir()), only_run(bundles) / "bundle"
    card, network = bundle / "card.json", bundle / "model.onnx"
    whole = json.loads(card.read_text())

    def said() -> str:
        return refusal(osprey, "--image", photo, "--model", bundle)

    card.write_text(json.dumps({**whole, "format": 2}))
    assert said() == (
        f"bundle '{bundle}' has format 2, this Osprey reads 1: update Osprey, or export the run "
        "again"
    )
    card.write_text(json.dumps({**whole, "reader": ""}))
    assert said() == f"bundle '{bundle}': its card.json is damaged, or another program's"
    card.unlink()
    assert said() == f"--model: '{bundle}' has no card.json: copy the bundle again, whole"
    card.write_text(json.dumps(whole))
    network.rename(bundle / "other")
    assert said() == (
        f"bundle '{bundle}': its model.onnx cannot be read (No such file or directory): copy the "
        "bundle again, whole"
    )


def test_a_network_that_nothing_can_open_is_not_registered(bundles: Path, osprey: Osprey) -> None:
    bundle = only_run(bundles) / "bundle"
    network, card = bundle / "model.onnx", bundle / "card.json"
    network.write_bytes(network.read_bytes()[:100])
    sha256 = hashlib.sha256(network.read_bytes()).hexdigest()
    card.write_text(json.dumps({**json.loads(card.read_text()), "sha256": sha256}))
    result = osprey("registry", "add", bundle, "--name", "fish")
    assert result.code == 2 and result.err.count("\n") == 1
    assert f"bundle '{bundle}': model.onnx is refused (" in result.err
    assert not Path("registry", "fish", "1").exists()


def test_two_write_the_same_table(bundles: Path, osprey: Osprey, photos: Path) -> None:
    Path(".a.csv.part").mkdir()
    with FolderLock(Path(".a.csv.part"), "free"):
        result = osprey("classify", "--folder", photos, "--output", "a.csv")
    assert result.code == 2
    assert result.err.splitlines()[-1] == (
        "osprey classify: --output: another process is writing 'a.csv'"
    )
    assert not Path("a.csv").exists()


def test_a_file_named_like_a_bundle_hides_none(bundles: Path, osprey: Osprey, photos: Path) -> None:
    bundle = only_run(bundles) / "bundle"
    assert osprey("registry", "add", bundle, "--name", "fish").code == 0
    Path("fish").write_text("not this")
    photo = next((photos / "red").iterdir())
    assert osprey("classify", "--image", photo, "--model", "fish").out == "['red']\n"
