"""Passes: one batch there and back through a network, every value kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from nncli.autograd.differences import TOLERANCE, Differences
from nncli.autograd.gradcheck import CALL, Effort
from nncli.autograd.tape import labelled, no_grad, record
from nncli.autograd.tensor import Tensor, apply
from nncli.checking.quantity import Element, Formula, Note, Quantity
from nncli.core.arrays import Array, Shape, xp
from nncli.data.batches import Batch
from nncli.experiment.experiment import Experiment
from nncli.layers.chain import Call, watch
from nncli.ops.arithmetic import Add

EFFORT = Effort(most=12, least=1, budget=1e10)
"""Up to how many elements the derivatives of all are shown; fewer of large networks."""

EPSILON = 1e-10
"""By how much a loss may differ from itself: as rounding in another order can."""

VISIBLE = 1e-3
"""By which share of them two derivatives differ that look different."""

LARGEST = 8
"""Derivatives that are shown of an array with more elements."""


class Probes:
    """Adds zeros to all values between layers, so that one can differentiate by them.

    dL/d(zero) of a layer's input is what this layer alone hands back, also where the
    input goes elsewhere too.
    """

    def __init__(self) -> None:
        self._zeros: list[Tensor] = []
        self._used = 0
        self._behind: dict[int, Tensor] = {}

    def restart(self) -> None:
        """Begin another pass, which has the same values in the same order."""
        self._used = 0
        self._behind.clear()

    def __call__(self, x: Tensor) -> Tensor:
        """Return x + 0; integers as they are."""
        if x.dtype.kind != "f":
            return x
        if self._used == len(self._zeros):
            self._zeros.append(Tensor(xp.zeros_like(x.data), requires_grad=True))
        zero = self._zeros[self._used]
        self._used += 1
        with labelled("probe"):
            y = apply(Add(), x, zero)
        self._behind[id(y)] = zero
        return y

    def of(self, value: Tensor) -> Tensor | None:
        """Return the zero in a value of the last pass, None for integers."""
        return self._behind.get(id(value))

    def __len__(self) -> int:
        return len(self._zeros)


@dataclass(frozen=True)
class Values:
    """What came out of a forward pass.

    Attributes:
        calls: Every call of a layer, in the order they ended.
        outputs: What the network gives.
        loss: The loss.
        total: The same with what weights add to it; it is differentiated.
    """

    calls: list[Call]
    outputs: Tensor
    loss: Tensor
    total: Tensor


class Passes:
    """A forward and a backward pass of one batch, and differences beside them.

    To be made and asked inside one ``trial``.

    Args:
        experiment: In float64.
        batch: In float64.

    Attributes:
        values: Those of the forward pass.
        worst: The largest error so far of a derivative beside its numeric one,
            relative to the largest derivative of its array, or to the size below which
            errors are not told from rounding.
        unsteady: What gives another result of the same input each time, by generators
            that nobody can put back; "" for nothing. No difference says anything then.
    """

    def __init__(self, experiment: Experiment, batch: Batch) -> None:
        self._experiment, self._batch = experiment, batch
        self._probes = Probes()
        network = experiment.network
        generators, state = [network.streams.noise], list(network.state.values())
        self._differences = Differences(lambda: self.forward().total, generators, state)
        with record() as self._steps:
            self.values = self.forward()
        network.flat.grads.fill(0)
        self.values.total.backward()
        tensors = list(network.flat.tensors.values())
        self._differences.weigh(
            (tensor.data, tensor.grad) for tensor in tensors if tensor.grad is not None
        )
        operations = sum(CALL + step.flops() for step in self._steps)
        self._count = EFFORT.count(operations, len(tensors) + len(self._probes))
        self.worst = 0.0
        self.unsteady = self._unsteady()

    def _unsteady(self) -> str:
        total, again = self.values.total.item(), self._differences.middle
        if abs(total - again) <= EPSILON * max(1.0, abs(total)):
            return ""
        self._differences.rewind()
        with no_grad(), watch() as calls:
            self._experiment.network(self._batch.x)
        for one, other in zip(self.values.calls, calls, strict=True):
            same = np.array_equal(one.x.data, other.x.data)
            if same and not np.array_equal(one.y.data, other.y.data):
                return one.layer.label
        return f"loss {self._experiment.loss.type_name}"

    def forward(self) -> Values:
        """Compute everything from the parameters as they are now."""
        network, batch = self._experiment.network, self._batch
        function = self._experiment.loss
        self._probes.restart()
        with watch(self._probes) as calls:
            outputs = network(batch.x)
        with labelled(f"loss {function.type_name}"):
            loss = function(outputs, batch.targets, batch.weights)
        return Values(calls, outputs, loss, network.with_penalties(loss))

    def ops(self, label: str) -> tuple[Formula, ...]:
        """Return what the ops that have a label say, each kind of op once."""
        kinds = {
            type(step.function): None
            for step in self._steps
            if step.label == label
            and step.function.differentiable is not False
            and not step.function.is_view
        }
        return tuple(Formula.of(kind) for kind in kinds)

    def value(self, name: str, tensor: Tensor) -> Quantity:
        """Return a value between two layers with its derivatives."""
        zero = self._probes.of(tensor)
        if zero is None or zero.grad is None:
            found = Quantity(name, tensor.data)
        else:
            found = self._quantity(name, tensor.data, zero.grad, zero.data)
        lengths = () if tensor.lengths is None else tuple(tensor.lengths.tolist())
        return replace(found, lengths=lengths)

    def parameter(
        self,
        name: str,
        tensor: Tensor,
        after: Array | None,
        remembered: Mapping[str, Array],
    ) -> Quantity:
        """Return a parameter with its derivatives and what became of it."""
        if after is None or tensor.grad is None:
            return Quantity(name, tensor.data.copy())
        data = tensor.data
        return self._quantity(name, data, tensor.grad, data, after, remembered)

    def _quantity(
        self,
        name: str,
        value: Array,
        gradient: Array,
        moved: Array,
        after: Array | None = None,
        remembered: Mapping[str, Array] = MappingProxyType({}),
    ) -> Quantity:
        """Compare the largest derivatives by ``moved``, which is part of the value."""
        largest = float(np.nan_to_num(abs(gradient)).max(initial=0))
        scale = max(self._differences.floor, largest)
        elements = []
        count = min(self._count, LARGEST) if value.size > self._count else value.size
        for index in _places(gradient, count):
            derivative = float(gradient[index])
            numeric, note = self._numeric(moved, index)
            error = 0.0 if numeric is None else abs(derivative - numeric) / scale
            # What is not a number is wrong as well.
            wrong = not error <= TOLERANCE
            self.worst = max(self.worst, error if error == error else np.inf)
            if numeric is not None and not wrong and _differ(derivative, numeric):
                note = "too small"
            to = None if after is None else float(after[index])
            kept = {each: float(array[index]) for each, array in remembered.items()}
            was = float(value[index])
            found = Element(index, was, derivative, numeric, wrong, note, to, kept)
            elements.append(found)
        return Quantity(name, value.copy(), gradient.copy(), after, tuple(elements))

    def _numeric(self, moved: Array, index: Shape) -> tuple[float | None, Note]:
        """Return the numeric derivative, or why there is none."""
        if self.unsteady:
            return None, ""
        found = self._differences.slope(moved, index)
        return (None, found) if isinstance(found, str) else (found, "")


def _differ(one: float, other: float) -> bool:
    """Whether two numbers differ so that one sees it."""
    return abs(one - other) > VISIBLE * max(abs(one), abs(other))


def _places(gradient: Array, count: int) -> list[Shape]:
    """Return the places of the largest derivatives, in the order of the array."""
    sizes = -np.nan_to_num(abs(gradient), nan=np.inf).ravel()
    chosen = sorted(np.argsort(sizes, kind="stable")[:count])
    return [
        tuple(int(i) for i in np.unravel_index(place, gradient.shape))
        for place in chosen
    ]
