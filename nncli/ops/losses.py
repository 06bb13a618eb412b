"""What losses share: reduction to one number, weights of rows; and the penalty."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np

from nncli.autograd.buffers import Form, scratch, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ShapeError

Reduction = Literal["mean", "sum"]


class Elementwise(Function, kw_only=True):
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

    reduction: Reduction = "mean"

    layout = "any"
    differentiable = (True, False)
    saves_output = False
    of_vectors: ClassVar[bool] = False

    def allocate(self, outputs: Array, targets: Array, *weights: Array) -> Array:
        if outputs.shape != targets.shape:
            raise ShapeError(
                f"{self.type_name}: expected targets of the outputs' shape "
                f"{outputs.shape}, got {targets.shape}."
            )
        check_weights(self.type_name, outputs.shape[:1], weights)
        size = math.prod(outputs.shape[:-1]) if self.of_vectors else outputs.size
        self.count = counted(size) if self.reduction == "mean" else 1
        self.rooms = self.forms(Form.of(outputs))
        return xp.empty((), outputs.dtype)

    def forms(self, element: Form) -> tuple[Form, ...]:
        """Return the forms of the workspaces that ``values`` and ``slopes`` get.

        Args:
            element: The form of one number an element.
        """
        return element, element

    @abstractmethod
    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        """Write l(x, t) to a workspace and return it: the base may write over it."""

    @abstractmethod
    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        """Write scale·dl/dx to ``dx``."""

    def forward(self, outputs: Array, targets: Array, *rest: Array) -> None:
        self.outputs, self.targets = outputs, targets
        self.weights = rest[0] if len(rest) == 2 else None
        values = self.values(outputs, targets, *scratches(*self.rooms))
        if self.weights is not None:
            xp.multiply(values, by_row(self.weights, values.ndim), out=values)
        rest[-1][()] = xp.add.reduce(values, axis=None).item() / self.count

    def backward(
        self, grad: Array, doutputs: Array | None, *_constants: Array | None
    ) -> None:
        """Write dL/dy·w·dl/dx / n."""
        if doutputs is None:
            return
        scale = grad.item() / self.count
        rooms = scratches(*self.rooms)
        self.slopes(self.outputs, self.targets, scale, doutputs, *rooms)
        if self.weights is not None:
            xp.multiply(doutputs, by_row(self.weights, doutputs.ndim), out=doutputs)

    def flops(self, *arrays: Sized) -> int:
        """Count about three operations an element."""
        return 3 * arrays[0].size


def counted(size: int) -> float:
    """Return what a mean divides by: NaN for no elements, of which PyTorch's is NaN."""
    return size or math.nan


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
        yield Case(function, (outputs, targets))
    weights = rng.uniform(0.0, 2.0, len(outputs))
    yield Case(functions[-1], (outputs, targets, weights))


class Penalty(Function, name="penalty"):
    """y = x + l1·Σ|w| + l2·Σw²: the loss x with a penalty on the weight w.

    dL/dx = dL/dy; dL/dw = dL/dy · (l1·sign(w) + 2·l2·w). As in Keras, l2 multiplies
    Σw² without a factor ½.

    Args:
        l1: Factor of the sum of absolute values.
        l2: Factor of the sum of squares.
    """

    l1: float = 0.0
    l2: float = 0.0

    layout = "any"
    elementwise = True
    saves_inputs = (False, True)
    saves_output = False

    def allocate(self, x: Array, weight: Array) -> Array:
        self.form = Form.of(weight)
        return xp.empty_like(x)

    def forward(self, x: Array, weight: Array, out: Array) -> None:
        self.weight = weight
        penalty = 0.0
        if self.l2:
            # Over memory, whatever its order: the sum is the same.
            flat = weight.ravel(order="K")
            penalty += self.l2 * xp.dot(flat, flat).item()
        if self.l1:
            size = scratch(self.form)
            xp.abs(weight, out=size)
            penalty += self.l1 * xp.add.reduce(size, axis=None).item()
        out[()] = x.item() + penalty

    def backward(self, grad: Array, dx: Array | None, dweight: Array | None) -> None:
        """Write the gradient of the penalty, and hand the loss's on."""
        if dweight is not None:
            scale = grad.item()
            xp.multiply(self.weight, 2 * self.l2 * scale, out=dweight)
            if self.l1:
                sign = scratch(self.form)
                xp.sign(self.weight, out=sign)
                xp.multiply(sign, self.l1 * scale, out=sign)
                xp.add(dweight, sign, out=dweight)
        if dx is not None and dx is not grad:
            xp.copyto(dx, grad)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Each penalty alone, and both."""
        for l1, l2 in ((0.3, 0.0), (0.0, 0.2), (0.1, 0.4)):
            yield Case(cls(l1, l2), (xp.asarray(1.5), rng.normal(size=(3, 2))))
