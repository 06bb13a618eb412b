"""Weight decay, penalties or clipping that leave nothing to be learned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.rehearsal import Brake
from nncli.core.text import count, number

SHARE = 0.25
"""Share of what first steps learn without a brake that is enough for it to be none of
the doctor's business."""

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
        if not exam.steps_tell:
            return
        now = exam.rehearsal()
        for brake in get_args(Brake):
            overrides = self._released(brake)
            if not overrides or exam.good(now):
                continue
            free = exam.rehearsal(without=brake)
            if exam.good(free) and exam.learned(now) < SHARE * exam.learned(free):
                yield self.finding(
                    f"Little is learned under {NAMES[brake]}: the first "
                    f"{count(exam.steps, 'step')} bring the loss to "
                    f"{number(now.last)}, without to {number(free.last)}; a constant "
                    f"output has {number(exam.known)}.",
                    "Leave it out, or make it much weaker.",
                    *overrides,
                )

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
