"""How many cores a process counts on: no more than its container may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from osprey.system import memory

QUOTA, PERIOD = "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/", {"cpu.max": "200000 100000"}, 2),
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "50000 100000"}, 1),
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "6400000 100000"}, 8),
        ("0::/", {}, 8),
        ("0::/pod/app", {"pod/cpu.max": "300000 100000", "pod/app/cpu.max": "max 100000"}, 3),
        ("0::/of/the/host", {"cpu.max": "400000 100000"}, 4),
        (
            "3:cpu,cpuacct:/",
            {QUOTA: "250000", PERIOD: "100000"},
            3,
        ),
        ("3:cpu,cpuacct:/", {QUOTA: "-1", PERIOD: "100000"}, 8),
        ("4:memory:/", {"cpu.max": "100000 100000"}, 8),
    ],
)
def test_a_container_s_share_counts(
    membership: str,
    files: dict[str, str],
    cores: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, content in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(f"{content}\n")
    (tmp_path / "membership").write_text(f"{membership}\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "groups")
    monkeypatch.setattr(memory, "_MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert memory.cores() == cores


def test_a_machine_without_control_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_MEMBERSHIP", tmp_path / "none")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert memory.cores() == 3
