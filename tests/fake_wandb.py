"""A stand-in for W&B's server: it answers as one, or hangs, fails, or does so after a while."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "0123456789abcdef" * 2 + "01234567"


@dataclass
class Server:
    """What it does, and what it was asked.

    Attributes:
        port: Of 127.0.0.1.
        mode: ``works``, ``hangs``, ``fails`` (500) or ``denies`` (401); changed at any time.
        then: The mode from the moment that a run was begun.
        requests: Paths asked for, with the GraphQL operation where there is one.
        runs: Ids of the runs that were begun, by their group.
        artifacts: Names of those that arrived.
        sent: Bodies of the histories that arrived.
    """

    port: int = 0
    mode: str = "works"
    then: str | None = None
    requests: list[str] = field(default_factory=list)
    runs: dict[str, str | None] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead W&B here, with a key."""
        return {
            "WANDB_BASE_URL": f"http://127.0.0.1:{self.port}",
            "WANDB_API_KEY": KEY,
            "NO_PROXY": "127.0.0.1",
        }

    def answer(self, path: str, body: str) -> dict[str, Any] | None:
        """The content of an answer; None for an error."""
        if path != "/graphql":
            self.requests.append(path)
            if path.endswith("/file_stream"):
                self.sent.append(body)
            return {}
        asked = json.loads(body)
        operation = asked.get("operationName") or re.findall(r"\w+", asked["query"])[1]
        self.requests.append(f"{path} {operation}")
        return self._data(operation, asked.get("variables") or {})

    def _data(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        project = {"id": "p", "name": given.get("project"), "entity": {"id": "e", "name": "me"}}
        if operation == "RunResumeStatus":
            return {"data": {"model": {**project, "bucket": None}}}
        if operation == "UpsertBucket":
            if given.get("groupName") or given["name"] not in self.runs:
                self.runs[given["name"]] = given.get("groupName")
            bucket = {
                "id": "b",
                "name": given["name"],
                "displayName": given["name"],
                "config": "{}",
                "historyLineCount": 0,
                "project": project,
            }
            return {"data": {"upsertBucket": {"bucket": bucket, "inserted": True}}}
        if operation == "CreateRunFiles":
            base = f"http://127.0.0.1:{self.port}/put"
            files = [{"name": name, "uploadUrl": f"{base}/{name}"} for name in given["files"]]
            made = {"runID": "b", "uploadHeaders": [], "files": files}
            return {"data": {"createRunFiles": made}}
        if operation == "Viewer":
            viewer = {"id": "u", "entity": "me", "username": "me", "flags": "{}"}
            return {"data": {"viewer": viewer}}
        if operation == "CreateArtifact":
            self.artifacts.append(given["input"]["artifactCollectionName"])
            artifact = {"id": "a", "state": "COMMITTED", "artifactSequence": {}}
            return {"data": {"createArtifact": {"artifact": artifact}}}
        if operation == "ArtifactByID":
            return {"data": {"artifact": _artifact(self.artifacts[-1])}}
        return {"errors": [{"message": f"no {operation} here"}]}


def _artifact(name: str) -> dict[str, Any]:
    """What the server knows of one that has arrived."""
    return {
        "__typename": "Artifact",
        "id": "a",
        "artifactSequence": {"__typename": "ArtifactSequence", "name": name, "project": None},
        "versionIndex": 0,
        "artifactType": {"name": "model"},
        "description": None,
        "metadata": "{}",
        "ttlDurationSeconds": 0,
        "ttlIsInherited": True,
        "tags": [],
        "historyStep": None,
        "state": "COMMITTED",
        "size": 1,
        "digest": "d",
        "commitHash": None,
        "fileCount": 1,
        "createdAt": "2026-01-01T00:00:00",
        "updatedAt": None,
    }


@contextmanager
def serving(mode: str = "works", then: str | None = None) -> Iterator[Server]:
    """A server on loopback for the block.

    Args:
        mode: What it does at first.
        then: What it does once a run was begun.
    """
    state = Server(mode=mode, then=then)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            content = state.answer(self.path, body.decode("utf-8", "replace"))
            if state.mode == "hangs":
                state.closing.wait()
                return
            text = json.dumps(content).encode()
            code = {"fails": 500, "denies": 401 if self.path == "/graphql" else 200}
            self.send_response(code.get(state.mode, 200))
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            if state.then is not None and state.requests[-1].endswith(" UpsertBucket"):
                state.mode = state.then

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Clients hang up as they like."""

    server = Quiet(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
