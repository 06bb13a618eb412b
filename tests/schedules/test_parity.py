"""Every schedule against PyTorch's and Keras's, rate by rate, 500 steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest

from nncli.schedules.base import Schedule
from nncli.schedules.cycles import CosineRestarts, Cyclic, OneCycle
from nncli.schedules.decay import (
    Constant,
    Cosine,
    Exponential,
    InverseSqrt,
    InverseTime,
    Linear,
    Polynomial,
    Step,
)
from nncli.schedules.piecewise import Piecewise
from nncli.schedules.plateau import Plateau
from nncli.schedules.warmup import Warmup
from tests.parity import without_case

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
torch.set_num_threads(1)  # Arrays are small: threads would wait for each other.

pytestmark = pytest.mark.parity

LR = 0.05
EPOCHS, BATCHES = 50, 10
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

    def add(ours: Schedule, theirs: Any, by_epoch: bool = False, /, **kw: Any) -> None:
        found.append(ScheduleCase(ours, partial(theirs, **kw), by_epoch))

    for decay in (0.0, 5e-5, 0.1):
        add(InverseTime(decay), of.LambdaLR, lr_lambda=partial(_inverse, decay))
    for every, factor in ((1, 0.9), (3, 0.1), (10, 0.5), (50, 0.1)):
        options = {"step_size": every, "gamma": factor}
        add(Step(every, factor), of.StepLR, True, **options)
        add(Step(every, factor, "step"), of.StepLR, **options)
    for factor in (0.95, 0.1, 1.0):
        add(Exponential(factor), of.ExponentialLR, True, gamma=factor)
        add(Exponential(factor, 1, "step"), of.ExponentialLR, gamma=factor)
    for by_epoch, by in ((True, "epoch"), (False, "step")):
        at: list[int] = [3, 4, 41]
        stairs = Piecewise(at, [1.0, 0.3, 0.09, 0.027], by)  # type: ignore[arg-type]
        add(stairs, of.MultiStepLR, by_epoch, milestones=at, gamma=0.3)
        late = Piecewise([5], [0.25, 1.0], by)  # type: ignore[arg-type]
        add(late, of.ConstantLR, by_epoch, factor=0.25, total_iters=5)
    for start, end, steps in ((1 / 3, 1.0, 5), (1.0, 0.0, 123), (0.5, 0.5, 1)):
        options = {"start_factor": start, "end_factor": end, "total_iters": steps}
        add(Linear(start, end, steps), of.LinearLR, **options)
    add(Linear(), of.LinearLR, start_factor=1.0, end_factor=0.0, total_iters=TOTAL)
    for power in (0.5, 1.0, 2.0, 3.7):
        add(Polynomial(power), of.PolynomialLR, total_iters=TOTAL, power=power)
        options = {"total_iters": 77, "power": power}
        add(Polynomial(power, steps=77), of.PolynomialLR, **options)
    for final in (0.0, 0.1, 1.0):
        add(Cosine(final), of.CosineAnnealingLR, T_max=TOTAL, eta_min=final * LR)
    return found + _cycles()


def _cycles() -> list[ScheduleCase]:
    of = torch.optim.lr_scheduler
    found = []
    for anneal, shape in (("cos", "cosine"), ("linear", "linear")):
        for three in (False, True):
            for peak, start, final in ((0.3, 0.04, 4e-6), (0.5, 0.1, 0.01)):
                options = {"pct_start": peak, "anneal_strategy": anneal}
                options |= {"div_factor": 1 / start, "final_div_factor": start / final}
                theirs = partial(
                    of.OneCycleLR,
                    max_lr=LR,
                    total_steps=TOTAL + 1,
                    three_phase=three,
                    cycle_momentum=False,
                    **options,
                )
                ours: Any = OneCycle(peak, start, final, shape, three)  # type: ignore[arg-type]
                found.append(ScheduleCase(_Longer(ours), theirs))
    for shape in ("triangular", "triangular2", "exp_range"):
        for up, down in ((20, None), (7, 31), (1, 1)):
            gamma = 0.99 if shape == "exp_range" else 1.0
            theirs = partial(
                of.CyclicLR,
                base_lr=0.2 * LR,
                max_lr=LR,
                step_size_up=up,
                step_size_down=down,
                mode=shape,
                gamma=gamma,
                cycle_momentum=False,
            )
            mine = Cyclic(up, down, 0.2, shape, gamma)  # type: ignore[arg-type]
            found.append(ScheduleCase(mine, theirs))
    return found + _warmups()


class _Longer(Schedule):
    """one_cycle over one step more: PyTorch's cannot be asked after its last one."""

    inner: Schedule

    @property
    def type_name(self) -> str:  # type: ignore[override]
        return self.inner.type_name

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        return self.inner.rate(lr, step, epoch, total_steps + 1)


