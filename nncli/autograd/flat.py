"""Flat: all parameters in one array, all their gradients in another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from nncli.autograd.memory import Home
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, aligned_zeros, xp
from nncli.core.errors import NncliError


class Flat(Home):
    """Moves tensors into one flat array; each tensor becomes a view of its part.

    Tensors with two axes or more (weights) come first, then those with one (biases,
    the gains and offsets of norms), each in their given order, so that an optimizer
    can treat both kinds differently with one cut. Nobody else needs to know the order:
    ``views`` takes any array of this length apart.

    Args:
        tensors: The parameters by name: leaves that require a gradient, each once, all
            of one dtype, none of them in another Flat.

    Attributes:
        values: (P,) every parameter's elements, one parameter after the other.
        grads: (P,) their gradients; those that the tensors had are kept.
        tensors: The parameters by name, in their given order.
        weights: How many elements at the beginning belong to weights.
        version: How often an optimizer changed the values.

    Raises:
        NncliError: A tensor is none that can be moved.
    """

    __slots__ = ("__weakref__", "_parts", "grads", "tensors", "values", "weights")

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        _check(tensors)
        self.tensors = tensors
        size = sum(tensor.size for tensor in tensors.values())
        dtype = next((t.dtype for t in tensors.values()), xp.dtype(xp.float32))
        self.values: Array = aligned_zeros(size, dtype)
        self.grads: Array = aligned_zeros(size, dtype)
        self.weights = sum(t.size for t in tensors.values() if t.ndim > 1)
        self._parts: dict[str, slice] = {}
        start = 0
        for name, tensor in sorted(tensors.items(), key=lambda item: item[1].ndim < 2):
            self._parts[name] = slice(start, start + tensor.size)
            start += tensor.size
        self.move(self.values, self.grads)

    @classmethod
    def of(cls, tensors: Iterable[Tensor]) -> Flat:
        """Return the Flat of some tensors: the one that holds just these, or a new one.

        Raises:
            NncliError: Some of them, but not all, are in another Flat.
        """
        given = list(tensors)
        homes = [getattr(tensor, "home", None) for tensor in given]
        home = next((each for each in homes if isinstance(each, Flat)), None)
        if home is not None and set(map(id, given)) == set(
            map(id, home.tensors.values())
        ):
            return home
        return cls({str(i): tensor for i, tensor in enumerate(given)})

    @property
    def parts(self) -> list[slice]:
        """Where each parameter lies in the flat arrays, from the first to the last."""
        return list(self._parts.values())

    def views(self, array: Array) -> dict[str, Array]:
        """Return the part of each parameter in a (P,) array, in its shape."""
        return {
            name: array[self._parts[name]].reshape(tensor.shape)
            for name, tensor in self.tensors.items()
        }

    def move(self, values: Array, grads: Array) -> None:
        """Let all values and gradients live in two other (P,) arrays from here on."""
        own, theirs = self.views(values), self.views(grads)
        for name, tensor in self.tensors.items():
            tensor.move(self, own[name], theirs[name])
        self.values, self.grads = values, grads

    @contextmanager
    def gradients_in(self, grads: Array) -> Iterator[None]:
        """Let what is planned inside the block write gradients to a (P,) array."""
        views = self.views(grads)
        leaves = [(t.leaf, views[name]) for name, t in self.tensors.items() if t.leaf]
        before = [leaf.grad for leaf, _ in leaves]
        for leaf, view in leaves:
            leaf.grad = view
        try:
            yield
        finally:
            for (leaf, _), grad in zip(leaves, before, strict=True):
                leaf.grad = grad

    @property
    def leaves(self) -> list[Tensor]:
        """The parameters, in their given order."""
        return list(self.tensors.values())


def _check(tensors: dict[str, Tensor]) -> None:
    seen: dict[int, str] = {}
    first: tuple[str, np.dtype[np.generic]] | None = None
    for name, tensor in tensors.items():
        where = f"parameter {name}"
        if not isinstance(tensor, Tensor):
            raise NncliError(
                f"{where}: expected a Tensor, got {type(tensor).__name__}."
            )
        if id(tensor) in seen:
            raise NncliError(
                f"{where}: expected each tensor once, got the one of parameter "
                f"{seen[id(tensor)]} again."
            )
        seen[id(tensor)] = name
        if tensor.leaf is None:
            found = "a computed value" if tensor.step is not None else "one without"
            raise NncliError(
                f"{where}: expected a leaf that requires a gradient, got {found}. "
                "Make it with requires_grad=True."
            )
        if tensor.home is not None:
            raise NncliError(
                f"{where}: the tensor already belongs to another optimizer or network, "
                "with other tensors beside it. Use one optimizer for all of them, or "
                "model.flat for those of a model."
            )
        if first is not None and tensor.dtype != first[1]:
            raise NncliError(
                f"{where}: expected parameters of one type, got {tensor.dtype} beside "
                f"{first[1]} of parameter {first[0]}. Convert one of them."
            )
        first = first or (name, tensor.dtype)
