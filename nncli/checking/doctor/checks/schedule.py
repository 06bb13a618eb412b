"""A schedule whose learning rates are too small from the beginning on."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.core.text import count, number

SHARE = 0.25
"""Share of what the first steps learn at the full rate that the training has to."""


class ScheduleCheck(Check, name="schedule"):
    """The first steps at the rate at which they come as far as the whole training.

    Where all steps of a schedule together are less than the first ones at the full
    rate; otherwise it is a question of the learning rate.
    """

    stage = "training"
    causes = ("target_scale", "brakes", "learning_rate")

    def run(self) -> Iterator[Finding]:
        exam = self.exam
        if not exam.steps_tell:
            return
        if exam.whole >= 1:
            return
        now = exam.rehearsal()
        if not exam.good(now):
            return
        whole = exam.rehearsal(exam.whole)
        if not exam.learned(whole) < SHARE * exam.learned(now):
            return
        steps = count(exam.steps, "step")
        yield self.finding(
            f"The schedule leaves little of the learning rate: all "
            f"{count(exam.experiment.total_steps, 'step')} together are "
            f"{exam.full_steps:.3g} at the full rate, and come about as far as {steps} "
            f"with {whole.lr:.2g}, which bring the loss to {number(whole.last)}; "
            f"{steps} at the full rate bring it to {number(now.last)}.",
            "Let the rate be constant, or let it fall later.",
            "schedule=constant",
        )
