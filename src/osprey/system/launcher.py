"""Whether this process was started by a launcher, such as torchrun or srun, and which it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

# What each launcher tells a process: its rank, how many there are, its rank on its machine, how
# many there are on its machine. torchrun's come first: it may itself be started by srun.
_LAUNCHERS = {
    "torchrun": ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    "srun": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"),
    "mpirun": (
        *("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        *("OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ),
}


@dataclass(frozen=True)
class Place:
    """A process among those of a run.

    Attributes:
        launcher: ``torchrun``, ``srun`` or ``mpirun``.
        rank: Which process, over all machines.
        world_size: How many, over all machines.
        local_rank: Which process, on this machine.
        local_size: How many on this machine.
    """

    launcher: str
    rank: int
    world_size: int
    local_rank: int
    local_size: int

    @property
    def nodes(self) -> int:
        """How many machines."""
        return max(1, self.world_size // self.local_size)


def find_place(environment: Mapping[str, str] = os.environ) -> Place | None:
    """Where a launcher put this process; None where none did, or it started only this one.

    Args:
        environment: The process's environment variables.
    """
    for launcher, names in _LAUNCHERS.items():
        if launcher == "srun" and environment.get("SLURM_JOB_NAME") in ("bash", "interactive"):
            continue  # a shell within an allocation: srun started the shell, not us
        values = [_number(environment.get(name)) for name in names]
        rank, world, local_rank, local_size = values
        if rank is None or world is None or world < 2:
            continue
        size = local_size or world // max(1, _number(environment.get("SLURM_NNODES")) or 1)
        return Place(launcher, rank, world, local_rank or 0, size)
    return None


def is_first() -> bool:
    """Whether this process speaks for all of them: no launcher, or rank 0."""
    place = find_place()
    return place is None or place.rank == 0


def _number(text: str | None) -> int | None:
    # srun writes "2(x3)" where each of three machines has two
    digits = (text or "").partition("(")[0]
    return int(digits) if digits.isdigit() else None
