"""Units that a training has left with the same number for every row."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.checks.dead_units import told

SHARE = 0.5
"""Of a layer's units, that may be dead behind a training: beyond, half of the layer is
paid for and not used."""


class TrainedUnits(Check, name="trained_units"):
    """Activations of a trained network that are constant over all rows.

    Only where a run is examined as it is, with the parameters of its best checkpoint.
    """

    stage = "training"

    def run(self) -> Iterator[Finding]:
        exam = self.exam
        if exam.trained is None:
            return
        dead = exam.trained.dead(SHARE)
        if not dead:
            return
        yield self.finding(
            f"{told(dead)} are dead in the trained network: they give the same for all "
            f"{exam.batch.rows:,} rows (limit: {100 * SHARE:.0f} %).",
            "Train with a smaller learning rate, or with fewer units.",
            f"optimizer.lr={exam.config.optimizer.lr / 10:.2g}",
        )
