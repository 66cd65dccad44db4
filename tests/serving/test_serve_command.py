"""What the command itself refuses, before it serves anybody."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from conftest import Result, environment, run_process
from serving_help import write_bundle


def test_what_the_command_refuses(tmp_path: Path) -> None:
    write_bundle(tmp_path / "good")
    damaged = write_bundle(tmp_path / "damaged")
    (damaged / "model.onnx").write_bytes(b"another")
    (tmp_path / "empty.txt").write_text("# no key\n\n")
    (tmp_path / "diary.txt").write_text("dear diary\n")
    for words, message in (
        (["--model", "nothing"], "there is no bundle 'nothing' in the registry 'registry'"),
        (["--model", "good", "--model", "good"],
         "--model: two bundles are called 'colours': serve them one by one"),
        (["--model", "good", "--port", "99999"],
         "argument --port: '99999' is not a whole number from 0 to 65535; 'osprey serve --help' "
         "tells what there is"),
        (["--model", "good", "--host", "no.such.host.invalid"],
         "--host: 'no.such.host.invalid' is no address of this machine"),
        (["--model", "good", "--api-key-file", "empty.txt"],
         "--api-key-file: 'empty.txt' holds no key: write one a line"),
        (["--model", "good", "--api-key-file", "nowhere"],
         "--api-key-file: 'nowhere' cannot be read (No such file or directory)"),
        (["--model", "good", "--log", "diary.txt"],
         "--log: 'diary.txt' is there and is no log of answers: name another"),
        (["--model", "good", "--log", "no/where.jsonl"], "--log: there is no folder 'no'"),
    ):  # fmt: skip
        result = run_process(["serve", *words], tmp_path)
        assert (result.code, result.err) == (2, f"osprey serve: {message}\n"), result.out
    assert (tmp_path / "diary.txt").read_text() == "dear diary\n"
    result = run_process(["serve", "--port", "0", "--model", "damaged"], tmp_path)
    assert result.code == 2 and "is not the one that its card was written for" in result.err
    assert result.err.count("\n") == 1


def test_what_is_not_installed(
    osprey: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("osprey.commands.serve._NEEDED", ("no_such_package",))
    assert osprey("serve").err == (
        "osprey serve: serving needs more packages: pip install 'osprey-vision[serve]'\n"
    )


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    write_bundle(tmp_path / "good")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run_process(["serve", "--model", "good", "--port", str(port)], tmp_path)
    assert (result.code, result.err) == (
        2,
        f"osprey serve: --port: {port} on 127.0.0.1 cannot be listened on (Address already in "
        "use): name another\n",
    )


def test_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, osprey.commands.serve, osprey.serving.server; "
        "from osprey.inference.predictor import Predictor; "
        "heavy = {'torch', 'hydra', 'omegaconf', 'pandas', 'timm', 'sklearn'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True)
    assert done.returncode == 0, done.stderr
