"""Warmup and plateau: where the inner schedule begins, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nncli.config.load import load_config
from nncli.core.errors import ArgumentError, RunError
from nncli.experiment.build import build
from nncli.schedules.base import Schedule
from nncli.schedules.cycles import CosineRestarts, Cyclic, OneCycle
from nncli.schedules.decay import Cosine, Step
from nncli.schedules.piecewise import Piecewise
from nncli.schedules.plateau import Plateau
from nncli.schedules.warmup import Warmup
from nncli.training.state import Progress, capture, restore
from nncli.training.trainer import Trainer
from tests.conftest import SMALL

LR, PER_EPOCH, TOTAL = 0.05, 7, 70
PLATEAU = """\
schedule:
  type: warmup
  steps: 2
  then: {type: plateau, factor: 0.5, patience: 0, threshold: 0.05}
"""


def _rates(schedule: Schedule) -> list[float]:
    return [schedule.rate(LR, s, s / PER_EPOCH, TOTAL) for s in range(TOTAL + 1)]


def test_warmup_rises_in_a_line_and_then_runs_the_whole_schedule() -> None:
    rates = _rates(Warmup(14, Cosine(final=0.1), start=0.5))
    line = [LR * (0.5 + 0.5 * step / 14) for step in range(14)]
    assert rates[:14] == pytest.approx(line, rel=1e-14)
    assert rates[14] == LR
    assert rates[-1] == pytest.approx(0.1 * LR, rel=1e-14)


def test_epochs_of_the_inner_schedule_count_from_the_end_of_the_warmup() -> None:
    for steps in (1, 5, 7, 14, 20):
        rates = _rates(Warmup(steps, Step(every=2)))
        inner = _rates(Step(every=2))
        assert rates[steps:] == inner[: TOTAL + 1 - steps]


def test_warmup_longer_than_the_training_never_reaches_the_schedule() -> None:
    highest = max(_rates(Warmup(1000, Cosine())))
    assert highest == pytest.approx(LR * TOTAL / 1000)


def test_one_cycle_peaks_and_stays_at_its_end_when_training_goes_on() -> None:
    for total in (1, 2, 3, 10, 100):
        schedule = OneCycle()
        rates = [schedule.rate(LR, step, 0.0, total) for step in range(2 * total)]
        assert all(0 < rate <= LR for rate in rates)
        assert rates[-1] == pytest.approx(4e-6 * LR)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Piecewise([3, 2], [1.0, 0.5, 0.1]),
        lambda: Piecewise([2, 2], [1.0, 0.5, 0.1]),
        lambda: Piecewise([2], [1.0]),
        lambda: Piecewise([], [1.0]),
        lambda: OneCycle(peak=0.6, three_phase=True),
        lambda: OneCycle(peak=0.0),
        lambda: Cyclic(up=5, gamma=1.5),
        lambda: CosineRestarts(period=0),
        lambda: Plateau(factor=1.0),
    ],
)
def test_schedule_refuses_arguments_that_make_no_sense(
    make: Callable[[], Schedule],
) -> None:
    with pytest.raises(ArgumentError):
        make()


def test_plateau_falls_after_more_than_patience_and_rests_in_cooldown() -> None:
    schedule = Plateau(factor=0.5, patience=1, cooldown=2).live()
    seen = []
    for value in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5):
        schedule.observe(value, higher_is_better=False)
        seen.append(schedule.rate(1.0, 0, 0.0, 1))
    assert seen == [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    ("options", "higher", "values", "rates"),
    [
        ({"min_lr": 0.3}, False, (1, 1, 1, 1), (1, 0.5, 0.3, 0.3)),
        ({"threshold": 0.5}, False, (10, 6, 4.9), (1, 0.5, 0.5)),
        ({"threshold": 0.5}, True, (10, 14, 16), (1, 0.5, 0.5)),
        ({"threshold": 0.5, "threshold_mode": "abs"}, False, (10, 9, 8.6), (1, 1, 0.5)),
        ({}, False, (1, 0.5, 0.7), (1, 1, 0.5)),
        ({}, True, (1, 2, 1.5), (1, 1, 0.5)),
    ],
)
def test_plateau_judges_by_its_threshold_and_never_falls_below_its_bound(
    options: dict[str, Any],
    higher: bool,
    values: tuple[float, ...],
    rates: tuple[float, ...],
) -> None:
    schedule = Plateau(factor=0.5, patience=0, **options).live()
    seen = []
    for value in values:
        schedule.observe(value, higher)
        seen.append(schedule.rate(1.0, 0, 0.0, 1))
    assert seen == list(rates)


def test_plateau_is_resumed_where_it_was(write_config: Callable[[str], Path]) -> None:
    text = SMALL.replace("epochs: 5", "epochs: 20") + PLATEAU
    path = write_config(text)
    whole = Trainer(build(load_config(path, [])), None)
    rates: list[float] = []
    while not whole.done:
        whole._epoch()
        rates.append(whole.lr)
    assert len(set(rates)) > 2

    first = Trainer(build(load_config(path, [])), None)
    for _ in range(8):
        first._epoch()
    checkpoint = capture(first.experiment, first.progress)
    again = Trainer(build(load_config(path, [])), None)
    again.progress = restore(again.experiment, checkpoint)
    assert again.experiment.schedule.state == first.experiment.schedule.state
    resumed = []
    while not again.done:
        again._epoch()
        resumed.append(again.lr)
    assert resumed == rates[8:]


@pytest.mark.parametrize(
    "broken", [{}, {"falls": 1.0}, None, 3, "text", {"seen": float("nan")}]
)
def test_checkpoint_with_a_broken_memory_is_refused(
    write_config: Callable[[str], Path], broken: object
) -> None:
    experiment = build(load_config(write_config(SMALL + PLATEAU), []))
    checkpoint = capture(experiment, Progress())
    checkpoint.meta["schedule"] = broken
    with pytest.raises(RunError, match="checkpoint"):
        restore(experiment, checkpoint)
