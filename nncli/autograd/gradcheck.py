"""Gradcheck: analytic derivatives against central differences, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nncli.autograd.function import Case
from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Array, xp

TOLERANCE = 1e-6
STEP = 1e-5
FLOOR = 1e-3
EPSILON = float(np.finfo(np.float64).eps)


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
        kinks: How many elements were left out, because the value has a kink there.
    """

    name: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    error: float
    checked: int
    kinks: int

    @property
    def passed(self) -> bool:
        """Whether something was compared and the worst error is within 1e-6."""
        return self.checked > 0 and self.error <= TOLERANCE


def check_gradients(
    objective: Callable[[], Tensor],
    tensors: dict[str, Tensor],
    generators: Sequence[np.random.Generator] = (),
    max_elements: int = 200,
) -> list[GradientReport]:
    """Compare the gradients of a scalar with central differences.

    The numeric derivative is (f(x + h) − f(x − h)) / 2h with h = 1e-5·max(1, |x|), or
    less next to a kink (ReLU at 0). At a kink itself there is no derivative: the
    slopes on both sides differ by as much for h/3 as for h. Such an element is
    counted, not compared.

    Args:
        objective: Computes the scalar from the tensors as they are now.
        tensors: What to differentiate by, by name; float64.
        generators: Put back to their state before every call of ``objective``, so
            that dropout drops the same elements each time.
        max_elements: Check at most so many elements of each tensor, evenly spread.

    Returns:
        One report a tensor.
    """
    states = [generator.bit_generator.state for generator in generators]

    def evaluate() -> Tensor:
        for generator, state in zip(generators, states, strict=True):
            generator.bit_generator.state = state
        return objective()

    def value() -> float:
        with no_grad():
            return evaluate().item()

    for tensor in tensors.values():
        tensor.zero_grad()
    root = evaluate()
    if root.step is not None:
        root.backward()
    return [
        _check_tensor(name, tensor, value, max_elements)
        for name, tensor in tensors.items()
    ]


def check_case(case: Case, rng: np.random.Generator) -> list[GradientReport]:
    """Check one Function: the gradient of Σ c·y with random weights c."""
    inputs = [
        Tensor(array.copy(), requires_grad=i not in case.constant)
        for i, array in enumerate(case.inputs)
    ]
    generators = [
        part
        for part in vars(case.function).values()
        if isinstance(part, np.random.Generator)
    ]
    weights: list[Tensor] = []

    def objective() -> Tensor:
        output = apply(case.function, *inputs)
        if not weights:
            weights.append(Tensor(rng.uniform(0.5, 1.5, output.shape)))
        return (output * weights[0]).sum()

    wanted = {
        f"input {i}": tensor for i, tensor in enumerate(inputs) if tensor.requires_grad
    }
    return check_gradients(objective, wanted, generators)


def _check_tensor(
    name: str, tensor: Tensor, value: Callable[[], float], max_elements: int
) -> GradientReport:
    grad = tensor.grad if tensor.grad is not None else xp.zeros_like(tensor.data)
    count = min(tensor.size, max_elements)
    chosen = xp.unique(xp.linspace(0, tensor.size - 1, count).astype(int))
    middle = value()
    pairs = []
    for flat in chosen:
        index = tuple(int(i) for i in np.unravel_index(flat, tensor.shape))
        numeric = _numeric(tensor.data, index, value, middle)
        if numeric is not None:
            pairs.append((index, float(grad[index]), numeric))
    # Relative to the tensor's largest derivative; the floor is what rounding in
    # the value alone would make of a derivative that is zero.
    scale = max(
        FLOOR * max(1.0, abs(middle)),
        max((abs(part) for pair in pairs for part in pair[1:]), default=0.0),
    )
    errors = [abs(a - n) / scale if np.isfinite(a - n) else np.inf for _, a, n in pairs]
    worst = int(np.argmax(errors)) if errors else None
    index, analytic, numeric = pairs[worst] if worst is not None else ((), 0.0, 0.0)
    error = errors[worst] if worst is not None else 0.0
    kinks = len(chosen) - len(pairs)
    return GradientReport(name, index, analytic, numeric, error, len(pairs), kinks)


def _numeric(
    data: Array, index: tuple[int, ...], value: Callable[[], float], middle: float
) -> float | None:
    """Return the central difference at one element, None at a kink."""
    kept = float(data[index])

    def slopes(h: float) -> tuple[float, float]:
        """Return the central slope, and how much both sides differ."""
        data[index] = kept + h
        up = value()
        data[index] = kept - h
        down = value()
        data[index] = kept
        return (up - down) / (2 * h), abs(up - 2 * middle + down) / h

    for shrink in (1, 10, 100):
        h = STEP / shrink * max(1.0, abs(kept))
        central, gap = slopes(h)
        inner, inner_gap = slopes(h / 3)
        rounding = 8 * EPSILON * max(1.0, abs(middle)) / (h / 3)
        # Of a smooth value, the central slope stays and the gap shrinks with h.
        moved = abs(central - inner) > 1e-7 * abs(central) + rounding
        bent = inner_gap > gap * 2 / 3 + rounding
        if not moved and not bent:
            return central
    return None
