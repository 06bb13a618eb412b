"""Rotation: positions as angles by which queries and keys are rotated."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.core.arrays import Array, xp
from nncli.core.errors import ShapeError

BASE = 10_000.0
"""The slowest pair of features turns about so many times slower than the first."""


class Rotation:
    """Rotates pairs of features by the angle t·10000^(−2i/d) at step t.

    (a, b) becomes (a·cos − b·sin, b·cos + a·sin), where a and b are the features i and
    i + d/2, as in GPT-NeoX and Llama; the paper pairs 2i and 2i + 1, which is the same
    but for the order of features. The product of a query and a key then depends on how
    far apart their steps are. Source: Su et al. 2021 ("RoFormer").

    Args:
        steps: How many steps T there are.
        size: Features d of a head.
        dtype: Their element type.
        first: The number of the first step.
    """

    def __init__(self, steps: int, size: int, dtype: Any, first: int = 0) -> None:
        if size % 2:
            raise ShapeError(
                f"rotary: expected an even number of features a head, got {size}."
            )
        speeds = BASE ** (-xp.arange(0, size, 2) / max(size, 1))
        angles = xp.arange(first, first + steps)[:, None, None] * speeds
        # (T, 1, d/2): the same for all heads.
        self.cos: Array = np.cos(angles).astype(dtype)
        self.sin: Array = np.sin(angles).astype(dtype)
        self.back: Array = -self.sin

    def rotate(self, x: Array, work: Array, out: Array) -> None:
        """Write x (N, T, H, d), rotated; ``work`` (N, T, H, d/2) is written over."""
        self._rotate(x, self.sin, work, out)

    def rotate_back(self, x: Array, work: Array, out: Array) -> None:
        """Write x, rotated the other way: what ``rotate`` does to gradients."""
        self._rotate(x, self.back, work, out)

    def _rotate(self, x: Array, sin: Array, work: Array, out: Array) -> None:
        half = x.shape[-1] // 2
        a, b = x[..., :half], x[..., half:]
        to_a, to_b = out[..., :half], out[..., half:]
        xp.multiply(b, sin, out=work)
        xp.multiply(a, self.cos, out=to_a)
        xp.subtract(to_a, work, out=to_a)
        xp.multiply(a, sin, out=work)
        xp.multiply(b, self.cos, out=to_b)
        xp.add(to_b, work, out=to_b)
