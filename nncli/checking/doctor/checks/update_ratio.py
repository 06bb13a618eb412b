"""Steps that are out of proportion to the weights that they change."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.rehearsal import WHOLE
from nncli.core.text import count

CHANGE = 0.01
"""Share of the weights that all steps of the training together have to change.

With less, even if every step went the same way, the trained network is the first one.
"""

GOAL = 0.01
"""The ratio that an override aims at.

About 0.001 is usual once training is under way (Karpathy, CS231n, "ratio of
weights:updates"); first steps are larger, in the shipped configs 0.006 to 0.22.
"""


class UpdateRatio(Check, name="update_ratio"):
    """Norm of the first step's change of each weight, as a share of the weight's."""

    stage = "training"
    causes = ("target_scale", "brakes", "learning_rate", "schedule")

    def run(self) -> Iterator[Finding]:
        exam = self.exam
        if exam.experiment.optimizer.full_batch:
            return
        rehearsal = exam.rehearsal()
        ratio = rehearsal.ratio
        if ratio is None:
            return
        total, full = exam.experiment.total_steps, exam.full_steps
        if ratio > WHOLE:
            consequence = "nothing of the first values is left after it"
        elif ratio * full < CHANGE:
            consequence = (
                f"all {count(total, 'step')} of the training cannot change them by "
                f"more than {100 * ratio * full:.3g} %"
            )
        else:
            return
        yield self.finding(
            f"The first step changes weights by {ratio:.3g} of their size (the "
            f"median), expected about 0.001 to 0.3: {consequence}.",
            f"Take a {'smaller' if ratio > WHOLE else 'larger'} learning rate.",
            f"optimizer.lr={rehearsal.lr * GOAL / ratio:.1g}",
        )
