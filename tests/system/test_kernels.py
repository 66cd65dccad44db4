"""Kernels give the same numbers again where that is asked for, and memory is not filled first."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import environment

SCRIPT = """
import sys
import torch
from osprey.config.schema import TrainerConfig
from osprey.tasks.evaluation import evaluation_trainer

evaluation_trainer(TrainerConfig(accelerator="cpu", deterministic=sys.argv[1] == "True"))
print(torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark)
print(not torch.empty(1000).isnan().all())
"""


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_trainer_of_osprey(deterministic: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(deterministic)],
        env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    expected = [str(deterministic), str(not deterministic), "True"]
    assert done.stdout.split() == expected, done.stderr
