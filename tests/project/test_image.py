"""The commands of deploy/Dockerfile, run in a clean folder: what the image holds answers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml
from conftest import REPOSITORY, Result, only_run
from dockerfiles import read, stage, words_of

from osprey.commands import main

pytestmark = pytest.mark.slow
NOT_OURS = ("CONDA", "PYTHON", "VIRTUAL_ENV")  # of whoever runs the tests


def clean(home: Path, path: Path, **more: str) -> dict[str, str]:
    """An environment that knows of no other installation."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(NOT_OURS)}
    return {**kept, "HOME": str(home), "PATH": f"{path}:/usr/local/bin:/usr/bin:/bin", **more}


def build(root: Path) -> Path:
    """Do what the Dockerfile's first stage says below ``root``, and return its /opt/osprey."""
    base, work, prefix = root / "base", root / "work", root / "opt/osprey"
    subprocess.run([sys.executable, "-m", "venv", str(base)], check=True)  # the base image's
    (root / "home").mkdir()
    work.mkdir()
    variables = clean(root / "home", base / "bin")
    for step in stage("Dockerfile", 0):
        text = step.text.replace("/opt/osprey", str(prefix))
        if step.keyword == "ENV":
            variables |= dict(word.split("=", 1) for word in text.split())
        elif step.keyword == "COPY":
            copy(*text.split(), work=work)
        elif step.keyword == "RUN":
            done = subprocess.run(
                ["sh", "-ec", text], cwd=work, env=variables, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{text}\n{done.stderr}"
        else:
            assert (step.keyword, step.text) == ("WORKDIR", "/src")
    return prefix


def copy(*names: str, work: Path) -> None:
    """``COPY``, without what .dockerignore keeps out."""
    *sources, target = names
    for source in map(Path, sources):
        if (REPOSITORY / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / source, work / target, ignore=ignored)
        else:
            (work / target).mkdir(exist_ok=True)
            shutil.copy(REPOSITORY / source, work / target)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installation that the image holds."""
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def registry(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with fish@champion."""
    folder = tmp_path_factory.mktemp("registered")
    shutil.copytree(trained / "runs", folder / "runs", symlinks=True)
    run, registry = only_run(folder), folder / "registry"
    words = ["--registry", str(registry)]
    assert main(["export", str(run)]) == 0
    assert main(["registry", "add", str(run), "--name", "fish", *words]) == 0
    assert main(["registry", "promote", "fish@1", *words]) == 0
    return registry


def contents(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_it_answers_without_torch_and_writes_nothing(
    image: Path,
    registry: Path,
    photos: Path,
    here: Path,
    tmp_path: Path,
    osprey: Callable[..., Result],
) -> None:
    photo, model = photos / "red" / "red_00.png", ["--model", "fish@champion"]
    model += ["--registry", str(registry)]
    (home := tmp_path / "home").mkdir()
    before = contents(image) | contents(here) | contents(registry)

    def classify(*words: str | Path) -> subprocess.CompletedProcess[str]:
        variables = clean(home, image / "bin", PYTHONDONTWRITEBYTECODE="1")
        command = [image / "bin/classify", *words, *model]
        return subprocess.run(command, cwd=here, env=variables, capture_output=True, text=True)

    one = classify("--image", photo)
    assert (one.returncode, one.stdout, one.stderr) == (0, "['red']\n", "")
    many = classify("--folder", photos, "--output", "-", "--format", "jsonl")
    ours = osprey("classify", "--folder", photos, "--output", "-", "--format", "jsonl", *model)
    assert many.returncode == 0 and many.stdout == ours.out != ""
    assert contents(image) | contents(here) | contents(registry) == before
    assert contents(home) == {}


def test_it_holds_what_the_service_imports_and_no_tools(image: Path) -> None:
    (site,) = image.glob("lib/python3.*/site-packages")
    held = {path.name.partition("-")[0].lower() for path in site.glob("*.dist-info")}
    assert {"osprey_vision", "onnxruntime", "fastapi", "uvicorn", "httptools"} <= held
    assert not held & {"torch", "hydra_core", "pandas", "scipy", "onnx", "pip", "setuptools", "uv"}
    code = "import fastapi, httptools, prometheus_client, python_multipart, uvicorn"
    variables = clean(image, image / "bin", PYTHONDONTWRITEBYTECODE="1")
    subprocess.run([image / "bin/python", "-c", code], env=variables, check=True)
    missing = subprocess.run(
        [image / "bin/python", "-c", "import torch"], env=variables, stderr=subprocess.DEVNULL
    )
    assert missing.returncode == 1
    compiled = {path.name.partition(".")[0] for path in site.glob("osprey/inference/__pycache__/*")}
    assert compiled == {path.stem for path in site.glob("osprey/inference/*.py")}


def test_it_serves_says_that_it_is_well_and_ends_when_told(
    image: Path, registry: Path, photos: Path, here: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    said = {found.keyword: found.text for found in read("Dockerfile")}
    words = words_of(said["ENTRYPOINT"]) + words_of(said["CMD"])
    places = {"8080": port, "/registry": str(registry), "0.0.0.0": "127.0.0.1"}
    words = [places.get(word, word) for word in words]
    variables = clean(here, image / "bin", PYTHONDONTWRITEBYTECODE="1")
    compose = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]["osprey"]
    ready = compose["healthcheck"]["test"][1:]
    alive = words_of(said["HEALTHCHECK"].partition("CMD ")[2])

    def check(command: list[str]) -> int:
        program, *rest = (word.replace("8080", port) for word in command)
        done = subprocess.run([image / "bin" / program, *rest], capture_output=True)
        return done.returncode

    service = subprocess.Popen([image / "bin" / words[0], *words[1:]], cwd=here, env=variables)
    try:
        for _ in range(300):
            if check(ready) == 0 or service.poll() is not None:
                break
            time.sleep(0.1)
        assert (check(ready), check(alive)) == (0, 0)
        address = f"http://127.0.0.1:{port}"
        assert b"red" in asked(f"{address}/classify", (photos / "red/red_00.png").read_bytes())
        metrics = asked(f"{address}/metrics")
        assert re.search(rb"^osprey_queue_photos\b", metrics, re.MULTILINE)  # the autoscaler's
        service.send_signal(signal.SIGTERM)
        assert service.wait(60) in (0, 128 + signal.SIGTERM)
    finally:
        service.kill()
        service.wait()


def asked(address: str, body: bytes | None = None) -> bytes:
    with urlopen(address, body, timeout=30) as answer:
        content: bytes = answer.read()
    return content
