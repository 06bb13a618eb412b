"""Ranks: the processes of one training that mpirun has started, on any machines."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from nncli.core.arrays import Array, xp
from nncli.core.errors import UsageError
from nncli.core.launched import Launched
from nncli.core.text import show
from nncli.training.shards.group import WorkerLostError
from nncli.training.shards.library import open_library, unname_segments

SECONDS = 600.0
"""How long a rank waits for the others, before it takes them for hanging."""

PATIENCE = "NNCLI_RANK_SECONDS"
"""The environment variable that sets it."""

SPINS = 200
"""How often a rank looks for a message before it sleeps between two looks."""


class RanksError(WorkerLostError):
    """Ranks of a training do not answer."""


class Ranks:
    """Moves arrays between ranks, each of which has a part of shards and parameters.

    What is received lies in the order of ranks, so that sums have the order of shards.
    Waiting looks for a while, then sleeps between looks: ranks may share a core.

    Args:
        here: What mpirun has said.

    Attributes:
        rank: Which one this process is; 0 writes and draws.
        size: How many there are.
        settled: Whether all ranks can end now: none of them waits for another one, or
            they have said to each other that they end.

    Raises:
        UsageError: NNCLI_RANK_SECONDS is no number of seconds.
        NncliError: MPI cannot be used; see ``open_library``.
    """

    def __init__(self, here: Launched) -> None:
        self._seconds = _patience()
        self._mpi = open_library(here)
        self._all = self._mpi.COMM_WORLD
        self.rank: int = self._all.Get_rank()
        self.size: int = self._all.Get_size()
        self.settled = False
        self._wait(self._all.Ibarrier())
        unname_segments()

    def abort(self, code: int) -> None:
        """End all ranks at once."""
        self._all.Abort(code)

    def everyone(self, about: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Tell all ranks something, and return what each of them told."""
        data = json.dumps(about, default=str).encode()
        lengths = xp.zeros(self.size, xp.int64)
        lengths[self.rank] = len(data)
        ends = list(range(self.size + 1))
        self.all_to_all_rows(lengths, ends)
        bounds = [0, *np.cumsum(lengths).tolist()]
        every = xp.empty(bounds[-1], xp.uint8)
        every[bounds[self.rank] : bounds[self.rank + 1]] = memoryview(data)
        self.all_to_all_rows(every, bounds)
        return [json.loads(every[a:b].tobytes()) for a, b in pairwise(bounds)]

    def first_to_all(self, array: Array) -> None:
        """Overwrite an array by that of the first rank."""
        self._wait(self._all.Ibcast(array, 0))

    def all_to_all_rows(self, rows: Array, bounds: list[int]) -> None:
        """Fill every rank's rows: rank i has those from bounds[i] to bounds[i + 1]."""
        whole = self._message(rows, bounds)
        self._wait(self._all.Iallgatherv(self._mpi.IN_PLACE, whole))

    def rows_to_first(self, rows: Array, bounds: list[int]) -> None:
        """Fill the first rank's rows; see ``all_to_all_rows``."""
        if self.rank:
            mine = rows[bounds[self.rank] : bounds[self.rank + 1]]
            self._wait(self._all.Igatherv(mine.reshape(-1).view(xp.uint8), None, 0))
        else:
            whole = self._message(rows, bounds)
            self._wait(self._all.Igatherv(self._mpi.IN_PLACE, whole, 0))

    def _message(self, rows: Array, bounds: list[int]) -> list[Any]:
        """Return rows as mpi4py takes them: bytes, each rank's number, and place."""
        width = rows[:1].nbytes
        counts = [(b - a) * width for a, b in pairwise(bounds)]
        starts = [a * width for a in bounds[:-1]]
        return [rows.reshape(-1).view(xp.uint8), counts, starts, self._mpi.BYTE]

    def scatter_gradients(
        self,
        own: list[Array],
        received: Array,
        shards: list[int],
        parts: list[int],
        sent: Array,
    ) -> None:
        """Give each rank its part of the gradients of all shards.

        Args:
            own: (P,) the gradients of this rank's shards.
            received: (k, L) the part of this rank, of all shards in their order.
            shards: Where each rank's shards begin, and the last's end.
            parts: Likewise, the elements of each rank.
            sent: Room for all of ``own``; its content is lost.
        """
        sizes = [b - a for a, b in pairwise(parts)]
        if len(own) == 1:
            sent = own[0]
        else:
            xp.concatenate(
                [row[a:b] for a, b in pairwise(parts) for row in own], out=sent
            )
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
        limit = time.monotonic() + self._seconds
        pause = 2e-5
        while not request.Test():
            if time.monotonic() > limit:
                self.settled = False
                raise RanksError(
                    f"mpirun: another of the {self.size} ranks has not answered for "
                    f"{self._seconds:g} seconds, so all are ended. (The environment "
                    f"variable {PATIENCE} sets how long is too long.)"
                )
            time.sleep(pause)
            pause = min(1.5 * pause, 1e-3)


def _patience() -> float:
    """Return how many seconds to wait for others.

    Raises:
        UsageError: The environment variable holds something else.
    """
    given = os.environ.get(PATIENCE)
    if given is None:
        return SECONDS
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(
            f"{PATIENCE}: expected how many seconds ranks wait for each other, got "
            f"{show(given)}. Leave it out for {SECONDS:g}."
        )
    return seconds


def _starts(counts: list[int]) -> list[int]:
    return [0, *np.cumsum(counts)[:-1].tolist()]
