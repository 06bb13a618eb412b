"""A learning rate that is too large, too small, or at the edge of being too large."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.rehearsal import Rehearsal
from nncli.core.text import count, number

RISE = 0.25
"""Share by which the loss may rise over the first steps.

Batches differ, and early steps overshoot: the shipped configs rise by up to 0.06, and
by less than 0.25 with four times their learning rate (but for one with attention, of
which twice is fine).
"""

FALL = 0.1
"""Share of the first loss that a learning rate has to take away to be called good."""

EDGE = 2.0
"""Factor of the learning rate that has to be harmless.

Of gradient descent on a quadratic, twice the best rate is where it diverges (LeCun et
al. 1998, section 5); a rate that is less than twice from there is beyond the best one.
"""

IN_PROPORTION = 5.0
"""How many times more the loss falls at ten times the rate, if the rate is too small.

While steps are tiny the loss is a straight line along them, and falls ten times as much;
at rates that suit, the shipped configs have less than 3.
"""

SMALLER, LARGER = (0.1, 0.01, 1e-3, 1e-4), (10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
"""Factors that are tried, until one is good."""


class LearningRate(Check, name="learning_rate"):
    """The first steps, made again with smaller and with larger rates.

    Batches are the same each time. An optimizer that searches along a line is left out.
    """

    stage = "training"

    def run(self) -> Iterator[Finding]:
        exam = self.exam
        if exam.experiment.optimizer.full_batch or not exam.network.flat.values.size:
            return
        now = exam.rehearsal()
        if _rose(now):
            yield self._too_large(now)
        elif _good(now):
            yield from self._edge(now)
        else:
            smaller = self._first_good(SMALLER[:2])
            if smaller is not None:
                yield self._too_large(now)
            else:
                yield from self._too_small(now)

    def _first_good(self, factors: tuple[float, ...]) -> Rehearsal | None:
        tried = (self.exam.rehearsal(factor) for factor in factors)
        return next((each for each in tried if _good(each)), None)

    def _too_large(self, now: Rehearsal) -> Finding:
        better = self._first_good(SMALLER)
        overrides = [] if better is None else [f"optimizer.lr={better.lr:.2g}"]
        than = "" if better is None else f"; with {better.lr:.2g}, {_went(better)}"
        return self.finding(
            f"The learning rate {now.lr:g} is too large: in the first "
            f"{count(self.exam.steps, 'step')} {_went(now)}{than}.",
            "Take a smaller one."
            if overrides
            else "No smaller one helps: see to the other findings first.",
            *overrides,
        )

    def _edge(self, now: Rehearsal) -> Iterator[Finding]:
        further = self.exam.rehearsal(EDGE)
        if not _rose(further):
            return
        yield self.finding(
            f"The learning rate {now.lr:g} is at the edge: {_went(now)}, but with "
            f"{further.lr:g}, {_went(further)}.",
            "Take half of it, so that one unlucky batch does not end the training.",
            f"optimizer.lr={now.lr / 2:.3g}",
        )

    def _too_small(self, now: Rehearsal) -> Iterator[Finding]:
        better = self._first_good(LARGER)
        if better is None or better.fall < IN_PROPORTION * now.fall:
            return
        total = self.exam.experiment.total_steps
        in_all = max(now.fall, 0.0) / len(now.losses) * total
        if in_all >= abs(now.first):
            return
        yield self.finding(
            f"The learning rate {now.lr:g} is too small: in the first "
            f"{count(len(now.losses), 'step')} {_went(now)}; with {better.lr:.2g}, "
            f"{_went(better)}. At this rate, all {count(total, 'step')} would lower it "
            f"by about {number(in_all)}.",
            "Take a larger one; nncli lr-find looks closer.",
            f"optimizer.lr={better.lr:.2g}",
        )


def _rose(rehearsal: Rehearsal) -> bool:
    return not rehearsal.fall >= -RISE * abs(rehearsal.first)


def _good(rehearsal: Rehearsal) -> bool:
    return rehearsal.fall >= FALL * abs(rehearsal.first) > 0


def _went(rehearsal: Rehearsal) -> str:
    if rehearsal.exploded:
        return "it diverges"
    went = "falls" if rehearsal.fall > 0 else "goes"
    return (
        f"the loss {went} from {number(rehearsal.first)} to {number(rehearsal.last)}"
    )
