"""Shades: numbers as characters, the larger the number the more ink."""

from __future__ import annotations

import numpy as np

from nncli.core.arrays import Array

SHADES = " .:-=+*#%@"
SIGNED = "=- +#"
"""Far below 0, below 0, about 0, above, far above."""

REGIONS = " .:-~,'="
"""The ground of classes."""


def shaded(values: Array, *, signed: bool = False) -> Array:
    """Return a character for each number, by its place between the extremes."""
    known = np.nan_to_num(values.astype(np.float64))
    levels = SIGNED if signed else SHADES
    if signed:
        largest = float(abs(known).max(initial=0)) or 1.0
        low, high = -largest, largest
    else:
        low, high = float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))
    share = (known - low) / ((high - low) or 1.0)
    places = np.clip(share * len(levels), 0, len(levels) - 1).astype(int)
    cells: Array = np.array(list(levels), object)[places]
    return cells