def _warmups() -> list[ScheduleCase]:
    of = torch.optim.lr_scheduler

    def chain(then: Any, steps: int, start: float, optimizer: Any) -> Any:
        first = of.LinearLR(optimizer, start, 1.0, total_iters=steps)
        return of.SequentialLR(optimizer, [first, then(optimizer)], [steps])

    found = []
    for steps, start in ((1, 0.5), (33, 0.01), (100, 1.0)):
        left = TOTAL - steps
        for ours, theirs in (
            (Constant(), partial(of.ConstantLR, factor=1.0)),
            (Cosine(), partial(of.CosineAnnealingLR, T_max=left)),
            (Polynomial(2.0), partial(of.PolynomialLR, total_iters=left, power=2.0)),
            (Step(7, 0.5, "step"), partial(of.StepLR, step_size=7, gamma=0.5)),
        ):
            found.append(
                ScheduleCase(
                    Warmup(steps, ours, start), partial(chain, theirs, steps, start)
                )
            )
    return found


CASES = _cases()


@pytest.mark.parametrize(
    "case", CASES, ids=lambda c: f"{c.ours.type_name} {c.ours.arguments}"
)
@pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")
def test_schedule_agrees_with_torch(case: ScheduleCase) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=LR)
    theirs = case.theirs(optimizer)
    for step in range(TOTAL):
        rate = case.ours.rate(LR, step, step / BATCHES, TOTAL)
        expected = optimizer.param_groups[0]["lr"]
        assert abs(rate - expected) <= 1e-12, f"step {step}"
        optimizer.step()
        if not case.by_epoch or (step + 1) % BATCHES == 0:
            theirs.step()


@pytest.mark.parametrize(("period", "growth"), [(1, 1), (3, 1), (2, 2), (1, 3)])
@pytest.mark.parametrize("final", [0.0, 0.2])
def test_restarts_agree_with_torch_in_the_middle_of_epochs(
    period: int, growth: int, final: float
) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=LR)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer, T_0=period, T_mult=growth, eta_min=final * LR
    )
    ours = CosineRestarts(period, growth, final)
    for step in range(TOTAL):
        epoch = step / BATCHES
        theirs.step(epoch)
        expected = optimizer.param_groups[0]["lr"]
        # PyTorch finds the period by a logarithm, which rounds at some restarts.
        rate = ours.rate(LR, step, epoch, TOTAL)
        assert abs(rate - expected) <= 1e-12, f"step {step}"


def _keras_exponential(step: int, stairs: bool) -> float:
    p = step / 30
    return float(LR * 0.7 ** (math.floor(p) if stairs else p))


def _keras_inverse_time(step: int) -> float:
    return LR / (1 + 0.4 * step / 25)


def _keras_piecewise(step: int) -> float:
    # Boundaries 99 and 299: in Keras they belong to the piece before them.
    return LR if step <= 99 else 0.5 * LR if step <= 299 else 0.1 * LR


def _keras_polynomial(step: int) -> float:
    left = 1 - min(step, 200) / 200
    return float((LR - 0.01) * left**1.5 + 0.01)


def _keras_cosine(step: int) -> float:
    # CosineDecay(0, 150, alpha=0.1, warmup_target=LR, warmup_steps=40)
    if step < 40:
        return LR * step / 40
    p = min(step - 40, 150) / 150
    return float(LR * (0.9 * 0.5 * (1 + math.cos(math.pi * p)) + 0.1))


