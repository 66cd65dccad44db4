"""What many tests share: a tiny data set, a way to call the commands, one finished run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

REPOSITORY = Path(__file__).resolve().parents[1]
PLUGIN = REPOSITORY / "examples" / "plugin"
COLOURS = {"blue": (40, 60, 200), "green": (40, 190, 60), "red": (210, 50, 40)}
# The smallest detector; what it finds is next to nothing.
TINY_BOXES = [
    "data.root=harbour",
    "data.render_count=200",
    "data.single_class=fish",
    "data.size=64",
    "data.batch_size=8",
    "data.num_workers=0",
    "augmentation=none",
    "model.backbone=mobilenetv3_small_050",
    "model.pretrained=false",
    "model.freeze_batchnorm=false",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=2",
    "trainer.limit_eval_batches=1",
    "trainer.autotune=false",
    "callbacks.progress=false",
    "export=null",
]
TIMES = ("seconds", "data_wait")  # columns of metrics.csv that no two runs share
# The smallest run that goes through everything.
TINY = [
    "augmentation=none",
    "model.options={width: 4}",
    "data.size=32",
    "data.batch_size=8",
    "data.num_workers=0",
    "optimizer.lr=0.01",
    "trainer.max_epochs=2",
    "trainer.autotune=false",
    "callbacks.progress=false",
    "export=null",
]


@dataclass
class Result:
    """What a command did: exit code and what it printed."""

    code: int
    out: str
    err: str


def make_photos(root: Path, per_class: int = 12, size: int = 40, seed: int = 0) -> Path:
    """Class folders of noisy one-coloured photos: learnable in a few steps."""
    rng = np.random.default_rng(seed)
    for label, colour in COLOURS.items():
        folder = root / label
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            noise = rng.integers(-40, 40, (size, size, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{label}_{number:02d}.png"), pixels[..., ::-1])
    return root


def make_squares(root: Path) -> Path:
    """Photos of noise with a bright square each, every fifth with none, as a COCO set."""
    draw = np.random.default_rng(0)
    images, boxes = [], []
    for number in range(30):
        pixels = draw.integers(0, 120, (96, 128, 3), dtype=np.uint8)
        images.append({"id": number, "file_name": f"{number}.png", "width": 128, "height": 96})
        if number % 5:
            x, y, side = (int(v) for v in draw.integers(10, 40, 3))
            pixels[y : y + side, x : x + side] = (60, 200, 240)
            box = {"id": number, "image_id": number, "category_id": 1, "bbox": [x, y, side, side]}
            boxes.append(box)
        cv2.imwrite(str(root / f"{number}.png"), pixels)
    names = [{"id": 1, "name": "square"}]
    content = {"images": images, "annotations": boxes, "categories": names}
    (root / "boxes.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 photos in three class folders. Read only: tests that change photos make their own."""
    return make_photos(tmp_path_factory.mktemp("photos") / "set")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run commands in, with a cache of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OSPREY_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def osprey(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Call ``osprey WORDS...`` in this process."""
    from osprey.commands import main

    def call(*words: str | Path) -> Result:
        capfd.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:  # argparse leaves this way
            code = int(stop.code or 0)
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def my_pkg(here: Path) -> Iterator[Path]:
    """The working folder with the files of docs/extend.md in it: ``my_pkg/`` and ``mine/``."""
    from documents import EXTEND, write_files

    write_files(EXTEND, here)
    (here / "my_pkg" / "__init__.py").write_text("")
    yield here
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_pkg"]:
        del sys.modules[name]  # the next test has a folder of its own


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, as pip would install it."""
    folder = tmp_path_factory.mktemp("plugin")
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", "dist", "runs")
    shutil.copytree(PLUGIN, source, ignore=ignored)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    made = subprocess.run([*build, str(source)], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)], check=True)
    return site


def environment(**more: str) -> dict[str, str]:
    """The environment for a command in a process of its own."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), more.pop("EXTRA_PATH", "")]).rstrip(
            os.pathsep
        ),
        "OMP_NUM_THREADS": "1",
        **more,
    }


def osprey_process(words: list[str | Path], cwd: Path, **more: str) -> subprocess.Popen[str]:
    """Start ``osprey WORDS...`` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "import sys; from osprey.commands import main; sys.exit(main())"]
        + [str(word) for word in words],
        cwd=cwd,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_from_a_terminal,
    )


