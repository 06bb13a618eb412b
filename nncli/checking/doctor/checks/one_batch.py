"""A network that cannot learn even a few rows by heart."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor
from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.baseline import constant_loss, free_loss
from nncli.checking.doctor.examination import WORK
from nncli.checking.doctor.rehearsal import without_penalties
from nncli.checking.doctor.remedies import sharper
from nncli.core.arrays import xp
from nncli.core.errors import DivergedError
from nncli.core.text import count, number
from nncli.data.batches import Batch
from nncli.network.trial import trial
from nncli.optimizers.adam import Adam
from nncli.training.step import TrainingStep

ROWS = 8
"""Rows to be learned: few enough for a small network."""

RATES = (0.01, 0.001, 0.1)
"""Learning rates of Adam, one of which suits nearly every network."""

LEAST_STEPS, MOST_STEPS = 40, 150
"""Steps with each of them."""

SHARE = 0.5
"""Share of the loss of the best constant output that may be left.

"Overfit one batch" (Karpathy 2019, "A recipe for training neural networks"): with the
gradient in order, any network with more weights than rows comes to nearly 0 in the end.
Half is asked for, since steps are few and dropout goes on.
"""


class OneBatch(Check, name="one_batch"):
    """Whether Adam brings the loss of a few rows far below that of a constant output.

    The config's optimizer and the penalties on weights are left out: they are other
    checks'. So are networks that are one linear map, which learn by heart only what is
    linear.
    """

    stage = "training"
    causes = ("input_scale", "target_scale", "frozen_layers", "loss_fit")

    def run(self) -> Iterator[Finding]:
        exam = self.exam
        batch = exam.drawn(exam.rows_within(WORK / 200, ROWS // 2, ROWS))
        if not exam.network.flat.values.size or self._linear(batch):
            return
        loss, outputs = exam.experiment.loss, exam.first.outputs[: batch.rows]
        constant = constant_loss(loss, batch, outputs)
        free = free_loss(loss, batch, outputs)
        goal = free + SHARE * (constant - free)
        if not constant - free > 1e-3 * abs(constant):
            # All targets are alike: there is nothing to be learned.
            return
        work = WORK / len(RATES)
        steps = exam.steps_within(work, batch.rows, LEAST_STEPS, MOST_STEPS)
        best = math.inf
        for rate in RATES:
            best = min(best, self._learned(batch, rate, steps, goal))
            if best <= goal:
                return
        yield self.finding(
            f"The network cannot learn {count(batch.rows, 'row')} by heart: "
            f"{count(steps, 'step')} of Adam bring their loss to {number(best)}, "
            f"expected below {number(goal)}, half of that of the best constant output.",
            *sharper(exam),
        )

    def _learned(self, batch: Batch, rate: float, steps: int, goal: float) -> float:
        """Return the least loss of some steps on one batch, which ends at the goal."""
        network, best = self.exam.network, math.inf
        with trial(network, training=True), without_penalties(network):
            adam = Adam(lr=rate).over(network.flat)
            step = TrainingStep(network, self.exam.experiment.loss, adam)
            for i in range(1, steps + 1):
                network.begin_epoch()
                try:
                    best = min(best, step.run(batch, rate, i))
                except DivergedError:
                    break
                if best <= goal:
                    break
            network.begin_epoch()
        return best

    def _linear(self, batch: Batch) -> bool:
        """Whether f(x) + f(−x) is 2·f(0), as for x ↦ Ax + b."""
        x, network = batch.x, self.exam.network
        if x.data.dtype.kind != "f":
            return False
        with trial(network, training=False), no_grad(), xp.errstate(all="ignore"):
            there, back, zero = (
                network(Tensor(factor * x.data, lengths=x.lengths)).data
                for factor in (1, -1, 0)
            )
        size = abs(there - zero).max()
        return bool(abs(there + back - 2 * zero).max() <= 1e-3 * size)
