"""Every schedule against PyTorch's, rate by rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from nncli.schedules.base import Schedule
from nncli.schedules.decay import Constant, Cosine, InverseTime, Step
from tests.parity import without_case

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
torch.set_num_threads(1)  # Arrays are small: threads would wait for each other.

pytestmark = pytest.mark.parity

LR = 0.05
EPOCHS, BATCHES = 30, 7
TOTAL = EPOCHS * BATCHES


@dataclass(frozen=True)
class ScheduleCase:
    """Our schedule, PyTorch's, and whether PyTorch's moves at every epoch or step."""

    ours: Schedule
    theirs: Callable[[Any], Any]
    by_epoch: bool = False


def _inverse(decay: float, step: int) -> float:
    return 1 / (1 + decay * step)


def _cases() -> list[ScheduleCase]:
    of = torch.optim.lr_scheduler
    found = [ScheduleCase(Constant(), partial(of.ConstantLR, factor=1.0))]
    for decay in (0.0, 5e-5, 0.1):
        theirs = partial(of.LambdaLR, lr_lambda=partial(_inverse, decay))
        found.append(ScheduleCase(InverseTime(decay), theirs))
    for every, factor in ((1, 0.9), (3, 0.1), (10, 0.5), (50, 0.1)):
        theirs = partial(of.StepLR, step_size=every, gamma=factor)
        found.append(ScheduleCase(Step(every, factor), theirs, by_epoch=True))
    for final in (0.0, 0.1, 1.0):
        theirs = partial(of.CosineAnnealingLR, T_max=TOTAL, eta_min=final * LR)
        found.append(ScheduleCase(Cosine(final), theirs))
    return found


CASES = _cases()


@pytest.mark.parametrize(
    "case", CASES, ids=lambda c: f"{c.ours.type_name} {c.ours.arguments}"
)
def test_schedule_agrees_with_torch(case: ScheduleCase) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=LR)
    theirs = case.theirs(optimizer)
    for step in range(TOTAL):
        epoch = step // BATCHES
        rate = case.ours.rate(LR, step, epoch, TOTAL)
        expected = optimizer.param_groups[0]["lr"]
        assert rate == pytest.approx(expected, rel=0, abs=1e-12), f"step {step}"
        optimizer.step()
        if not case.by_epoch or (step + 1) % BATCHES == 0:
            theirs.step()


def test_every_schedule_has_a_parity_case() -> None:
    covered = {case.ours.type_name for case in CASES}
    missing = without_case(Schedule.members(), covered)
    assert not missing, f"schedules without a comparison with PyTorch: {missing}"
