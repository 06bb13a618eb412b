"""A network that cannot learn even a few rows by heart."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.baseline import constant_loss, free_loss
from nncli.checking.doctor.examination import WORK
from nncli.checking.doctor.remedies import livelier
from nncli.core.errors import DivergedError
from nncli.core.text import count, number
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

    The config's optimizer is left out: a bad learning rate is another check's.
    """

    stage = "training"

    def run(self) -> Iterator[Finding]:
        exam = self.exam
        if not exam.network.flat.values.size:
            return
        batch = exam.drawn(exam.rows_within(WORK / 200, min(ROWS, 4), ROWS))
        loss, outputs = exam.experiment.loss, exam.first.outputs[: batch.rows]
        constant = constant_loss(loss, batch, outputs)
        free = free_loss(loss, batch, outputs)
        goal = free + SHARE * (constant - free)
        if not constant - free > 1e-3 * abs(constant):
            # All targets are alike: there is nothing to be learned.
            return
        best, steps = math.inf, 0
        work = WORK / len(RATES)
        steps = exam.steps_within(work, batch.rows, LEAST_STEPS, MOST_STEPS)
        for rate in RATES:
            with trial(exam.network, training=True):
                exam.network.begin_epoch()
                adam = Adam(lr=rate).over(exam.network.flat)
                step = TrainingStep(exam.network, loss, adam)
                try:
                    for i in range(steps):
                        best = min(best, step.run(batch, rate, i + 1))
                        if best <= goal:
                            return
                        exam.network.begin_epoch()
                except DivergedError:
                    pass
                finally:
                    exam.network.begin_epoch()
        yield self.finding(
            f"The network cannot learn {count(batch.rows, 'row')} by heart: "
            f"{steps} steps of Adam bring their loss to {number(best)}, expected below "
            f"{number(goal)}, half of what the best constant output has.",
            *livelier(exam),
        )
