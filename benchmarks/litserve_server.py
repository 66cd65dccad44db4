"""The same bundle behind LitServe, run by serve.py with the Python of LitServe's environment.

    PYTHONPATH=src PYTHON benchmarks/litserve_server.py BUNDLE PORT BATCH WORKERS

A photo comes as base64 in JSON, LitServe's own way; decoding, network and answer are Osprey's.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import litserve  # type: ignore[import-not-found]

from osprey.inference.predictor import Predictor, Prepared
from osprey.inference.reader import Answer


class Api(litserve.LitAPI):  # type: ignore[misc]
    def setup(self, device: str) -> None:
        self.predictor = Predictor(Path(sys.argv[1]))

    def decode_request(self, request: dict[str, str]) -> Prepared:
        return self.predictor.prepare(("photo", base64.b64decode(request["image"])))

    def batch(self, inputs: list[Prepared]) -> list[Prepared]:
        return inputs

    def predict(self, x: list[Prepared]) -> list[Answer]:
        return self.predictor.answers(x)

    def unbatch(self, output: list[Answer]) -> list[Answer]:
        return output

    def encode_response(self, output: Answer) -> dict[str, Any]:
        return output.record(self.predictor.classes)


if __name__ == "__main__":
    api = Api(max_batch_size=int(sys.argv[3]), batch_timeout=0.003, api_path="/classify")
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=int(sys.argv[4]), timeout=60
    )
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="error"
    )
