"""Weight decay, penalties or clipping that leave nothing to be learned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.rehearsal import Brake, Rehearsal
from nncli.core.text import count, number

FALL = 0.1
"""Share of the loss that the first steps have to take away without the brake.

It is that of a good learning rate.
"""

SHARE = 0.25
"""Share of that which is enough for a brake to be none of the doctor's business."""

NAMES = {
    "weight_decay": "optimizer.weight_decay",
    "penalties": "the penalties on weights (l1, l2)",
    "clip_norm": "training.clip_norm",
    "clip_value": "training.clip_value",
}


class Brakes(Check, name="brakes"):
    """The first steps, made again without what keeps weights and steps small.

    Each alone: weight decay, penalties on weights, clipping. Where training learns
    with all of them, none is tried.
    """

    stage = "training"
    causes = ("target_scale",)

    def run(self) -> Iterator[Finding]:
        exam = self.exam
        if exam.experiment.optimizer.full_batch or not exam.network.flat.values.size:
            return
        now = exam.rehearsal()
        for brake in get_args(Brake):
            overrides = self._released(brake)
            if not overrides or self._learned(now) >= FALL * abs(exam.known):
                continue
            free = exam.rehearsal(without=brake)
            learned = self._learned(free)
            enough = learned >= FALL * abs(exam.known) > 0
            if enough and self._learned(now) < SHARE * learned:
                yield self.finding(
                    f"Little is learned under {NAMES[brake]}: the first "
                    f"{count(exam.steps, 'step')} bring the loss to "
                    f"{number(now.last)}, without to {number(free.last)}; a constant "
                    f"output has {number(exam.known)}.",
                    "Leave it out, or make it much weaker.",
                    *overrides,
                )

    def _learned(self, rehearsal: Rehearsal) -> float:
        """Return how far the loss came below that of what knows nothing."""
        return self.exam.known - rehearsal.last

    def _released(self, brake: Brake) -> list[str]:
        """Return the overrides that leave out a brake; none where there is none."""
        exam = self.exam
        if brake == "weight_decay":
            strong = exam.config.optimizer.arguments.get("weight_decay")
            return ["optimizer.weight_decay=0"] if strong else []
        if brake == "penalties":
            places = [
                exam.place(layer, name)
                for layer in exam.network.nested.values()
                for name, value in layer.arguments.items()
                if value and re.fullmatch(r"(\w+_)?l[12]", name)
            ]
            return [f"{place}=0" for place in dict.fromkeys(places)]
        limit = getattr(exam.config.training, brake)
        return [f"training.{brake}=null"] if limit else []
