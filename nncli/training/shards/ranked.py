"""RankedTeam: a team whose workers are those of several ranks of MPI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nncli.core.arrays import Array, Shape, xp
from nncli.experiment.experiment import Experiment
from nncli.training.shards.orders import Command, Order
from nncli.training.shards.ranks import Ranks
from nncli.training.shards.shared import Shared
from nncli.training.shards.team import Team, homes


class RankedTeam(Team):
    """Lets each rank's workers share memory, and the ranks' first workers messages.

    A step: parts of gradients go from each rank to the one that adds them up; squares
    and objectives to all; and the parameters, when each rank has moved its part, to all
    again. What an optimizer remembers stays where it is, until it is collected for a
    checkpoint.

    Args:
        experiment: What is trained.
        shards: Into how many shards each batch is cut.
        workers: How many processes each rank has.
        ranks: The ranks.
    """

    def __init__(
        self, experiment: Experiment, shards: int, workers: int, ranks: Ranks
    ) -> None:
        self.ranks = ranks
        self._each = workers
        self._kept: Array | None = None
        super().__init__(experiment, shards, workers)

    @property
    def workers(self) -> int:
        return self.ranks.size * self._each

    @property
    def number(self) -> int:
        return self.ranks.rank * self._each + self.group.index

    @property
    def _speaks(self) -> bool:
        """Whether this process is the one that talks to the other ranks."""
        return self.group.index == 0

    def _bounds(self, of: Callable[[int, int], slice]) -> list[int]:
        """Return where something of each rank begins, and of the last ends."""
        each = self._each
        parts = [of(r * each, (r + 1) * each) for r in range(self.ranks.size)]
        return [part.start for part in parts] + [parts[-1].stop]

    def _rows(self) -> dict[str, tuple[Shape, Any]]:
        """Return what is shared beside: gradients of the rank, and parts of all."""
        values = self.experiment.network.flat.values
        own = self._own_shards()
        rank = self.ranks.rank * self._each
        part = self._part(rank, rank + self._each)
        rows: dict[str, tuple[Shape, Any]] = {
            f"grads.{i}": (values.shape, values.dtype) for i in own[1:]
        }
        shape = (self.shards, part.stop - part.start)
        return rows | {"received": (shape, values.dtype)}

    def _own_shards(self) -> range:
        first = self.ranks.rank * self._each
        cut = self._shards(first, first + self._each)
        return range(cut.start, cut.stop)

    def _keep(self, shared: Shared) -> None:
        own = self._own_shards()
        grads = [self.experiment.network.flat.grads]
        grads += [shared[f"grads.{i}"] for i in own[1:]]
        self._own = dict(zip(own, grads, strict=False))
        self._received = shared["received"]
        size, dtype = grads[0].size, grads[0].dtype
        several = len(own) > 1 and self._speaks
        self._sent = xp.empty(len(own) * size if several else 0, dtype)
        self._elements = self._bounds(self._part)
        self._shard_bounds = self._bounds(self._shards)
        self._block_bounds = self._bounds(self._blocks)

    def gradient_of(self, shard: int) -> Array:
        return self._own[shard]

    def gradients_of(self, part: slice) -> list[Array]:
        first = self._elements[self.ranks.rank]
        own = slice(part.start - first, part.stop - first)
        return [row[own] for row in self._received]

    def order(self, command: Command) -> None:
        """Tell the other ranks what to do, then the workers of this one."""
        self.ranks.settled = False
        command.write(self._command)
        self.ranks.first_to_all(self._command)
        self._begin(command)
        for other in self.group.others:
            self.group.tell(other)

    def over(self) -> None:
        self.ranks.settled = True

    def next_command(self) -> Command:
        """Wait for the next command; as a rank's first worker, hand it on."""
        if not self._speaks:
            return super().next_command()
        self.ranks.first_to_all(self._command)
        command = Command.read(self._command)
        self.ranks.settled = command.order is Order.END
        self._begin(command)
        for other in self.group.others:
            self.group.tell(other)
        return command

    def _begin(self, command: Command) -> None:
        """Take the parameters that the first rank has changed for itself."""
        values = self.experiment.network.flat.values
        order = command.order
        if order is Order.EVALUATE and self.experiment.average is not None:
            self._kept = values.copy()
            self.ranks.first_to_all(values)
        elif order in (Order.DIFFERENTIATE, Order.AGAIN):
            self.ranks.first_to_all(values)

    def _exchange(self, send: Callable[[], None]) -> None:
        """Let the workers meet, the ranks talk, and the workers see what came."""
        self.group.meet()
        if self._speaks:
            send()
        self.group.meet()

    def gradients_there(self) -> None:
        self._exchange(self._send_gradients)

    def _send_gradients(self) -> None:
        self.ranks.all_to_all_rows(self.facts, self._shard_bounds)
        own = list(self._own.values())
        self.ranks.scatter_gradients(
            own, self._received, self._shard_bounds, self._elements, self._sent
        )

    def squares_there(self) -> None:
        self._exchange(
            lambda: self.ranks.all_to_all_rows(self.squares, self._block_bounds)
        )

    def faults_there(self) -> None:
        self._exchange(
            lambda: self.ranks.rows_to_first(self.faults, self._shard_bounds)
        )

    def rooms_free(self) -> None:
        """Wait for the own workers; a message leaves when it can be received."""
        self.group.meet()

    def rooms_there(self, rooms: Shared) -> None:
        each = self._each
        bounds = list(range(0, self.workers + 1, each))

        def send() -> None:
            for array in rooms.arrays.values():
                self.ranks.rows_to_first(array, bounds)

        self._exchange(send)

    def sum_there(self) -> None:
        if self._speaks:
            grads = self.experiment.network.flat.grads
            self.ranks.rows_to_first(grads, self._elements)

    def values_there(self) -> None:
        self._done()
        if not self._speaks:
            return
        values = self.experiment.network.flat.values
        if self.experiment.optimizer.elementwise:
            self.ranks.all_to_all_rows(values, self._elements)
        else:
            self.ranks.first_to_all(values)

    def collect(self) -> None:
        if self.leads:
            self.order(Command(Order.COLLECT))
        if self._speaks:
            arrays = homes(self.experiment)
            for name in sorted(arrays.keys() - {"values", "grads"}):
                self.ranks.rows_to_first(arrays[name], self._elements)
        self._done()
        if self.leads:
            self.over()

    def evaluated(self) -> None:
        if self._speaks and self._kept is not None:
            self.experiment.network.flat.values[:] = self._kept
            self._kept = None

    def start(self, follow: Callable[[], None]) -> None:
        super().start(follow)
        if self.leads:
            # The others do nothing without a command.
            self.over()

    def close(self) -> None:
        """End the workers of this rank and, as the first one, the other ranks."""
        if self.leads and self.ranks.settled:
            self.order(Command(Order.END))
            self.over()
        super().close()
