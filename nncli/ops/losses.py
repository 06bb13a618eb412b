"""What losses share: reduction to one number, weights of rows; and the penalty."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np

from nncli.autograd.function import Case, Function
from nncli.backend import Array, Shape, xp
from nncli.errors import ShapeError

Reduction = Literal["mean", "sum"]


class Elementwise(Function):
    """Base of losses Σ w·l(x, t) / n of outputs x and targets t in one shape.

    A member defines l and dl/dx for each element; the base does the rest. Targets and
    weights are constants: their gradient is not defined. Called with (outputs,
    targets) or (outputs, targets, weights), weights (N,) being one factor a row; the
    mean still divides by n, as in Keras.

    Args:
        reduction: ``mean`` divides by the number of elements, ``sum`` does not.

    Class attributes:
        of_vectors: l is a number for each vector along the last axis: ``mean`` divides
            by the number of vectors.
    """

    differentiable = 1
    of_vectors: ClassVar[bool] = False

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction = reduction

    def allocate(self, outputs: Array, targets: Array, *weights: Array) -> Array:
        """Make room for two numbers an element."""
        if outputs.shape != targets.shape:
            raise ShapeError(
                f"{self.type_name}: expected targets of the outputs' shape "
                f"{outputs.shape}, got {targets.shape}."
            )
        check_weights(self.type_name, outputs.shape[:1], weights)
        size = math.prod(outputs.shape[:-1]) if self.of_vectors else outputs.size
        self.count = size if self.reduction == "mean" else 1
        self.work, self.work2 = xp.empty_like(outputs), xp.empty_like(outputs)
        return xp.empty((), outputs.dtype)

    @abstractmethod
    def values(self, x: Array, t: Array) -> Array:
        """Write l(x, t) to a workspace and return it: the base may write over it."""

    @abstractmethod
    def slopes(self, scale: float, dx: Array) -> None:
        """Write scale·dl/dx."""

    def forward(self, outputs: Array, targets: Array, *rest: Array) -> None:
        """Write the sum or the mean."""
        self.weights = rest[0] if len(rest) == 2 else None
        values = self.values(outputs, targets)
        if self.weights is not None:
            xp.multiply(values, by_row(self.weights, values.ndim), out=values)
        rest[-1][()] = xp.add.reduce(values, axis=None).item() / self.count

    def backward(
        self, grad: Array, doutputs: Array | None, *_constants: Array | None
    ) -> None:
        """Write dL/dy·w·dl/dx / n."""
        if doutputs is None:
            return
        self.slopes(grad.item() / self.count, doutputs)
        if self.weights is not None:
            xp.multiply(doutputs, by_row(self.weights, doutputs.ndim), out=doutputs)

    def flops(self, *arrays: Array) -> int:
        """Count about three operations an element."""
        return int(3 * arrays[0].size)


def check_weights(name: str, rows: Shape, weights: tuple[Array, ...]) -> None:
    """Refuse weights that are not one number a row."""
    if weights and weights[0].shape != rows:
        raise ShapeError(
            f"{name}: expected one weight a row, shape {rows}, got {weights[0].shape}."
        )


def by_row(weights: Array, ndim: int) -> Array:
    """Return weights (N,) in a shape that broadcasts over ``ndim`` axes."""
    return weights.reshape(-1, *(1,) * (ndim - 1))


def vary(
    functions: Sequence[Elementwise],
    rng: np.random.Generator,
    outputs: Array,
    targets: Array,
) -> Iterator[Case]:
    """Yield a call of each function, and weights of the rows for the last one."""
    for function in functions[:-1]:
        yield Case(function, (outputs, targets), constant=(1,))
    weights = rng.uniform(0.0, 2.0, len(outputs))
    yield Case(functions[-1], (outputs, targets, weights), constant=(1, 2))


class Penalty(Function, name="penalty"):
    """y = x + l1·Σ|w| + l2·Σw²: the loss x with a price on the weight w.

    dL/dx = dL/dy; dL/dw = dL/dy · (l1·sign(w) + 2·l2·w). As in Keras, l2 multiplies
    Σw² without a factor ½.

    Args:
        l1: Price of the sum of absolute values.
        l2: Price of the sum of squares.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = l1
        self.l2 = l2

    def allocate(self, x: Array, weight: Array) -> Array:
        """Make room for |w|."""
        self.work = xp.empty_like(weight)
        return xp.empty_like(x)

    def forward(self, x: Array, weight: Array, out: Array) -> None:
        """Write the sum."""
        self.weight = weight
        price = 0.0
        if self.l2:
            price += self.l2 * xp.vdot(weight, weight).item()
        if self.l1:
            xp.abs(weight, self.work)
            price += self.l1 * xp.add.reduce(self.work, axis=None).item()
        out[()] = x.item() + price

    def backward(self, grad: Array, dx: Array | None, dweight: Array | None) -> None:
        """Hand the gradient on, and write that of the price."""
        if dx is not None:
            xp.copyto(dx, grad)
        if dweight is None:
            return
        scale = grad.item()
        xp.multiply(self.weight, 2 * self.l2 * scale, out=dweight)
        if self.l1:
            xp.sign(self.weight, self.work)
            xp.multiply(self.work, self.l1 * scale, out=self.work)
            xp.add(dweight, self.work, dweight)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Each price alone, and both."""
        for l1, l2 in ((0.3, 0.0), (0.0, 0.2), (0.1, 0.4)):
            yield Case(cls(l1, l2), (xp.asarray(1.5), rng.normal(size=(3, 2))))
