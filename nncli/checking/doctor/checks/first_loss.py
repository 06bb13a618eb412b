"""A first loss far above that of outputs that know nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.baseline import constant_loss, drawn_loss
from nncli.checking.doctor.remedies import OWN_INIT, without_inits
from nncli.core.randomness import stream
from nncli.core.text import number

DEVIATION = 8.0
"""Deviation of random outputs whose loss the first one has to stay below.

The first values of He et al. 2015 give outputs of deviation √2 for inputs of mean
square 1, Glorot's 1. A residual block without a normalization makes that √2 times as
large; five of them come to 8, and four were seen to train as well as with a smaller
beginning. For ten classes the limit is about 13, where knowing nothing has ln 10 = 2.3.
"""

SMALL = "{type: normal, std: 0.01}"


class FirstLoss(Check, name="first_loss"):
    """The loss at first values, beside those of constant and of wild outputs.

    Of the best constant output it is the entropy of the classes' shares (ln K for K
    balanced ones) or, for mse, the variance of the targets.
    """

    stage = "network"
    causes = ("input_scale", "target_scale", "activations")

    def run(self) -> Iterator[Finding]:
        exam, first = self.exam, self.exam.first
        loss = exam.experiment.loss
        grows = loss.takes != "anything" or loss.distance
        if not grows and math.isfinite(first.loss):
            # Of an angle, say, large outputs are no worse than small ones.
            return
        rng = stream(exam.config.seed, "check", 2)
        limit = drawn_loss(loss, exam.batch, first.outputs, DEVIATION, rng)
        if first.loss <= limit:
            return
        known = constant_loss(loss, exam.batch, first.outputs)
        value = number(first.loss) if math.isfinite(first.loss) else str(first.loss)
        yield self.finding(
            f"The first loss is {value}, expected near {number(known)}, which the best "
            f"constant output has (limit: {number(limit)}): the network "
            "begins with large outputs that are wrong.",
            *self._remedy(),
        )

    def _remedy(self) -> tuple[str, ...]:
        """Return advice, and the overrides that do it."""
        inits = without_inits(self.exam)
        if inits:
            return OWN_INIT, *inits
        layers = self.exam.network.nested.values()
        able = [layer for layer in layers if "init" in layer.arguments][-1:]
        advice = (
            "Scale the inputs, if they are not; else let the last layer begin small."
        )
        return advice, *(f"{self.exam.place(each, 'init')}={SMALL}" for each in able)