def _keras_restarts(step: int) -> float:
    # CosineDecayRestarts(LR, 30, t_mul=2, m_mul=1, alpha=0.1), by its own formula.
    p = step / 30
    # A tiny push keeps the logarithm from rounding down at a restart.
    i = math.floor(math.log(1 - p * (1 - 2.0)) / math.log(2.0) + 1e-12)
    p = (p - (1 - 2.0**i) / (1 - 2.0)) / 2.0**i
    return float(LR * (0.9 * 0.5 * (1 + math.cos(math.pi * p)) + 0.1))


KERAS: list[tuple[str, Schedule, Callable[[int], float]]] = [
    (
        "ExponentialDecay",
        Exponential(0.7, 30, "step"),
        partial(_keras_exponential, stairs=False),
    ),
    (
        "ExponentialDecay staircase",
        Step(30, 0.7, "step"),
        partial(_keras_exponential, stairs=True),
    ),
    ("InverseTimeDecay", InverseTime(0.4 / 25), _keras_inverse_time),
    (
        "PiecewiseConstantDecay",
        Piecewise([100, 300], [1.0, 0.5, 0.1], "step"),
        _keras_piecewise,
    ),
    ("PolynomialDecay", Polynomial(1.5, 0.01 / LR, 200), _keras_polynomial),
    ("CosineDecay", Warmup(40, Cosine(0.1, 150)), _keras_cosine),
    ("CosineDecayRestarts", CosineRestarts(3, 2, 0.1), _keras_restarts),
]


@pytest.mark.parametrize(("name", "ours", "theirs"), KERAS, ids=[k[0] for k in KERAS])
def test_schedule_agrees_with_the_formula_in_keras_s_documentation(
    name: str, ours: Schedule, theirs: Callable[[int], float]
) -> None:
    for step in range(TOTAL):
        rate = ours.rate(LR, step, step / BATCHES, TOTAL)
        assert abs(rate - theirs(step)) <= 1e-12, f"step {step}"


def test_inverse_sqrt_after_a_warmup_is_the_transformer_s_schedule() -> None:
    warm = 60
    ours = Warmup(warm, InverseSqrt(warm))
    for step in range(1, TOTAL):
        paper = min(step**-0.5, step * warm**-1.5) * math.sqrt(warm)
        rate = ours.rate(LR, step, step / BATCHES, TOTAL)
        assert abs(rate - LR * paper) <= 1e-12, f"step {step}"


def _values(higher: bool) -> list[float]:
    """Return a noisy curve that improves, stalls, jumps and repeats itself."""
    rng = np.random.default_rng(1)
    curve = np.exp(-np.arange(500) / 60) + 0.02 * rng.normal(size=500)
    curve[100:130] = curve[100]
    curve[300:] -= 0.5
    return [float(v) for v in (-curve if higher else curve)]


@pytest.mark.parametrize(
    ("factor", "patience", "cooldown", "min_lr"),
    [(0.9, 5, 0, 0.0), (0.5, 0, 3, 1e-4), (0.7, 2, 7, 0.01), (0.9, 1, 1, 0.0)],
)
def test_plateau_agrees_with_torch(
    factor: float, patience: int, cooldown: int, min_lr: float
) -> None:
    modes: tuple[Any, ...] = ("rel", "abs")
    for higher, mode, threshold in product((False, True), modes, (0.0, 1e-4, 0.1)):
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=LR)
        theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            mode="max" if higher else "min",
            factor=factor,
            patience=patience,
            threshold=threshold,
            threshold_mode=mode,
            cooldown=cooldown,
            min_lr=min_lr,
            eps=0.0,
        )
        ours = Plateau(factor, patience, threshold, mode, cooldown, min_lr).live()
        for step, value in enumerate(_values(higher)):
            rate = ours.rate(LR, step, float(step), TOTAL)
            expected = optimizer.param_groups[0]["lr"]
            case = f"{mode} {threshold}, higher is better: {higher}, step {step}"
            assert abs(rate - expected) <= 1e-12, case
            ours.observe(value, higher)
            theirs.step(value)
        assert ours.state["falls"] > 0


def test_every_schedule_has_a_parity_case() -> None:
    covered = {case.ours.type_name for case in CASES}
    covered |= {"cosine_restarts", "inverse_sqrt", "plateau"}
    missing = without_case(Schedule.members(), covered)
    assert not missing, f"schedules without a comparison with PyTorch: {missing}"
