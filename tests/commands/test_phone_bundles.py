"""A run as a program of ExecuTorch, for phones; and what is said where it cannot be one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Result, only_run

from osprey.config import bundle_formats
from osprey.inference.card import read_card

Osprey = Callable[..., Result]
NEEDS = "needs a package: pip install 'osprey-vision[mobile]'"


@pytest.fixture
def uninstalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if ExecuTorch were not there, whether or not it is."""
    monkeypatch.setitem(bundle_formats._NEEDED, "executorch", ("no_such_executorch", "mobile"))


@pytest.mark.slow
def test_a_program_answers_as_the_network_does(bundles: Path, osprey: Osprey) -> None:
    pytest.importorskip("executorch", reason="the extra `mobile` is not installed")
    from osprey.bundle.export import opened

    run = only_run(bundles)
    result = osprey("export", run, "--format", "executorch")
    assert result.code == 0, result.err
    assert result.err == "", "what C++ says about the processor is nobody's business"
    assert "check   100.0% of 5 validation photos answered as by PyTorch" in result.out
    folder = run / "bundle-executorch"
    assert {path.name for path in folder.iterdir()} == {"card.json", "model.pte"}
    card = read_card(folder)
    assert card.precision == "float32" and card.check["error"] < 1e-4
    assert card.sha256 == hashlib.sha256((folder / "model.pte").read_bytes()).hexdigest()
    photos = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    ours, theirs = (
        opened(run / f"bundle{end}", form).outputs(photos)[0]
        for end, form in (("", "onnx"), ("-executorch", "executorch"))
    )
    assert ours.shape == (3, 3) and ours.std(axis=0).min() > 0
    np.testing.assert_allclose(theirs, ours, atol=1e-4)
    again = osprey("export", run, "--format", "executorch")
    assert again.code == 0, "a bundle of Osprey's gives way"


def test_it_is_not_asked_here(bundles: Path, osprey: Osprey, photos: Path) -> None:
    bundle = only_run(bundles) / "bundle"
    (bundle / "model.onnx").rename(bundle / "model.pte")
    why = (
        f"bundle '{bundle}' is ExecuTorch's, for phones: write one to answer from here with "
        "'osprey export RUN'\n"
    )
    photo = next((photos / "red").iterdir())
    result = osprey("classify", "--image", photo, "--model", bundle)
    assert (result.code, result.out, result.err) == (2, "", f"osprey classify: {why}")
    result = osprey("registry", "add", bundle, "--name", "fish")
    assert (result.code, result.err) == (2, f"osprey registry: {why}")


def test_the_package_is_not_there(
    uninstalled: None, bundles: Path, osprey: Osprey, photos: Path
) -> None:
    result = osprey("export", "latest", "--format", "executorch")
    assert (result.code, result.err) == (2, f"osprey export: --format=executorch {NEEDS}\n")
    result = osprey("train", "data=folder", f"data.root={photos}", "export=executorch")
    assert (result.code, result.err) == (2, f"osprey train: export=executorch {NEEDS}\n")


def test_formats_beside_each_other(
    uninstalled: None, bundles: Path, osprey: Osprey, monkeypatch: pytest.MonkeyPatch
) -> None:
    from osprey.bundle import measure

    monkeypatch.setattr(measure, "_SECONDS", 0.01)
    result = osprey("export", "latest", "--compare")
    assert result.code == 0, result.err
    head, *rows, last = result.out.splitlines()
    assert head == "format         MB  images/s  ms alone  val macro_f1"
    assert [row.split()[0] for row in rows] == ["onnx", "onnx-int8"]
    assert all(float(cell) >= 0 for row in rows for cell in row.split()[1:])
    assert last == f"executorch --format=executorch {NEEDS}"
    assert not (bundles / "bundle").exists()


def test_every_name_has_its_writer() -> None:
    from osprey.bundle.formats import FORMATS

    assert tuple(FORMATS) == bundle_formats.BUNDLE_FORMATS
