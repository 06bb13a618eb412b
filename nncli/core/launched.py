"""Launched: what mpirun, or srun, has told a process of the ranks it has started."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass

OPEN_MPI = "OMPI_COMM_WORLD_RANK"
"""What only the mpirun of Open MPI sets."""

VARIABLES = (
    (OPEN_MPI, "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"),
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS", ""),
)
"""Rank, number of ranks, and how many of them this machine has.

Of Open MPI; of MPICH and what comes from it; of Slurm's srun with PMIx.
"""


@dataclass(frozen=True)
class Launched:
    """Which of several processes this one is.

    Attributes:
        rank: Its number, from 0.
        size: How many there are; 1 where nothing has started them together.
        local: How many of them run on this machine; 0 where that is not known.
        by_open_mpi: Whether the mpirun of Open MPI has started them.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    by_open_mpi: bool = False


def launched() -> Launched:
    """Return what the environment says."""
    for rank, size, local in VARIABLES:
        if _number(size) > 1 and os.environ.get(rank, "").isdecimal():
            return Launched(
                _number(rank), _number(size), _number(local), rank == OPEN_MPI
            )
    return Launched()


def end_all(code: int) -> None:
    """Let mpirun end all processes, where MPI has not begun in this one.

    That of MPICH takes the end of a process it has not heard of for a good one, and the
    others would wait for it for ever, in a call that no signal interrupts. So it hears
    of this one, in the words of its own protocol (PMI 1). Others do it by themselves.

    Args:
        code: What mpirun ends with.
    """
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is not None and mpi.Is_initialized() and mpi.COMM_WORLD.Get_size() > 1:
        return
    words = f"cmd=init pmi_version=1 pmi_subversion=1\ncmd=abort exitcode={code}\n"
    with contextlib.suppress(OSError):
        if _number("PMI_FD"):
            os.write(_number("PMI_FD"), words.encode())


def _number(name: str) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else 0
