"""Region: what a network says at each place of a square around the points."""

from __future__ import annotations

import base64

import numpy as np

from nncli.core.arrays import Array
from nncli.data.table import Table
from nncli.experiment.experiment import Experiment
from nncli.experiment.predict import predictions

SIDE = 64
"""Places a side."""

MARGIN = 0.12
"""Of the extent of the points, on each side."""

SURE = 31
"""How sure a network is goes from 0 to this."""


class Region:
    """The places of a square, and what a network says there.

    Args:
        experiment: What is asked.

    Attributes:
        low: The least x and the least y of the square.
        size: The length of its sides.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        rows = experiment.parts["train"].rows
        points = rows.read("x", slice(0, len(rows))).astype(float)
        low, high = points.min(axis=0), points.max(axis=0)
        self.size = float((high - low).max() * (1 + 2 * MARGIN)) or 1.0
        self.low = ((low + high - self.size) / 2).tolist()
        steps = (np.arange(SIDE) + 0.5) / SIDE * self.size
        # Line by line, the uppermost first, as a picture is drawn.
        y, x = np.meshgrid(
            self.low[1] + steps[::-1], self.low[0] + steps, indexing="ij"
        )
        self._places = Table(np.stack([x.ravel(), y.ravel()], axis=1))
        targets = rows.read("y", slice(0, len(rows))).astype(float)
        self._range = float(targets.min()), float(targets.max())

    def text(self) -> str:
        """Return a byte for each place, in base64.

        Of classes 32 times the class, plus how sure it is: 0 where all are as likely,
        31 where one is certain. Of numbers 0 for the least target, 255 for the
        greatest.
        """
        values = predictions(self._experiment, self._places)
        coded = (
            self._classes(values) if self._experiment.classes else self._level(values)
        )
        return base64.b64encode(coded.tobytes()).decode()

    def _classes(self, values: Array) -> Array:
        chance = 1 / values.shape[-1]
        sure = (values.max(axis=-1) - chance) / (1 - chance)
        coded: Array = values.argmax(axis=-1) * (SURE + 1) + np.rint(sure * SURE)
        return coded.astype(np.uint8)

    def _level(self, values: Array) -> Array:
        low, high = self._range
        level = (values[:, 0] - low) / ((high - low) or 1.0)
        return np.rint(np.clip(np.nan_to_num(level), 0, 1) * 255).astype(np.uint8)
