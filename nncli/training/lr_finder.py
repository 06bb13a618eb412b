"""Learning rate finder: a short training whose rate grows until the loss explodes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nncli.core.errors import DivergedError
from nncli.data.batches import Batch, Batches
from nncli.experiment.experiment import Experiment
from nncli.training.step import TrainingStep

SMOOTHING = 0.9
EXPLODED = 4.0
SETTLED = 10
FLAT = 1e-6
"""Share of a loss that rounding, in float32, can make it differ by."""


@dataclass(frozen=True)
class Sweep:
    """What a sweep of the learning rate found.

    Attributes:
        rates: The learning rate of each step, growing by the same factor.
        losses: The loss of each step's batch before the step, penalties included.
        smoothed: Their exponential moving average.
        exploded: Whether the sweep ended before the highest rate.
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    exploded: bool

    @property
    def suggestion(self) -> float | None:
        """The rate in the middle of the steepest fall of the smoothed loss over ln lr.

        A fall is measured over a tenth of the sweep, so that the noise of one batch
        decides nothing, and only before the minimum: behind it, training is already
        too fast. None where the loss never falls.
        """
        half = max(len(self.rates) // 20, 1)
        end = int(np.argmin(self.smoothed)) + 1 if self.smoothed else 0
        values = np.asarray(self.smoothed[SETTLED:end])
        if len(values) <= 2 * half:
            return None
        falls = values[: -2 * half] - values[2 * half :]
        if falls.max() <= FLAT * abs(values[0]):
            return None
        # The last window ends in the minimum, so one of them falls.
        return self.rates[SETTLED + half + int(np.argmax(falls))]


def sweep_rates(experiment: Experiment, low: float, high: float, steps: int) -> Sweep:
    """Train for so many steps with rates from low to high; the network is spoilt.

    Batches, optimizer and clipping are those of the config, its schedule is left out.
    Ends early where the smoothed loss is above that of the first step and four times
    its minimum, or no longer finite. Source: Smith 2017, section 3.3; the steepest
    fall is what fastai suggests.
    """
    config, batches = experiment.config, experiment.batches()
    step = TrainingStep(
        experiment.network,
        experiment.loss,
        experiment.optimizer,
        config.training.clip_norm,
        config.training.clip_value,
    )
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    average = 0.0
    for i, batch in enumerate(_forever(batches)):
        if i == steps:
            return Sweep(rates, losses, smoothed, exploded=False)
        rate = low * (high / low) ** (i / (steps - 1))
        try:
            loss = step.run(batch, rate, i + 1)
        except DivergedError:
            break
        average += (1 - SMOOTHING) * (loss - average)
        rates.append(rate)
        losses.append(loss)
        # The average began at 0; this takes that beginning out again.
        smoothed.append(average / (1 - SMOOTHING ** (i + 1)))
        if _exploded(smoothed):
            break
    return Sweep(rates, losses, smoothed, exploded=True)


def _forever(batches: Batches) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from batches.epoch(epoch)
        epoch += 1


def _exploded(smoothed: list[float]) -> bool:
    last = smoothed[-1]
    too_large = last > smoothed[0] and last > EXPLODED * min(smoothed)
    return too_large or not math.isfinite(last)
