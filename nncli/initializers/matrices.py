"""Initializers of a whole matrix: they look at rows and columns, not at elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.random import Generator

from nncli.core.arrays import Array, Shape
from nncli.core.errors import ShapeError
from nncli.initializers.base import Fans, WithGain


class Identity(WithGain, name="identity"):
    """w_ij = gain where i = j, else 0: the layer hands its inputs on.

    For a dense layer a matrix with ones on its diagonal, square or not (PyTorch's
    ``eye_``); a kernel is zero but for its middle (PyTorch's ``dirac_``).

    Args:
        gain: What stands on the diagonal: a number, or the activation that it suits.
    """

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        """Return the matrix, or the kernels.

        Raises:
            ShapeError: The weight has no rows and columns.
        """
        if len(shape) < 2:
            raise ShapeError(
                f"identity expects a weight with rows and columns, got shape {shape}."
            )
        w = np.zeros(shape)
        diagonal = np.arange(min(shape[:2]))
        middle = tuple(size // 2 for size in shape[2:])
        place: tuple[Any, ...] = (diagonal, diagonal, *middle)
        w[place] = self.factor
        return w


class Orthogonal(WithGain, name="orthogonal"):
    """w = g·Q, with QᵀQ = 1 or QQᵀ = 1: lengths stay (Q drawn uniformly).

    Q is the orthogonal factor of a matrix of normal numbers of shape (outputs, inputs ·
    kernel), with signs that make R's diagonal positive. PyTorch's ``orthogonal_``.
    Source: Saxe et al. 2014; Mezzadri 2007 for the signs.
    """

    def sample(self, shape: Shape, fans: Fans, rng: Generator) -> Array:
        rows, columns = (shape[0], math.prod(shape[1:])) if shape else (1, 1)
        tall = rng.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
        w = q if rows >= columns else q.T
        return self.factor * np.ascontiguousarray(w).reshape(shape)
