"""A first loss far above that of outputs that know nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.baseline import constant_loss, drawn_loss
from nncli.core.randomness import stream
from nncli.core.text import number
from nncli.layers.base import Layer

DEVIATION = 4.0
"""Deviation of random outputs whose loss the first one has to stay below.

The first values of He et al. 2015 give outputs of deviation √2 for inputs of mean
square 1, Glorot's 1; this is three times as much. For ten classes the limit is about 8,
where knowing nothing has ln 10 = 2.3.
"""

SMALL = "{type: normal, std: 0.01}"


class FirstLoss(Check, name="first_loss"):
    """The loss at first values, beside those of constant and of wild outputs.

    Of the best constant output it is the entropy of the classes' shares (ln K for K
    balanced ones) or, for mse, the variance of the targets.
    """

    stage = "network"

    def run(self) -> Iterator[Finding]:
        exam, first = self.exam, self.exam.first
        loss = exam.experiment.loss
        rng = stream(exam.config.seed, "check", 2)
        limit = drawn_loss(loss, exam.batch, first.outputs, DEVIATION, rng)
        if first.loss <= limit:
            return
        known = constant_loss(loss, exam.batch, first.outputs)
        value = number(first.loss) if math.isfinite(first.loss) else str(first.loss)
        yield self.finding(
            f"The first loss is {value}, expected near {number(known)}, which the best "
            f"constant output has (up to {number(limit)} is taken): the network "
            "begins with large outputs that are wrong.",
            "Scale the inputs, if they are not; else let the last layer begin small.",
            *(f"{exam.place(layer, 'init')}={SMALL}" for layer in self._last()),
        )

    def _last(self) -> list[Layer]:
        """Return the last layer that has first values to choose."""
        layers = self.exam.network.nested.values()
        able = [layer for layer in layers if "init" in layer.arguments]
        return able[-1:]
