"""Explanation: every number of one training step, to be shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nncli.core.arrays import Array, xp
from nncli.core.signature import about

WHOLE = 1000
"""Elements up to which JSON holds an array whole."""


@dataclass(frozen=True)
class Formula:
    """What a component says of itself.

    Attributes:
        name: In YAML, or of an op.
        text: Its docstring down to its arguments, "" for none.
    """

    name: str
    text: str

    @classmethod
    def of(cls, kind: type) -> Formula:
        """Read the docstring of a component or a Function."""
        return cls(getattr(kind, "type_name", kind.__name__), about(kind))


@dataclass(frozen=True)
class Element:
    """One element of an array, and what the loss L has to do with it.

    Attributes:
        index: Its place.
        value: What it was.
        derivative: dL/d(element) by the backward pass.
        numeric: The same by central differences; None at a kink.
        wrong: Both differ by more than rounding can explain.
        after: What the optimizer made of it; None where it is no parameter.
    """

    index: tuple[int, ...]
    value: float
    derivative: float
    numeric: float | None
    wrong: bool
    after: float | None = None

    @property
    def step(self) -> float | None:
        """By how much the optimizer moved it."""
        return None if self.after is None else self.after - self.value


@dataclass(frozen=True)
class Quantity:
    """An array, its derivative and its change.

    Attributes:
        name: ``x``, ``y``, or that of a parameter.
        value: What it was.
        gradient: dL/d(value); None for what has none: integers, what is frozen.
        after: What the step made of it; None for what no step changes.
        elements: Those of which the derivative is shown: all of a small array, else
            those with the largest derivatives.
    """

    name: str
    value: Array
    gradient: Array | None = None
    after: Array | None = None
    elements: tuple[Element, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found: dict[str, Any] = {"name": self.name, **array_facts(self.value)}
        if self.gradient is not None:
            found["gradient"] = array_facts(self.gradient)
        if self.after is not None:
            found["after"] = array_facts(self.after)
        if self.elements:
            found["elements"] = [_element_facts(each) for each in self.elements]
        return found


@dataclass(frozen=True)
class LayerExplained:
    """One call of a layer, there and back.

    Attributes:
        label: Where it stands: ``layers[2] dense``.
        depth: How many layers it is inside of.
        call: The layer as it was made: ``Dense(units=8)``.
        formula: The layer's docstring.
        ops: The docstrings of the ops that it is made of, with their derivatives.
        frozen: Whether its parameters are not trained.
        x: What goes in; its derivative is what the layer hands back.
        y: What comes out; its derivative is what the layer is handed.
        parameters: Its own, not those of layers inside it.
        memory: What it remembers from batch to batch, before and after.
    """

    label: str
    depth: int
    call: str
    formula: Formula
    ops: tuple[Formula, ...]
    frozen: bool
    x: Quantity
    y: Quantity
    parameters: tuple[Quantity, ...]
    memory: tuple[Quantity, ...]

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Its input, its parameters and its output."""
        return (self.x, *self.parameters, self.y)

    def facts(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "layer": self.label,
            "depth": self.depth,
            "call": self.call,
            "formula": self.formula.text,
            "ops": {op.name: op.text for op in self.ops},
            "frozen": self.frozen,
            "x": self.x.facts(),
            "parameters": [each.facts() for each in self.parameters],
            "y": self.y.facts(),
            "memory": [each.facts() for each in self.memory],
        }


@dataclass(frozen=True)
class LossExplained:
    """The loss of the sample.

    Attributes:
        call: The loss as it was made.
        formula: Its docstring.
        ops: As of a layer.
        fused: The activation that it contains, "" for none.
        outputs: What the network gives.
        predictions: What metrics make of that: probabilities, or the outputs.
        targets: What the loss compares with.
        names: The targets' classes, where they are few and have names.
        value: The loss itself.
        penalty: What the weights add to it.
    """

    call: str
    formula: Formula
    ops: tuple[Formula, ...]
    fused: str
    outputs: Quantity
    predictions: Array
    targets: Array
    names: tuple[str, ...]
    value: float
    penalty: float

    def facts(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "call": self.call,
            "formula": self.formula.text,
            "ops": {op.name: op.text for op in self.ops},
            "fused": self.fused or None,
            "outputs": self.outputs.facts(),
            "predictions": array_facts(self.predictions),
            "targets": array_facts(self.targets),
            "classes": list(self.names),
            "value": self.value,
            "penalty": self.penalty,
            "total": self.value + self.penalty,
        }


