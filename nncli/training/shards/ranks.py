"""Ranks: the processes of one training that mpirun has started, on any machines."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from nncli.core.arrays import Array, xp
from nncli.core.errors import MissingExtra, NncliError, UsageError
from nncli.core.text import show

SECONDS = 600.0
"""How long a rank waits for the others, before it takes them for hanging."""

LAUNCHERS = {
    "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK",
    "PMI_SIZE": "PMI_RANK",
    "PMIX_SIZE": "PMIX_RANK",
}
"""Where mpirun of OpenMPI, MPICH and others says how many ranks, and which one."""

TEXT = 16_384
"""Bytes of what a rank says of itself."""

SPINS = 200
"""How often a rank looks for a message before it sleeps between two looks."""


class RanksError(NncliError):
    """Ranks of a training do not answer."""


def launched() -> tuple[int, int]:
    """Return which rank this process is, and of how many, as mpirun has told it."""
    for size, rank in LAUNCHERS.items():
        count = os.environ.get(size, "")
        if count.isdecimal() and int(count) > 1:
            return int(os.environ.get(rank, "0") or 0), int(count)
    return 0, 1


class Ranks:
    """Moves arrays between ranks, each of which has a part of shards and parameters.

    What is received lies in the order of ranks, so that sums have the order of shards.
    Waiting looks for a while, then sleeps between looks: ranks may share a core.

    Args:
        seconds: How long to wait for the others; None for what the environment variable
            NNCLI_RANK_SECONDS says, or ten minutes.

    Attributes:
        rank: Which one this process is; 0 writes and draws.
        size: How many there are.
        lost: Whether the others can no longer be talked to.

    Raises:
        MissingExtra: There is no mpi4py.
        UsageError: There is no MPI, or mpi4py and mpirun belong to different ones.
    """

    def __init__(self, seconds: float | None = None) -> None:
        _, count = launched()
        self._mpi = _library(count)
        self._all = self._mpi.COMM_WORLD
        self.rank: int = self._all.Get_rank()
        self.size: int = self._all.Get_size()
        self.lost = False
        if self.size != count:
            library = self._mpi.Get_library_version().splitlines()[0]
            raise UsageError(
                f"mpirun: it has started {count} processes, but mpi4py sees "
                f"{self.size}, for it uses another MPI ({show(library)}). Use the "
                "mpirun of that one, for example of: pip install mpich"
            )
        given = os.environ.get("NNCLI_RANK_SECONDS", "")
        self._seconds = seconds or (float(given) if given.isdecimal() else SECONDS)

    def abort(self, code: int) -> None:
        """End all ranks at once."""
        self._all.Abort(code)

    def everyone(self, about: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Tell all ranks something, and return what each of them told."""
        data = json.dumps(about, default=str).encode()[:TEXT]
        mine = xp.zeros(TEXT, xp.uint8)
        mine[: len(data)] = memoryview(data)
        every = xp.empty((self.size, TEXT), xp.uint8)
        self._wait(self._all.Iallgather(mine, every))
        return [json.loads(row.tobytes().rstrip(b"\0") or b"{}") for row in every]

    def first_to_all(self, array: Array) -> None:
        """Overwrite an array by that of the first rank."""
        self._wait(self._all.Ibcast(array, 0))

    def all_to_all_rows(self, rows: Array, bounds: list[int]) -> None:
        """Fill every rank's rows: rank i has those from bounds[i] to bounds[i + 1]."""
        width = rows[:1].nbytes
        counts = [(b - a) * width for a, b in pairwise(bounds)]
        starts = [a * width for a in bounds[:-1]]
        flat = rows.reshape(-1).view(xp.uint8)
        mine = flat[starts[self.rank] : starts[self.rank] + counts[self.rank]].copy()
        byte = self._mpi.BYTE
        self._wait(self._all.Iallgatherv(mine, [flat, counts, starts, byte]))

    def rows_to_first(self, rows: Array, bounds: list[int]) -> None:
        """Fill the first rank's rows; see ``all_to_all_rows``."""
        width = rows[:1].nbytes
        counts = [(b - a) * width for a, b in pairwise(bounds)]
        starts = [a * width for a in bounds[:-1]]
        flat = rows.reshape(-1).view(xp.uint8)
        mine = flat[starts[self.rank] : starts[self.rank] + counts[self.rank]].copy()
        whole = [flat, counts, starts, self._mpi.BYTE] if self.rank == 0 else None
        self._wait(self._all.Igatherv(mine, whole, 0))

    def scatter_gradients(
        self, own: list[Array], received: Array, shards: list[int], parts: list[int]
    ) -> None:
        """Give each rank its part of the gradients of all shards.

        Args:
            own: (P,) the gradients of this rank's shards.
            received: (k, L) the part of this rank, of all shards in their order.
            shards: Where each rank's shards begin, and the last's end.
            parts: Likewise, the elements of each rank.
        """
        sizes = [b - a for a, b in pairwise(parts)]
        if len(own) == 1:
            sent = own[0]
        else:
            ends = pairwise(parts)
            sent = xp.concatenate([row[a:b] for a, b in ends for row in own])
        out = [size * len(own) for size in sizes]
        held = [b - a for a, b in pairwise(shards)]
        into = [sizes[self.rank] * count for count in held]
        kind = self._mpi.FLOAT if received.itemsize == 4 else self._mpi.DOUBLE
        self._wait(
            self._all.Ialltoallv(
                [sent, out, _starts(out), kind],
                [received, into, _starts(into), kind],
            )
        )

    def _wait(self, request: Any) -> None:
        """Wait until a message has arrived.

        Raises:
            RanksError: It takes too long.
        """
        for _ in range(SPINS):
            if request.Test():
                return
        # The first rank is the first to give up, and tells it for all.
        limit = time.monotonic() + self._seconds + 2 * self.rank
        pause = 2e-5
        while not request.Test():
            if time.monotonic() > limit:
                self.lost = True
                raise RanksError(
                    f"rank {self.rank}: another of the {self.size} ranks has not "
                    f"answered for {self._seconds:g} seconds, so all are ended. (The "
                    "environment variable NNCLI_RANK_SECONDS sets how long is too "
                    "long.)"
                )
            time.sleep(pause)
            pause = min(1.5 * pause, 1e-3)


def _starts(counts: list[int]) -> list[int]:
    return [0, *np.cumsum(counts)[:-1].tolist()]


def _library(count: int) -> Any:
    """Return mpi4py's MPI.

    Raises:
        MissingExtra: mpi4py is not there.
        UsageError: It finds no library of MPI.
    """
    what = f"mpirun with {count} processes"
    try:
        from mpi4py import MPI
    except ModuleNotFoundError:
        raise MissingExtra(what, "mpi4py", "mpi") from None
    except (ImportError, RuntimeError) as error:
        raise UsageError(
            f"{what}: mpi4py finds no library of MPI ({show(str(error))}). "
            "Install one: pip install mpich, or your system's OpenMPI or MPICH."
        ) from None
    return MPI
