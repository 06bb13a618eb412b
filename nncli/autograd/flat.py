"""Flat: all parameters in one array, all their gradients in another."""

from __future__ import annotations

from nncli.autograd.tensor import Tensor
from nncli.backend import Array, xp


class Flat:
    """Moves tensors into one flat array; each tensor becomes a view of its part.

    Args:
        tensors: The parameters by name; all of one dtype, in the order that the flat
            array shall have.

    Attributes:
        values: (P,) every parameter's elements, one parameter after the other.
        grads: (P,) their gradients.
        tensors: The parameters by name.
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        size = sum(tensor.size for tensor in tensors.values())
        dtype = next((t.dtype for t in tensors.values()), xp.dtype(xp.float32))
        self.values: Array = xp.empty(size, dtype)
        self.grads: Array = xp.zeros(size, dtype)
        start = 0
        for tensor in tensors.values():
            stop = start + tensor.size
            view = self.values[start:stop].reshape(tensor.shape)
            xp.copyto(view, tensor.data)
            tensor.data = view
            tensor.grad = self.grads[start:stop].reshape(tensor.shape)
            start = stop

    @property
    def leaves(self) -> list[Tensor]:
        """The parameters."""
        return list(self.tensors.values())