@dataclass(frozen=True)
class UpdateExplained:
    """The step that the optimizer takes.

    Attributes:
        call: The optimizer as it was made.
        formula: Its docstring.
        schedule: The schedule as it was made.
        number: Which step of the training it is, from 1.
        lr: Its learning rate.
        norm: Norm of the whole gradient.
        clipped: That after clipping.
        before: The loss before the step, penalties included.
        after: That of the same sample with the new parameters.
    """

    call: str
    formula: Formula
    schedule: str
    number: int
    lr: float
    norm: float
    clipped: float
    before: float
    after: float

    def facts(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "call": self.call,
            "formula": self.formula.text,
            "schedule": self.schedule,
            "step": self.number,
            "lr": self.lr,
            "gradient_norm": self.norm,
            "clipped_norm": self.clipped,
            "total_before": self.before,
            "total_after": finite(self.after),
        }


@dataclass(frozen=True)
class Explanation:
    """One sample's forward pass, loss, backward pass and update.

    Attributes:
        name: Of the config.
        split: The part that the sample is of.
        samples: Its place in the part, and those of rows beside it, where the network
            wants several.
        rows: Their places among all rows of the data, where they are known.
        remarks: What else is to be known of the numbers.
        layers: From input to output, those inside a layer behind it.
        loss: The loss.
        update: The step.
        worst: The largest error of a derivative beside its numeric one, relative to
            the largest derivative of its array.
    """

    name: str
    split: str
    samples: tuple[int, ...]
    rows: tuple[int, ...]
    remarks: tuple[str, ...]
    layers: tuple[LayerExplained, ...]
    loss: LossExplained
    update: UpdateExplained
    worst: float

    @property
    def wrong(self) -> list[str]:
        """Name the arrays of which a derivative is wrong, as the layers' checks do."""
        found = [
            f"{layer.label} {each.name}"
            for layer in self.layers
            for each in layer.quantities
            if any(element.wrong for element in each.elements)
        ]
        if any(element.wrong for element in self.loss.outputs.elements):
            found.append(f"loss {self.loss.formula.name}")
        return found

    def facts(self) -> dict[str, Any]:
        """Return plain values for JSON: arrays of up to 1,000 elements are whole."""
        return {
            "name": self.name,
            "split": self.split,
            "samples": list(self.samples),
            "rows": list(self.rows),
            "precision": "float64",
            "remarks": list(self.remarks),
            "layers": [layer.facts() for layer in self.layers],
            "loss": self.loss.facts(),
            "update": self.update.facts(),
            "worst_error": finite(self.worst),
            "wrong": self.wrong,
        }


def norm(array: Array) -> float:
    """Return √(Σ a²) of an array of any shape."""
    return float(xp.linalg.norm(array.astype(xp.float64).ravel()))


def array_facts(array: Array) -> dict[str, Any]:
    """Return shape and norm of an array, and what is in it unless that is too much."""
    found: dict[str, Any] = {
        "shape": list(map(int, array.shape)),
        "norm": finite(norm(array)),
    }
    if array.size <= WHOLE:
        found["values"] = _finite_values(array.tolist())
    return found


def finite(value: float) -> float | None:
    """Return a number as JSON can hold it."""
    return value if math.isfinite(value) else None


def _finite_values(values: Any) -> Any:
    if isinstance(values, list):
        return [_finite_values(each) for each in values]
    return finite(values) if isinstance(values, float) else values


def _element_facts(element: Element) -> dict[str, Any]:
    found: dict[str, Any] = {
        "index": list(element.index),
        "value": finite(element.value),
        "derivative": finite(element.derivative),
        "numeric": element.numeric,
        "wrong": element.wrong,
    }
    if element.after is not None and element.step is not None:
        found |= {"step": finite(element.step), "after": finite(element.after)}
    return found
