"""Rows that a Python program hands over."""

from __future__ import annotations

import numpy as np

from nncli.data.base import Dataset, Table
from nncli.errors import DataError


class Arrays(Dataset, name="arrays"):
    """Rows that a Python program hands to ``Model.fit``; nothing to load from a file.

    It stands in the config of a model that was made in Python.
    """

    def load(self, rng: np.random.Generator) -> Table:
        """Refuse: there is nothing to load."""
        raise DataError(
            "dataset arrays: expected a Python program that hands rows to Model.fit, "
            "got none. Name a dataset that can be loaded."
        )
