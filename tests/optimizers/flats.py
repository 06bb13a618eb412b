"""Parameters without a network, for the tests of this folder."""

from __future__ import annotations

from nncli.autograd.flat import Flat
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array


def flat_of(*arrays: Array) -> Flat:
    """Return copies of the arrays as parameters p0, p1, ..."""
    return Flat(
        {
            f"p{i}": Tensor(array.copy(), requires_grad=True)
            for i, array in enumerate(arrays)
        }
    )
