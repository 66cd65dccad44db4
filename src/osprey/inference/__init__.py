"""Answers from a bundle, without PyTorch: NumPy, OpenCV, Pillow and ONNX Runtime alone."""

import os

# ONNX Runtime would otherwise name the machine in the home folder and phone home.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
