"""SharedEvaluator: an evaluation whose batches are run forward by several workers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.tape import no_grad
from nncli.core.arrays import Array, xp
from nncli.core.errors import DivergedError
from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part
from nncli.network.trial import trial
from nncli.training.evaluate import Evaluator, Scored
from nncli.training.shards.orders import Command, Order
from nncli.training.shards.shared import Shared
from nncli.training.shards.team import Team


class SharedEvaluator(Evaluator):
    """Scores a part as Evaluator does, to the bit; its batches are run side by side.

    In each round worker i runs batch i of the round, and leaves predictions, targets
    and loss in a room of shared memory; the first worker scores all rooms in the order
    of the rows while the others run the next round.

    Args:
        experiment: Network, loss and metrics.
        part: What to score.
        team: The workers.
        number: What commands call the part.
    """

    def __init__(
        self, experiment: Experiment, part: Part, team: Team, number: int
    ) -> None:
        super().__init__(experiment, part)
        self.team = team
        self.number = number
        self._alone = team.workers == 1 or len(self.batches) == 1
        if not self._alone:
            self._rooms = self._make_rooms(part)

    def _make_rooms(self, part: Part) -> Shared:
        network, workers = self.network, self.team.workers
        with trial(network, training=False), no_grad():
            outputs = network(network.zeros(1))
            predictions = self.loss.predictions(outputs).data
        targets, rows = part.room(1).targets.data, self.batches.size
        each = (workers, rows)
        return Shared(
            {
                "predictions": ((*each, *predictions.shape[1:]), predictions.dtype),
                "targets": ((*each, *targets.shape[1:]), targets.dtype),
                "lengths": (each, np.int64),
                # Rows, loss, amount, whether there are lengths; 0 rows for a fault.
                "facts": ((workers, 4), np.float64),
            }
        )

    def _scored(self) -> Iterator[Scored]:
        if self._alone:
            yield from super()._scored()
            return
        fault: int | None = None
        self.team.order(Command(Order.EVALUATE, part=self.number))
        for first in self._rounds():
            self._fill(first)
            if fault is not None:
                continue
            for room in range(min(self.team.workers, len(self.batches) - first)):
                if not self._rooms["facts"][room, 0]:
                    fault = first + room
                    break
                yield self._in_room(room)
        self.team.over()
        if fault is not None:
            # Here again, to say where.
            self.scored(self.batches.at(fault))

    def follow(self) -> None:
        """Do one of the other workers' share of an evaluation."""
        with xp.errstate(all="ignore"):
            for first in self._rounds():
                self._fill(first)
        self.team.evaluated()

    def _rounds(self) -> range:
        return range(0, len(self.batches), self.team.workers)

    def _fill(self, first: int) -> None:
        """Run the own batch of a round, and leave what is known of it."""
        scored, number = None, first + self.team.number
        if number < len(self.batches):
            try:
                scored = self.scored(self.batches.at(number))
            except DivergedError:
                scored = None
        # Only when the first worker has read what lies in the rooms.
        self.team.rooms_free()
        self._leave(scored)
        self.team.rooms_there(self._rooms)

    def _leave(self, scored: Scored | None) -> None:
        mine, facts = self.team.number, self._rooms["facts"]
        if scored is None:
            facts[mine] = 0
            return
        rows = len(scored.predictions)
        self._rooms["predictions"][mine, :rows] = scored.predictions
        self._rooms["targets"][mine, :rows] = scored.targets
        if scored.lengths is not None:
            self._rooms["lengths"][mine, :rows] = scored.lengths
        facts[mine] = rows, scored.loss, scored.amount, scored.lengths is not None

    def _in_room(self, room: int) -> Scored:
        rows, loss, amount, lengths = self._rooms["facts"][room].tolist()

        def of(name: str) -> Array:
            return self._rooms[name][room, : int(rows)]

        return Scored(
            of("predictions"),
            of("targets"),
            of("lengths") if lengths else None,
            loss,
            amount,
        )
