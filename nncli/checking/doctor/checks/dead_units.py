"""Units that give the same number for every row, and get no gradient."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.remedies import OWN_INIT, without_inits
from nncli.core.arrays import Array
from nncli.core.text import count
from nncli.layers.base import Layer

FIRST, LATER = 0.5, 0.9
"""Shares of a layer's units that may be dead at first, and after some steps.

Zero biases leave a ReLU dead for few directions of its weights only: the shipped
configs have up to 0.17 at first (Lu et al. 2020, "Dying ReLU and initialization"). Half
of them dead is half of the layer paid for and not used. The first steps, of one
direction for all rows, may quiet more for a while: up to 0.6 in the shipped configs.
"""

SMALLER = (0.1, 0.01, 1e-3)
"""Factors of the learning rate that are tried, until the units live."""


class DeadUnits(Check, name="dead_units"):
    """Activations that are constant over all rows although what they are given varies.

    At first values, and once more after the first steps of training.
    """

    stage = "training"

    def run(self) -> Iterator[Finding]:
        exam = self.exam
        early = exam.first.dead(FIRST)
        if early:
            yield self._finding(early, "at first values", FIRST, *self._mend(early))
        if early or exam.experiment.optimizer.full_batch:
            return
        dying = self._dying(1.0)
        if not dying:
            return
        factors = (factor for factor in SMALLER if self._lives(factor))
        overrides = [
            f"optimizer.lr={exam.rehearsal(factor).lr:.2g}"
            for factor in islice(factors, 1)
        ]
        yield self._finding(
            dying,
            f"after {count(exam.steps, 'step')} of training",
            LATER,
            "Train with a smaller learning rate: large steps push ReLUs to where they "
            "give 0.",
            *overrides,
        )

    def _dying(self, factor: float) -> list[tuple[Layer, Array]]:
        """Return what is dead after the first steps at a learning rate."""
        after = self.exam.rehearsal(factor).after
        return [] if after is None else after.dead(LATER)

    def _lives(self, factor: float) -> bool:
        """Whether units live at a learning rate, and the network learns."""
        learns = self.exam.learned(self.exam.rehearsal(factor)) > 0
        return learns and not self._dying(factor)

    def _finding(
        self,
        layers: list[tuple[Layer, Array]],
        when: str,
        share: float,
        advice: str,
        *overrides: str,
    ) -> Finding:
        return self.finding(
            f"{told(layers)} are dead {when}: they give the same for all "
            f"{self.exam.batch.rows:,} rows, and no gradient passes them (limit: "
            f"{100 * share:.0f} %).",
            advice,
            *overrides,
        )

    def _mend(self, layers: list[tuple[Layer, Array]]) -> tuple[str, ...]:
        inits = without_inits(self.exam)
        if inits:
            return OWN_INIT, *inits
        places = dict.fromkeys(self.exam.place(layer) for layer, _ in layers)
        return (
            "Take an activation that is flat nowhere.",
            *(f"{place}=leaky_relu" for place in places),
        )


def told(layers: list[tuple[Layer, Array]]) -> str:
    """Return how many units of which layers are dead, in words."""
    return ", ".join(
        f"{dead.sum():,} of {count(dead.size, 'unit')} of {layer.label}"
        for layer, dead in layers
    )
