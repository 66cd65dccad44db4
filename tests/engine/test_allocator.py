"""Freed memory stays with the process, where that can be had and was not decided already."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
from conftest import environment

SCRIPT = """
import numpy as np
from osprey.system.allocator import keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

print(keep_freed_memory())
before = resident()
block = np.ones(200_000_000, np.uint8)
del block
print(resident() - before > 190_000_000)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator only")
@pytest.mark.parametrize(("more", "kept"), [({}, "True"), ({"MALLOC_ARENA_MAX": "2"}, "False")])
def test_a_block_stays(more: dict[str, str], kept: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment(**more), capture_output=True, text=True
    )
    assert done.stdout.split() == [kept, kept], done.stderr
