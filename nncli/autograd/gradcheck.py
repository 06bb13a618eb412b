"""Gradcheck: analytic derivatives against central differences, in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nncli.autograd.buffers import Pool
from nncli.autograd.differences import TOLERANCE, Differences
from nncli.autograd.function import Case
from nncli.autograd.plan import backward_plan
from nncli.autograd.tape import record, steps_of
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array, xp

MOST = 200
"""Elements of a tensor that are compared, where operations suffice."""

LEAST = 8
"""Elements of a tensor that are always compared."""

BUDGET = 4e9
"""Floating-point operations that the differences of one objective may take."""

EVALUATIONS = 4
"""How often the objective is computed for one element, at least."""

CALL = 20_000
"""Operations that take as long as calling a Function."""


@dataclass(frozen=True)
class Effort:
    """How many elements of each tensor are compared.

    Attributes:
        most: At most so many, evenly spread; fewer where the objective is expensive.
        least: So many in any case.
        budget: Floating-point operations that the differences may take, about.
    """

    most: int = MOST
    least: int = LEAST
    budget: float = BUDGET

    def count(self, operations: int, tensors: int) -> int:
        """Return how many, where the objective takes so many operations."""
        each = EVALUATIONS * operations * max(tensors, 1)
        return min(self.most, max(int(self.budget / each), self.least))


ALL = Effort()


@dataclass(frozen=True)
class GradientReport:
    """What comparing one tensor's gradient found.

    Attributes:
        name: Which tensor.
        index: Its element with the worst error.
        analytic: The derivative that ``backward`` gave there.
        numeric: The derivative that differences gave there.
        error: |analytic − numeric|, relative to the tensor's largest derivative.
        checked: How many elements were compared.
        kinks: How many elements were left out, because the value has a kink there, or
            bends too sharply.
        unwritten: How many elements of the gradient ``backward`` never wrote.
    """

    name: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    error: float
    checked: int
    kinks: int
    unwritten: int = 0

    @property
    def passed(self) -> bool:
        """Whether something was compared and the worst error is within 1e-6."""
        return self.checked > 0 and self.error <= TOLERANCE


def check_gradients(
    objective: Callable[[], Tensor],
    tensors: dict[str, Tensor],
    generators: Sequence[np.random.Generator] = (),
    effort: Effort = ALL,
    arrays: Sequence[Array] = (),
) -> list[GradientReport]:
    """Compare the gradients of a scalar with central differences.

    The numeric derivative is (f(x + h) − f(x − h)) / 2h with h = 1e-5·max(1, |x|), or
    less next to a kink (ReLU at 0). At a kink itself there is no derivative: the slopes
    on both sides differ by as much for h/3 as for h. Such an element is counted, not
    compared; so is one beside which f bends too sharply for any h. How far rounding
    moves f is estimated from the sizes of the terms that f is a sum of, Σ |x·df/dx|,
    not from f, whose terms may cancel.

    Gradients are computed into buffers full of NaN, so that what is never written
    shows.

    Args:
        objective: Computes the scalar from the tensors as they are now.
        tensors: What to differentiate by, by name; float64.
        generators: Put back to their state before every call of ``objective``, so
            that dropout drops the same elements each time.
        effort: How many elements of each tensor are compared.
        arrays: What ``objective`` changes and reads again, put back as well.

    Returns:
        One report a tensor.
    """
    differences = Differences(objective, generators, arrays)
    with record() as steps:
        root = objective()
    operations = sum(CALL + step.flops() for step in steps)
    grads = _gradients(root, tensors)
    pairs = [(tensor.data, grads[name]) for name, tensor in tensors.items()]
    differences.weigh(pairs)
    check = _Checker(differences, effort.count(operations, len(tensors)))
    return [check(name, t.data, grads[name]) for name, t in tensors.items()]


def _gradients(root: Tensor, tensors: dict[str, Tensor]) -> dict[str, Array]:
    """Return the analytic gradients; NaN where nothing was written."""
    reached = set()
    if root.step is not None and root.requires_grad:
        steps = steps_of(root.step)
        reached = {parent for step in steps for parent in step.parents}
        for tensor in tensors.values():
            tensor.grad = xp.full(tensor.shape, xp.nan)
        plan = backward_plan(steps, Pool(poison=True), accumulate=False)
        with xp.errstate(all="ignore"):
            for call in plan.calls:
                call()
    grads = {}
    for name, tensor in tensors.items():
        known = tensor.leaf in reached and tensor.grad is not None
        grads[name] = tensor.grad.copy() if known else xp.zeros(tensor.shape)  # type: ignore[union-attr]
    return grads


def check_case(case: Case, rng: np.random.Generator) -> list[GradientReport]:
    """Check one Function: the gradient of Σ c·y with random weights c."""
    inputs = [
        Tensor(
            array.copy(order="K"),
            requires_grad=i not in case.constant and case.function.has_derivative(i),
        )
        for i, array in enumerate(case.inputs)
    ]
    generators = generators_of(case.function)
    weights: list[Tensor] = []

    def objective() -> Tensor:
        # A Function is for one call.
        output = apply(copy.copy(case.function), *inputs)
        if not weights:
            weights.append(Tensor(rng.uniform(0.5, 1.5, output.shape)))
        return (output * weights[0]).sum()

    wanted = {
        f"input {i}": tensor for i, tensor in enumerate(inputs) if tensor.requires_grad
    }
    return check_gradients(objective, wanted, generators)


def generators_of(thing: object) -> list[np.random.Generator]:
    """Return the generators that an object draws from."""
    parts = vars(thing).values()
    return [part for part in parts if isinstance(part, np.random.Generator)]


@dataclass(frozen=True)
class _Checker:
    """Compares gradients of one objective.

    Attributes:
        differences: Those of the objective.
        count: How many elements of a tensor are compared.
    """

    differences: Differences
    count: int

    def __call__(self, name: str, data: Array, grad: Array) -> GradientReport:
        spread = xp.linspace(0, data.size - 1, min(data.size, self.count)).astype(int)
        # Of a large table, a few spread elements may all be ones that nothing uses.
        largest = [xp.nan_to_num(abs(grad)).argmax()] if grad.size else []
        chosen = xp.unique([*spread, *largest])
        pairs = []
        for flat in chosen:
            index = tuple(int(i) for i in np.unravel_index(flat, data.shape))
            numeric = self.differences.slope(data, index)
            if not isinstance(numeric, str):
                pairs.append((index, float(grad[index]), numeric))
        # Relative to the tensor's largest derivative; the floor is what rounding in
        # the value alone would make of a derivative that is zero.
        known = (abs(part) for pair in pairs for part in pair[1:])
        most = max((size for size in known if np.isfinite(size)), default=0.0)
        scale = max(self.differences.floor, most)
        errors = [
            abs(a - n) / scale if np.isfinite(a - n) else np.inf for _, a, n in pairs
        ]
        worst = int(np.argmax(errors)) if errors else None
        index, analytic, numeric = pairs[worst] if worst is not None else ((), 0.0, 0.0)
        error = errors[worst] if worst is not None else 0.0
        kinks = len(chosen) - len(pairs)
        unwritten = int(np.isnan(grad).sum())
        if unwritten:
            error = np.inf
        return GradientReport(
            name, index, analytic, numeric, error, len(pairs), kinks, unwritten
        )
