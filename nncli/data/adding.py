"""The adding problem: two numbers to be remembered over many steps."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge

from nncli.core.arrays import check_memory
from nncli.core.signature import Positive
from nncli.data.base import Dataset
from nncli.data.table import Table


class Adding(Dataset, name="adding"):
    """Sequences of numbers, two of which are marked; the target is their sum.

    x (N, length, 2) holds numbers u ~ U(0, 1), and 1 where one is marked, else 0: one
    in each half. y (N, 1) is the sum of the two; always to guess 1 has an mse of 1/6.

    Source: Hochreiter and Schmidhuber 1997, "Long Short-Term Memory", in the form of Le
    et al. 2015, "A Simple Way to Initialize Recurrent Networks of Rectified Linear
    Units".

    Args:
        length: Steps of each sequence.
        samples: Number of sequences.
    """

    length: Annotated[int, Ge(2)] = 100
    samples: Positive = 10_000

    drawn = True

    def load(self, rng: np.random.Generator) -> Table:
        """Draw numbers, then places."""
        shape = (self.samples, self.length, 2)
        check_memory(shape, np.dtype(np.float64), "dataset")
        x = np.zeros(shape)
        x[..., 0] = rng.uniform(size=shape[:2])
        half, rows = self.length // 2, np.arange(self.samples)
        first = rng.integers(0, half, self.samples)
        second = rng.integers(half, self.length, self.samples)
        x[rows, first, 1] = x[rows, second, 1] = 1
        return Table(x, x[rows, first, :1] + x[rows, second, :1], None)
