"""Where a launcher put this process."""

from __future__ import annotations

import pytest

from osprey.system.launcher import Place, find_place


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, None),
        ({"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}, None),
        (
            {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"},
            Place("torchrun", 3, 4, 1, 2),
        ),
        (
            {
                **{"SLURM_PROCID": "2", "SLURM_NTASKS": "4", "SLURM_LOCALID": "0"},
                **{"SLURM_NTASKS_PER_NODE": "2(x2)", "SLURM_JOB_NAME": "osprey"},
            },
            Place("srun", 2, 4, 0, 2),
        ),
        (
            {"SLURM_PROCID": "1", "SLURM_NTASKS": "4", "SLURM_NNODES": "2", "SLURM_LOCALID": "1"},
            Place("srun", 1, 4, 1, 2),
        ),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "bash"}, None),
        (
            {
                **{"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"},
                **{"OMPI_COMM_WORLD_LOCAL_RANK": "1", "OMPI_COMM_WORLD_LOCAL_SIZE": "2"},
            },
            Place("mpirun", 1, 2, 1, 2),
        ),
        ({"RANK": "one", "WORLD_SIZE": "2"}, None),
    ],
)
def test_places(environment: dict[str, str], place: Place | None) -> None:
    assert find_place(environment) == place


def test_machines() -> None:
    assert Place("srun", 0, 8, 0, 4).nodes == 2