def as_from_a_terminal() -> None:
    """Ctrl-C counts, also where the tests themselves were started in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run_process(words: list[str | Path], cwd: Path, **more: str) -> Result:
    """Run ``osprey WORDS...`` in a process of its own to its end."""
    process = osprey_process(words, cwd, **more)
    out, err = process.communicate(timeout=300)
    return Result(process.returncode, out, err)


def as_anybody(words: list[str | Path], cwd: Path) -> Result:
    """Likewise, without root's right to open and to write everything."""
    command = [sys.executable, "-m", "osprey", *(str(word) for word in words)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may do everything, and setpriv is not here to take that away")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True)
    return Result(done.returncode, done.stdout, done.stderr)


def only_run(folder: Path) -> Path:
    """The one run folder under ``folder``/runs."""
    (config,) = folder.glob("runs/*/*/config.yaml")
    return config.parent


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Iterator[Path]:
    """A working folder with one finished run in it. Evaluations may be added, no more."""
    from osprey.commands import main

    folder = tmp_path_factory.mktemp("trained")
    before = Path.cwd()
    os.chdir(folder)
    try:
        words = ["train", "data=folder", f"data.root={photos}", "model=simple_cnn", *TINY]
        assert main([*words, f"paths.cache={folder / 'cache'}"]) == 0
    finally:
        os.chdir(before)
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    yield folder
    changed = [str(p) for p, content in files.items() if p.read_bytes() != content]
    assert not changed, "a test changed the run that all share: copy it"


@pytest.fixture
def two(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The shared run, and a copy of it with two other answers and another rate."""
    monkeypatch.chdir(tmp_path)
    run = only_run(trained)
    first, second = (tmp_path / "runs" / "set" / name for name in ("one", "other"))
    for place in (first, second):
        shutil.copytree(run, place)
    config = (second / "config.yaml").read_text()
    assert "  lr: 0.01\n" in config
    (second / "config.yaml").write_text(config.replace("  lr: 0.01\n", "  lr: 0.02\n"))
    words = (second / "overrides.txt").read_text()
    (second / "overrides.txt").write_text(words.replace("optimizer.lr=0.01", "optimizer.lr=0.02"))
    table = pd.read_csv(second / "predictions.csv")
    table.loc[:1, "predicted"] = [
        "red" if label != "red" else "blue" for label in table["label"][:2]
    ]
    table.to_csv(second / "predictions.csv", index=False)
    summary = json.loads((second / "summary.json").read_text())
    summary["val"]["macro_f1"] = 0.1
    (second / "summary.json").write_text(json.dumps(summary))
    return first, second


@pytest.fixture(scope="session")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a copy of the run that all share, and its bundle. Read only."""
    from osprey.commands import main

    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(trained / "runs", folder / "runs", symlinks=True)
    run = only_run(folder)
    assert main(["export", str(run), "--runs", str(folder / "runs")]) == 0
    return folder


@pytest.fixture
def bundles(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own with that run in it."""
    folder = tmp_path / "own"
    shutil.copytree(exported, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with one finished run of a detector, and its photos. Read only."""
    from osprey.commands import main

    folder = tmp_path_factory.mktemp("detector")
    before = Path.cwd()
    os.chdir(folder)
    try:
        words = ["train", "task=detection", "data=harbour_boxes", "model=ssdlite", *TINY_BOXES]
        assert main([*words, f"paths.cache={folder / 'cache'}"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def folder(detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder beside the detector's run."""
    monkeypatch.chdir(tmp_path)
    os.symlink(detector / "runs", tmp_path / "runs")
    return tmp_path


def real_data(*parts: str) -> Path:
    """A folder of the real data, or a skip that says it is absent."""
    root = Path(os.environ.get("OSPREY_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    path = root.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"real data absent: {path} (set OSPREY_REAL_DATA)")
    return path
