"""Units that give the same number for every row, and get no gradient."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.look import Look, Signal
from nncli.checking.doctor.remedies import without_inits
from nncli.core.text import count
from nncli.layers.base import Layer

SHARE = 0.5
"""Share of a layer's units that may be dead.

Zero biases leave a ReLU dead for few directions of its weights only: the shipped
configs have up to 0.17 at first (Lu et al. 2020, "Dying ReLU and initialization"). Half
of them dead is half of the layer paid for and not used.
"""


class DeadUnits(Check, name="dead_units"):
    """Activations that are constant over all rows although what they are given varies.

    At first values, and once more after the first steps of training.
    """

    stage = "network"

    def run(self) -> Iterator[Finding]:
        dead = _dead(self.exam.first)
        for signal in dead:
            yield self._finding(signal, "at first values", *self._mend(signal.layer))
        exam = self.exam
        if dead or exam.experiment.optimizer.full_batch:
            return
        rehearsal = exam.rehearsal()
        if rehearsal.after is None:
            return
        lr = exam.config.optimizer.lr / 10
        for signal in _dead(rehearsal.after):
            yield self._finding(
                signal,
                f"after {count(len(rehearsal.losses), 'step')} of training",
                "Train with a smaller learning rate: large steps push ReLUs to where "
                "they give 0.",
                f"optimizer.lr={lr:g}",
            )

    def _finding(
        self, signal: Signal, when: str, advice: str, *overrides: str
    ) -> Finding:
        assert signal.dead is not None
        return self.finding(
            f"{signal.dead.sum():,} of {count(signal.dead.size, 'unit')} of "
            f"{signal.layer.label} are dead {when}: they give the same for all "
            f"{self.exam.batch.rows:,} rows, and no gradient passes them (up to "
            f"{SHARE:.0%} is taken).".replace("%", " %"),
            advice,
            *overrides,
        )

    def _mend(self, layer: Layer) -> tuple[str, ...]:
        inits = without_inits(self.exam)
        if inits:
            return (
                "Let weights begin with what suits the activation, rather than with "
                "an init of your own.",
                *inits,
            )
        return (
            "Take an activation that is flat nowhere.",
            f"{self.exam.place(layer)}=leaky_relu",
        )


def _dead(look: Look) -> list[Signal]:
    """Return the activations with too many dead units."""
    return [
        signal
        for signal in look.signals
        if signal.dead is not None and signal.dead.mean() > SHARE
    ]
