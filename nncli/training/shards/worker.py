"""Worker: what one process of a sharded training does at each command."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nncli.core.arrays import quiet_context, xp
from nncli.core.errors import DivergedError
from nncli.data.batches import Batch, Batches
from nncli.experiment.experiment import Experiment
from nncli.training.gradient import Gradient, square_of
from nncli.training.shards.noise import ShardNoise
from nncli.training.shards.orders import Command, Order
from nncli.training.shards.shared import write_text
from nncli.training.shards.team import BLOCK, Team, divide


class Worker:
    """Differentiates its shards of each batch, and moves its part of the parameters.

    A step: each worker computes the gradients of its shards, and all meet; each adds up
    its part of the parameters over all shards, in their order, and the squares of the
    sums, and all meet; each moves its part. What all read in between lies in shared
    memory: one row of gradients a shard, its objective and amount, the squares.

    Args:
        experiment: What is trained; a copy of its own in each process.
        team: The workers, and what they share.
    """

    def __init__(self, experiment: Experiment, team: Team) -> None:
        self.experiment = experiment
        self.team = team
        self.flat = experiment.network.flat
        self.optimizer = experiment.optimizer
        training = experiment.config.training
        self.clip_norm, self.clip_value = training.clip_norm, training.clip_value
        self.accumulate = training.accumulate
        self.mean = experiment.loss.reduction == "mean"
        self.shards = team.shards_of_worker()
        # A sum has its penalties once; a mean of means has them once in each.
        self.gradients = [
            Gradient(
                experiment.network,
                experiment.loss,
                team.gradient_of(shard),
                penalties=self.mean or shard == 0,
            )
            for shard in self.shards
        ]
        self.batches: list[Batches] = [
            experiment.batches((shard, team.shards)) for shard in self.shards
        ]
        self.noise = ShardNoise(experiment.network, experiment.config.seed)
        self._place = (-1, -1)
        self._coming: list[Iterator[Batch]] = []
        self._batches: list[Batch] = []
        self._key = 0
        self._faults: dict[int, str] = {}
        self._quiet = quiet_context()
        self.square = 0.0
        self._divide()

    def _divide(self) -> None:
        """Find the worker's part of the parameters, and the blocks in it."""
        self.part = part = self.team.part_of_worker()
        self._work = xp.empty(BLOCK, self.flat.values.dtype)
        self._blocks = []
        for begin in range(part.start, part.stop, BLOCK):
            block = slice(begin, min(begin + BLOCK, part.stop))
            rows = self.team.gradients_of(block)
            self._blocks.append((begin // BLOCK, self.flat.grads[block], rows))
        divide(self.experiment, part)

    def obey(self, command: Command) -> float:
        """Do what is to be done; return the objective, or nan where it diverged."""
        return self._quiet.run(self._obey, command)

    def _obey(self, command: Command) -> float:
        order = command.order
        if order is Order.EXAMINE:
            self._examine(command.number)
            return math.nan
        if order is not Order.AGAIN:
            self._fetch(command)
        objectives = self._compute()
        if order is Order.GATHER:
            self._gather(objectives, command.number)
            self.team.gathered()
            return 0.0
        value, square = self._add_up(objectives)
        if order is not Order.AGAIN:
            self.square = square
        if not math.isfinite(value + square):
            return math.nan
        if order is Order.STEP:
            self._move(command.lr, square)
            self.team.values_there()
        else:
            self.team.sum_there()
        return value

    def _each(self, objectives: list[float]) -> Iterator[tuple[Gradient, Batch, float]]:
        return zip(self.gradients, self._batches, objectives, strict=True)

    def _fetch(self, command: Command) -> None:
        """Prepare the shards of a batch; usually it is the one after the last."""
        epoch, batch = command.epoch, command.batch
        if self._place != (epoch, batch):
            self._coming = [each.epoch(epoch, batch) for each in self.batches]
        self._batches = [next(coming) for coming in self._coming]
        self._place = epoch, batch + 1
        if batch + 1 == len(self.batches[0]):
            self._place = epoch + 1, 0
            self._coming = [each.epoch(epoch + 1) for each in self.batches]
        self._key = command.number * self.accumulate + batch % self.accumulate

    def _compute(self) -> list[float]:
        """Write the gradient of each of its shards; return their objectives."""
        objectives = []
        for shard, gradient, batch in zip(
            self.shards, self.gradients, self._batches, strict=True
        ):
            if not batch.rows:
                gradient.grads.fill(0)
                objectives.append(0.0)
                continue
            self.noise.begin(self._key, shard)
            objectives.append(gradient.compute(batch))
            self.noise.end()
        return objectives

    def _add_up(self, objectives: list[float]) -> tuple[float, float]:
        """Add the gradients of all shards; return the objective and Σ g²."""
        facts = self.team.facts
        for shard, (gradient, batch, objective) in zip(
            self.shards, self._each(objectives), strict=True
        ):
            facts[shard] = (*gradient.finish(batch, objective), batch.rows)
        self.team.gradients_there()
        shares = self._shares()
        self._add_blocks(shares)
        self.team.squares_there()
        objective = sum(
            share * float(each) if share else 0.0
            for share, each in zip(shares, facts[:, 0], strict=True)
        )
        return objective, float(self.team.squares.sum())

    def _shares(self) -> list[float]:
        """Return what the gradient of each shard is multiplied with."""
        facts = self.team.facts
        if not self.mean:
            return [1.0] * self.team.shards
        total = float(facts[:, 1].sum())
        if total:
            return [float(amount) / total for amount in facts[:, 1]]
        # All targets are ignored: penalties alone are left, once.
        filled = facts[:, 2] > 0
        return [float(each) / float(filled.sum()) for each in filled]

    def _add_blocks(self, shares: list[float]) -> None:
        squares, first = self.team.squares, shares[0]
        equal = all(share == first for share in shares)
        for number, total, rows in self._blocks:
            if equal:
                xp.add(rows[0], rows[1], out=total)
                for row in rows[2:]:
                    xp.add(total, row, out=total)
                if first != 1:
                    xp.multiply(total, first, out=total)
            else:
                work = self._work[: total.size]
                xp.multiply(rows[0], first, out=total)
                for row, share in zip(rows[1:], shares[1:], strict=True):
                    if share:
                        xp.multiply(row, share, out=work)
                        xp.add(total, work, out=total)
            square = square_of(total)
            if self.clip_value and math.isfinite(square):
                xp.clip(total, -self.clip_value, self.clip_value, out=total)
                square = square_of(total)
            squares[number] = square

    def _move(self, lr: float, square: float) -> None:
        """Clip and move the worker's part of the parameters."""
        alone = not self.optimizer.elementwise
        if alone:
            self.team.sum_there()
            if not self.team.leads:
                return
        if self.clip_norm:
            factor = self.clip_norm / (math.sqrt(square) + 1e-6)
            grads = self.flat.grads if alone else self.flat.grads[self.part]
            if factor < 1:
                xp.multiply(grads, factor, out=grads)
        self.optimizer.step(lr)
        if self.experiment.average is not None:
            self.experiment.average.update(self.optimizer.steps)

    def _gather(self, objectives: list[float], number: int) -> None:
        """Keep the gradients of its shards; look at once where one is not finite."""
        for shard, (gradient, batch, objective) in zip(
            self.shards, self._each(objectives), strict=True
        ):
            square = square_of(gradient.grads)
            if not math.isfinite(objective + square) and shard not in self._faults:
                self._faults[shard] = self._fault_of(shard, gradient, batch, number)
            gradient.gather(batch, objective)

    def _examine(self, number: int) -> None:
        """Write into shared memory what the first fault of each shard was."""
        for shard, gradient, batch in zip(
            self.shards, self.gradients, self._batches, strict=True
        ):
            fault = self._faults.get(shard) or self._fault_of(
                shard, gradient, batch, number
            )
            write_text(self.team.faults[shard], fault)
        self.team.faults_there()

    def _fault_of(
        self, shard: int, gradient: Gradient, batch: Batch, number: int
    ) -> str:
        """Return what the first fault of a shard of the last batch is, or ""."""
        if not batch.rows:
            return ""
        try:
            self.noise.begin(self._key, shard)
            # Where its gradient was, the sum of all may lie by now.
            gradient.compute(batch)
            self.noise.begin(self._key, shard)
            gradient.examine(batch, number, self.optimizer.lr)
        except DivergedError as error:
            return str(error)
        return ""
