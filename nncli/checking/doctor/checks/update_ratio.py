"""Steps that are out of proportion to the weights that they change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.checking.doctor.base import Check, Finding
from nncli.core.text import count, number

HIGH = 1.0
"""Size of the first step, as a share of the weights, that is taken.

Beyond it nothing of the first values is left after one step. About 0.001 is usual
(Karpathy, CS231n, "ratio of weights:updates"); the shipped configs have up to 0.4,
which is Adam's first step on small layers.
"""

CHANGE = 0.01
"""Share of the weights that all steps of the training together have to change.

With less, even if every step went the same way, the trained network is the first one.
"""

GOAL = 0.01
"""The ratio that an override aims at."""


class UpdateRatio(Check, name="update_ratio"):
    """Norm of the first step's change of each weight, as a share of the weight's."""

    stage = "training"

    def run(self) -> Iterator[Finding]:
        exam = self.exam
        if exam.experiment.optimizer.full_batch:
            return
        rehearsal = exam.rehearsal()
        if not rehearsal.ratios:
            return
        ratio = float(np.median(rehearsal.ratios))
        total = exam.experiment.total_steps
        if ratio > HIGH:
            consequence = "nothing of the first values is left after it"
        elif ratio * total < CHANGE:
            consequence = (
                f"all {count(total, 'step')} of the training cannot change them by "
                f"more than {number(100 * ratio * total)} %"
            )
        else:
            return
        better = [f"optimizer.lr={rehearsal.lr * GOAL / ratio:.1g}"] if ratio else []
        yield self.finding(
            f"The first step changes weights by {number(ratio)} of their size (the "
            f"median), expected about 0.001 to 0.1: {consequence}.",
            f"Take a {'smaller' if ratio > HIGH else 'larger'} learning rate.",
            *better,
        )
