"""Schedules: where each starts, what it passes through and where it ends."""

from __future__ import annotations

import itertools
import math

import pytest

from nncli.core.errors import ArgumentError
from nncli.schedules.base import Schedule
from nncli.schedules.decay import Constant, Cosine, InverseTime, Polynomial, Step

LR = 0.05
TOTAL = 40
EVERY: list[Schedule] = [
    Constant(),
    InverseTime(decay=0.0),
    InverseTime(decay=0.1),
    Step(every=2),
    Step(every=1, factor=0.5),
    Step(every=3, factor=1.0),
    Cosine(),
    Cosine(final=0.1),
    Cosine(final=1.0),
]


def _rates(schedule: Schedule, steps_per_epoch: int = 4) -> list[float]:
    return [
        schedule.rate(LR, step, step // steps_per_epoch, TOTAL)
        for step in range(TOTAL + 1)
    ]


@pytest.mark.parametrize("schedule", EVERY, ids=lambda s: s.type_name)
def test_schedule_starts_at_the_learning_rate(schedule: Schedule) -> None:
    assert schedule.rate(LR, 0, 0, TOTAL) == pytest.approx(LR, rel=1e-15)


@pytest.mark.parametrize("schedule", EVERY, ids=lambda s: s.type_name)
def test_schedule_never_rises_nor_turns_negative(schedule: Schedule) -> None:
    rates = _rates(schedule)
    assert all(a >= b >= 0 for a, b in itertools.pairwise(rates))


@pytest.mark.parametrize("schedule", EVERY, ids=lambda s: s.type_name)
def test_schedule_is_proportional_to_the_learning_rate(schedule: Schedule) -> None:
    for step in (0, 7, 23):
        one, ten = (schedule.rate(lr, step, step // 4, TOTAL) for lr in (1.0, 10.0))
        assert ten == pytest.approx(10 * one, rel=1e-14)


def test_constant_stays() -> None:
    assert set(_rates(Constant())) == {LR}


def test_inverse_time_leaves_half_after_one_over_decay_steps() -> None:
    assert InverseTime(decay=0.01).rate(LR, 100, 3, TOTAL) == pytest.approx(LR / 2)


def test_inverse_time_is_a_plain_quotient() -> None:
    rates = _rates(InverseTime(decay=0.3))
    for step, rate in enumerate(rates):
        assert rate == LR / (1 + 0.3 * step)


def test_step_changes_every_so_many_epochs_and_not_within_one() -> None:
    schedule = Step(every=3, factor=0.1)
    by_epoch = [schedule.rate(LR, 99, epoch, TOTAL) for epoch in range(9)]
    expected = [LR] * 3 + [LR * 0.1] * 3 + [LR * 0.01] * 3
    assert by_epoch == pytest.approx(expected, rel=1e-14)
    within = {schedule.rate(LR, step, 4, TOTAL) for step in range(20)}
    assert len(within) == 1


def test_step_with_factor_zero_stops_at_the_first_change() -> None:
    schedule = Step(every=2, factor=0.0)
    assert [schedule.rate(LR, 0, epoch, TOTAL) for epoch in range(4)] == [LR, LR, 0, 0]


def test_cosine_passes_the_middle_and_ends_at_its_share() -> None:
    for final in (0.0, 0.2, 1.0):
        schedule = Cosine(final=final)
        middle = LR * (1 + final) / 2
        assert schedule.rate(LR, TOTAL // 2, 0, TOTAL) == pytest.approx(middle)
        assert schedule.rate(LR, TOTAL, 0, TOTAL) == pytest.approx(LR * final)


def test_cosine_stays_at_its_end_when_training_goes_on() -> None:
    schedule = Cosine(final=0.2)
    assert schedule.rate(LR, 3 * TOTAL, 0, TOTAL) == pytest.approx(LR * 0.2)


def test_cosine_is_a_half_wave() -> None:
    for step, rate in enumerate(_rates(Cosine())):
        wave = math.cos(math.pi * step / TOTAL)
        assert rate == pytest.approx(LR * (1 + wave) / 2, abs=1e-16)


def test_polynomial_goes_down_to_its_share_and_stays() -> None:
    schedule = Polynomial(power=2.0, final=0.2, steps=8)
    for step in range(12):
        left = max(1 - step / 8, 0)
        rate = schedule.rate(LR, step, 0, TOTAL)
        assert rate == pytest.approx(LR * (0.2 + 0.8 * left**2), rel=1e-14)


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (InverseTime, {"decay": -1.0}),
        (InverseTime, {}),
        (Step, {"every": 0}),
        (Step, {"every": 1, "factor": 1.5}),
        (Cosine, {"final": -0.1}),
        (Cosine, {"final": 1.1}),
    ],
)
def test_schedule_refuses_arguments_out_of_range(
    cls: type[Schedule], arguments: dict[str, float]
) -> None:
    with pytest.raises(ArgumentError):
        cls(**arguments)
