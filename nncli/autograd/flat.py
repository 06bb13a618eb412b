"""Flat: all parameters in one array, all their gradients in another."""

from __future__ import annotations

from nncli.autograd.tensor import Tensor
from nncli.backend import Array, xp


class Flat:
    """Moves tensors into one flat array; each tensor becomes a view of its part.

    Tensors with two axes or more (weights) come first, then those with one (biases,
    the gains and offsets of norms), each in their given order, so that an optimizer
    can treat both kinds differently with one cut.

    Args:
        tensors: The parameters by name; all of one dtype.

    Attributes:
        values: (P,) every parameter's elements, one parameter after the other.
        grads: (P,) their gradients.
        tensors: The parameters by name, in their given order.
        slices: Where each parameter lies in the flat arrays, in the order of these.
        weights: How many elements at the beginning belong to weights.
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        size = sum(tensor.size for tensor in tensors.values())
        dtype = next((t.dtype for t in tensors.values()), xp.dtype(xp.float32))
        self.values: Array = xp.empty(size, dtype)
        self.grads: Array = xp.zeros(size, dtype)
        self.slices: list[slice] = []
        self.weights = sum(t.size for t in tensors.values() if t.ndim > 1)
        start = 0
        for tensor in sorted(tensors.values(), key=lambda tensor: tensor.ndim < 2):
            part = slice(start, start + tensor.size)
            view = self.values[part].reshape(tensor.shape)
            xp.copyto(view, tensor.data)
            tensor.data = view
            tensor.grad = self.grads[part].reshape(tensor.shape)
            self.slices.append(part)
            start = part.stop

    @property
    def leaves(self) -> list[Tensor]:
        """The parameters, in their given order."""
        return list(self.tensors.values())
