"""Schedules that go up and down."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from annotated_types import Gt, Lt

from nncli.core.errors import ArgumentError
from nncli.core.signature import Positive, PositiveFloat, UnitInterval
from nncli.schedules.base import Schedule


class CosineRestarts(Schedule, name="cosine_restarts"):
    """lr·(f + (1 − f)·(1 + cos(π·t / T)) / 2), t epochs into a period of T epochs.

    The epochs are fractional: the rate changes at every step. SGDR. Source: Loshchilov
    and Hutter 2017, equation 5; PyTorch's ``CosineAnnealingWarmRestarts`` with
    ``T_0`` = period, ``T_mult`` = growth and ``eta_min`` = f·lr. (Keras's
    ``CosineDecayRestarts`` counts steps.)

    Args:
        period: Epochs of the first period T.
        growth: What T is multiplied with after each restart.
        final: The share f of lr at the end of each period.
    """

    period: Positive
    growth: Positive = 1
    final: UnitInterval = 0.0

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        length = self.period
        if self.growth == 1:
            since = math.fmod(epoch, length)
        else:
            since = epoch
            while since >= length:
                since -= length
                length *= self.growth
        wave = (1 + math.cos(math.pi * since / length)) / 2
        return lr * (self.final + (1 - self.final) * wave)


class OneCycle(Schedule, name="one_cycle"):
    """From start·lr up to lr, then down to final·lr, once in the whole training.

    Each phase is half a cosine wave or a line; the first takes the share ``peak`` of
    all steps. Source: Smith and Topin 2018; PyTorch's ``OneCycleLR`` with ``max_lr`` =
    lr, ``div_factor`` = 1 / start and ``final_div_factor`` = start / final. Momentum is
    left alone.

    Args:
        peak: After which share of the training lr is reached.
        start: The share of lr in the beginning.
        final: The share of lr at the end.
        shape: The line of a phase.
        three_phase: Whether the way down first mirrors the way up, then goes on to the
            end, as in the paper.
    """

    peak: Annotated[float, Gt(0), Lt(1)] = 0.3
    start: UnitInterval = 0.04
    final: UnitInterval = 4e-6
    shape: Literal["cosine", "linear"] = "cosine"
    three_phase: bool = False

    def __post_init__(self) -> None:
        if self.three_phase and self.peak > 0.5:
            raise ArgumentError(
                "expected peak <= 0.5 where the way down mirrors it, got "
                f"{self.peak:g}."
            )

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        up = self.peak * total_steps - 1
        phases = [(up, self.start, 1.0)]
        if self.three_phase:
            phases.append((2 * up, 1.0, self.start))
        phases.append((total_steps - 1, phases[-1][2], self.final))
        begin = 0.0
        for end, low, high in phases[:-1]:
            if step <= end:
                return lr * self._between(low, high, step, begin, end)
            begin = end
        end, low, high = phases[-1]
        return lr * self._between(low, high, min(step, end), begin, end)

    def _between(
        self, first: float, last: float, step: float, begin: float, end: float
    ) -> float:
        p = (step - begin) / (end - begin) if end > begin else 1.0
        if self.shape == "linear":
            return first + (last - first) * p
        return last + (first - last) * (1 + math.cos(math.pi * p)) / 2


class Cyclic(Schedule, name="cyclic"):
    """lr·(low + (1 − low)·s·tri(step)): up to lr and down to low·lr, again and again.

    tri rises from 0 to 1 in ``up`` steps and falls in ``down``. s is 1 (triangular),
    ½ to the power of the finished cycles (triangular2) or gamma^step (exp_range).
    Source: Smith 2017; PyTorch's ``CyclicLR`` with ``base_lr`` = low·lr and ``max_lr``
    = lr. Momentum is left alone.

    Args:
        up: Steps from low to lr.
        down: Steps back to low; null for as many as up.
        low: The share of lr between two cycles.
        shape: How the peaks of later cycles shrink.
        gamma: The base of exp_range.
    """

    up: Positive
    down: Positive | None = None
    low: UnitInterval = 0.1
    shape: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    gamma: PositiveFloat = 1.0

    def __post_init__(self) -> None:
        if self.gamma > 1:
            raise ArgumentError(f"expected gamma <= 1, got {self.gamma:g}.")

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        down = self.up if self.down is None else self.down
        cycle, place = divmod(step, self.up + down)
        rising = place <= self.up
        tri = place / self.up if rising else 1 - (place - self.up) / down
        scale = {
            "triangular": lambda: 1.0,
            "triangular2": lambda: 0.5**cycle,
            "exp_range": lambda: self.gamma**step,
        }[self.shape]()
        return float(lr * (self.low + (1 - self.low) * scale * tri))
