"""Hand-made bundles that need no training: a detector, and one of two steps."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from osprey.imaging.preprocess import Preprocess
from osprey.inference.card import Card

SIDE = 32  # of the detector's input in pixels
# Corners in the input and scores: the left half, and a corner of the right; of dark photos nothing.
BOXES = [[0, 0, 16, 32], [20, 4, 30, 14]]
SCORES = [0.9, 0.6]
OPTIONS = {
    "score_threshold": 0.05,
    "candidates": 10,
    "levels": None,
    "nms_iou": 0.5,
    "max_detections": 10,
}


def write_detector(folder: Path) -> Path:
    """A detector's bundle that finds the same two boxes on every photo that is not dark."""
    folder.mkdir(parents=True)

    def constant(name: str, values: object, kind: int = TensorProto.FLOAT) -> onnx.TensorProto:
        array = np.array(values)
        return helper.make_tensor(name, kind, array.shape, array.ravel())

    nodes = [
        helper.make_node("Cast", ["photos"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["mean"], keepdims=1),
        helper.make_node("Reshape", ["mean", "shape"], ["column"]),
        helper.make_node("Sub", ["column", "dark"], ["over"]),
        helper.make_node("Clip", ["over", "zero", "one"], ["lit"]),
        helper.make_node("Mul", ["lit", "chances"], ["scores"]),
        helper.make_node("Mul", ["column", "zeros"], ["none"]),
        helper.make_node("Add", ["none", "corners"], ["boxes"]),
    ]
    constants = [
        constant("axes", [1, 2, 3], TensorProto.INT64),
        constant("shape", [-1, 1, 1], TensorProto.INT64),
        constant("dark", 30.0),
        constant("zero", 0.0),
        constant("one", 1.0),
        constant("chances", [[[score] for score in SCORES]]),
        constant("zeros", [[[0.0]]]),
        constant("corners", [[[float(v) for v in box] for box in BOXES]]),
    ]
    graph = helper.make_graph(
        nodes,
        "boxes",
        [helper.make_tensor_value_info("photos", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2, 1]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["n", 2, 4]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    (folder / "model.onnx").write_bytes(content)
    card = Card(
        task="detection",
        reader="osprey.tasks.detection.reader.BoxReader",
        classes=["fish"],
        preprocess=json.loads(json.dumps(Preprocess(SIDE).__dict__)),
        sha256=hashlib.sha256(content).hexdigest(),
        name="finder",
        model="two boxes",
        created="2026-01-01T00:00:00",
        options=OPTIONS,
    )
    (folder / "card.json").write_text(card.to_json())
    return folder


def join(classifier: Path, detector: Path, **steps: object) -> Path:
    """Lay a detector's bundle into a classifier's, which becomes one of two steps."""
    shutil.copytree(detector, classifier / "detector")
    content = (classifier / "detector" / "card.json").read_bytes()
    card = json.loads((classifier / "card.json").read_text())
    card["detector"] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "margin": 0.0,
        "full_image_fallback": False,
        "check": {},
        **steps,
    }
    (classifier / "card.json").write_text(json.dumps(card))
    return classifier
