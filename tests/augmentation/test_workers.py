"""Photos shared out to processes."""

from __future__ import annotations

import subprocess
import sys

from conftest import environment

FORKED = """
import cv2, numpy
cv2.setNumThreads(2)
cv2.GaussianBlur(numpy.zeros((2000, 2000, 3), numpy.uint8), (31, 31), 5)  # OpenCV's threads start
from osprey.augmentation.offline.workers import shared_out
print(list(shared_out(abs, [-1, 2, -3], 2)))
"""


def test_threads_of_opencv_hold_no_process_up() -> None:
    """They had: a forked process ended threads that only its parent has, and waited for ever."""
    command = [sys.executable, "-c", FORKED]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=300)
    assert (done.stdout, done.returncode) == ("[1, 2, 3]\n", 0), done.stderr
