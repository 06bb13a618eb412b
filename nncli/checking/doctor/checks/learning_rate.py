"""A learning rate that is too large, too small, or at the edge of being too large."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.rehearsal import WHOLE, Rehearsal
from nncli.core.text import count, number

RISE = 0.25
"""Share by which training may raise the loss over the first steps.

Early steps overshoot. No shipped config rises, nor with twice its rate; with ten times
they rise by up to 0.13, or diverge.
"""

FALL = 0.1
"""Share of the loss that a good learning rate takes away over the first steps."""

EDGE = 2.0
"""Factor of the learning rate that has to be harmless.

Of gradient descent on a quadratic, twice the best rate is where it diverges (LeCun et
al. 1998, section 5); a rate that is less than twice from there is beyond the best one.
"""

IN_PROPORTION = 5.0
"""How many times more the loss falls at a larger rate, if the rate is too small.

While steps are tiny the loss is a straight line along them, and falls ten times as much
at ten times the rate; in the shipped configs, whose rates suit, less than twice.
"""

SMALLER, LARGER = (0.1, 0.01, 1e-3, 1e-4), (10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
"""Factors that are tried, until one is good."""


class LearningRate(Check, name="learning_rate"):
    """The first steps, made again with smaller and with larger rates.

    Batches are the same each time, and losses are compared with those of the same
    batches without training. An optimizer that searches along a line is left out.
    """

    stage = "training"

    def run(self) -> Iterator[Finding]:
        exam = self.exam
        if exam.experiment.optimizer.full_batch or not exam.network.flat.values.size:
            return
        if not math.isfinite(self._still):
            # The network gives no numbers at all; no rate is to blame.
            return
        now = exam.rehearsal()
        if self._rose(now):
            yield self._too_large(now)
        elif self._good(now):
            yield from self._edge(now)
        elif self._first_good(SMALLER[:2]) is not None:
            yield self._too_large(now)
        else:
            yield from self._too_small(now)

    @property
    def _still(self) -> float:
        """The loss of the last batches without training."""
        return self.exam.rehearsal(0.0).last

    def _fall(self, rehearsal: Rehearsal) -> float:
        return self._still - rehearsal.last

    def _rose(self, rehearsal: Rehearsal) -> bool:
        return not self._fall(rehearsal) >= -RISE * abs(self._still)

    def _good(self, rehearsal: Rehearsal) -> bool:
        return self._fall(rehearsal) >= FALL * abs(self._still) > 0

    def _first_good(self, factors: tuple[float, ...]) -> Rehearsal | None:
        """Return the first rehearsal that is good and does not begin with a leap."""
        tried = (self.exam.rehearsal(factor) for factor in factors)
        good = (each for each in tried if self._good(each))
        return next((each for each in good if (each.ratio or 0) <= WHOLE), None)

    def _too_large(self, now: Rehearsal) -> Finding:
        better = self._first_good(SMALLER)
        told = (
            f"The learning rate {now.lr:g} is too large: in the first "
            f"{count(self.exam.steps, 'step')} {self._went(now)}"
        )
        if better is None:
            advice = "No smaller one helps: see to the other findings first."
            return self.finding(f"{told}.", advice)
        return self.finding(
            f"{told}; with {better.lr:.2g}, {self._went(better)}.",
            "Take a smaller one.",
            f"optimizer.lr={better.lr:.2g}",
        )

    def _edge(self, now: Rehearsal) -> Iterator[Finding]:
        further = self.exam.rehearsal(EDGE)
        if not self._rose(further):
            return
        yield self.finding(
            f"The learning rate {now.lr:g} is at the edge: {self._went(now)}, but with "
            f"{further.lr:g}, {self._went(further)}.",
            "Take half of it, so that one unlucky batch does not end the training.",
            f"optimizer.lr={now.lr / 2:.3g}",
        )

    def _too_small(self, now: Rehearsal) -> Iterator[Finding]:
        better = self._first_good(LARGER)
        if better is None or self._fall(better) < IN_PROPORTION * self._fall(now):
            return
        total = self.exam.experiment.total_steps
        in_all = max(self._fall(now), 0.0) / len(now.losses) * total
        if in_all >= abs(self._still):
            return
        yield self.finding(
            f"The learning rate {now.lr:g} is too small: in the first "
            f"{count(len(now.losses), 'step')} {self._went(now)}; with "
            f"{better.lr:.2g}, {self._went(better)}. At this rate, all "
            f"{count(total, 'step')} would lower it by about {number(in_all)}.",
            "Take a larger one; nncli lr-find looks closer.",
            f"optimizer.lr={better.lr:.2g}",
        )

    def _went(self, rehearsal: Rehearsal) -> str:
        if rehearsal.exploded:
            return "it diverges"
        low, high = number(rehearsal.last), number(self._still)
        way = "falls" if rehearsal.last < self._still else "rises"
        return f"the loss {way} from {high} to {low}" if low != high else "it stays"
