"""A learning rate that is too large, too small, or at the edge of being too large."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.examination import FALL
from nncli.checking.doctor.rehearsal import WHOLE, Rehearsal
from nncli.core.text import count, number

RISE = 0.25
"""Share by which training may raise the loss over the first steps.

Early steps overshoot. No shipped config rises, nor with twice its rate; with ten times
they rise by up to 0.13, or diverge.
"""

EDGE = 2.0
"""Factor of the learning rate that has to be harmless.

Of gradient descent on a quadratic, twice the best rate is where it diverges (LeCun et
al. 1998, section 5); a rate that is less than twice from there is beyond the best one.
"""

SHARE = 0.5
"""Share of what the first steps learn at a good rate that the whole training has to.

While steps are small, the loss depends on the sum of their rates alone: all steps of
the training come about as far as the first ones at a rate that is larger in proportion,
which takes no longer than these. If even that is not half of what another rate learns
in the first steps, the training ends before it has begun.
"""

CALM = 0.03
"""Size of a first step, as a share of the weights, up to which that proportion holds.

Beyond, losses of recurrent networks jump from rate to rate.
"""

SMALLER = (0.1, 0.01, 1e-3, 1e-4)
"""Factors that are tried, until one is good."""

LIKELY = 2
"""How many of them, where nothing else says that the rate is too large."""

FLAT, FARTHER = 0.001, 10.0
"""Change of the loss, as a share, up to which the next rate is ten times as large.

Beyond, it is twice as large: good rates of recurrent networks span less than a decade.
"""

TRIES = 16
"""How many larger rates are tried, until one is good, or lets the loss rise."""


class LearningRate(Check, name="learning_rate"):
    """The first steps, made again with smaller and with larger rates.

    Batches are the same each time, and losses are compared with those of the same
    batches without training. An optimizer that searches along a line is left out.
    """

    stage = "training"
    causes = ("target_scale", "brakes")

    def run(self) -> Iterator[Finding]:
        exam = self.exam
        if not exam.steps_tell:
            return
        if not math.isfinite(self._still):
            # The network gives no numbers at all; no rate is to blame.
            return
        now = exam.rehearsal()
        if self._rose(now):
            yield self._too_large(now)
        elif self.exam.good(now):
            yield from self._edge(now)
        elif self._harmful(now):
            yield self._too_large(now)
        else:
            yield from self._too_small(now)

    @property
    def _still(self) -> float:
        """The loss of the last batches without training."""
        return self.exam.rehearsal(0.0).last

    def _rose(self, rehearsal: Rehearsal) -> bool:
        return not rehearsal.last - self._still <= RISE * abs(self._still)

    def _safe(self, factor: float) -> bool:
        """Whether a rate is good, begins with no leap, and even its double learns."""
        once = self.exam.rehearsal(factor)
        if not self.exam.good(once) or (once.ratio or 0) > WHOLE:
            return False
        return self.exam.learned(self.exam.rehearsal(EDGE * factor)) > 0

    def _smaller(self, factors: tuple[float, ...]) -> Rehearsal | None:
        return next((self.exam.rehearsal(x) for x in factors if self._safe(x)), None)

    def _harmful(self, now: Rehearsal) -> bool:
        """Whether a smaller rate learns, where this one does not."""
        leaps = (now.ratio or 0) > WHOLE
        better = self._smaller(SMALLER if leaps else SMALLER[:LIKELY])
        return better is not None and now.last - better.last >= FALL * self.exam.known

    def _too_large(self, now: Rehearsal) -> Finding:
        better = self._smaller(SMALLER)
        told = (
            f"The learning rate {now.lr:g} is too large: in the first "
            f"{count(self.exam.steps, 'step')} {self._went(now)}"
        )
        if not self._rose(now):
            told += f", where a constant output has {number(self.exam.known)}"
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
        exam = self.exam
        far = exam.full_steps / exam.steps
        whole = exam.rehearsal(far)
        if self._rose(whole) or (whole.ratio or 0) > CALM:
            return
        better = self._larger(far, max(self.exam.learned(whole), 0.0) / SHARE)
        if better is None:
            return
        steps = count(exam.steps, "step")
        together = count(exam.experiment.total_steps, "step")
        yield self.finding(
            f"The learning rate {now.lr:g} is too small: in the first {steps} "
            f"{self._went(now)}; with {better.lr:.2g}, {self._went(better)}. All "
            f"{together} at this rate come about as far as {steps} with "
            f"{whole.lr:.2g}, where {self._went(whole)}.",
            "Take a larger one; nncli lr-find looks closer.",
            f"optimizer.lr={better.lr:.2g}",
        )

    def _larger(self, far: float, learned: float) -> Rehearsal | None:
        """Return the first of larger rates that learns so much, until one rises."""
        factor = far
        for _ in range(TRIES):
            moved = abs(self._still - self.exam.rehearsal(factor).last)
            factor *= EDGE if moved > FLAT * abs(self._still) else FARTHER
            tried = self.exam.rehearsal(factor)
            if self._rose(tried):
                return None
            if self.exam.learned(tried) >= learned and self._safe(factor):
                return tried
        return None

    def _went(self, rehearsal: Rehearsal) -> str:
        if rehearsal.exploded:
            return "it diverges"
        low, high = number(rehearsal.last), number(self._still)
        if low == high:
            return f"the loss stays at {high}"
        way = "falls" if rehearsal.last < self._still else "rises"
        return f"the loss {way} from {high} to {low}"
