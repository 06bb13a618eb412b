"""Explanation: every number of one training step, to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nncli.checking.quantity import Formula, Quantity, array_facts, finite
from nncli.core.arrays import Array


@dataclass(frozen=True)
class LayerExplained:
    """One call of a layer, there and back.

    Attributes:
        label: Where it stands: ``layers[2] dense``.
        depth: How many layers it is inside of.
        call: The layer as it was made: ``Dense(units=8)``.
        formula: The layer's docstring.
        letters: What its formulas call its parameters, by their names.
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
    letters: Mapping[str, str]
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
            "formula": self.formula.whole,
            "letters": dict(self.letters),
            "ops": {op.name: op.whole for op in self.ops},
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
        weights: The factor of each row's loss, where rows have weights.
        lengths: How many steps of each row's targets count, where not all do.
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
    weights: tuple[float, ...]
    lengths: tuple[int, ...]
    value: float
    penalty: float

    def facts(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "call": self.call,
            "formula": self.formula.whole,
            "ops": {op.name: op.whole for op in self.ops},
            "fused": self.fused or None,
            "outputs": self.outputs.facts(),
            "predictions": array_facts(self.predictions),
            "targets": array_facts(self.targets),
            "classes": list(self.names),
            "weights": list(self.weights) or None,
            "lengths": list(self.lengths) or None,
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
        ended: After how many steps the training is over, whose last learning rate
            this step has; 0 where it goes on.
        numbers: What the formula has besides, the same for all parameters.
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
    ended: int
    numbers: Mapping[str, float]
    norm: float
    clipped: float
    before: float
    after: float

    def facts(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "call": self.call,
            "formula": self.formula.whole,
            "schedule": self.schedule,
            "step": self.number,
            "lr": self.lr,
            "training_ended": self.ended or None,
            "numbers": dict(self.numbers),
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
        steps: How many steps the network was trained.
        split: The part that the sample is of.
        samples: Its place in the part, and those of rows beside it, where the network
            wants several.
        rows: Their places among all rows of the data, where they are known.
        remarks: What else is to be known of the numbers.
        layers: From input to output, those inside a layer behind it.
        loss: The loss.
        update: The step.
        worst: The largest error of a derivative beside its numeric one, relative to
            the largest derivative of its array, or to the size below which errors are
            not told from rounding.
        unsteady: What gives another result of the same input each time, so that there
            are no numeric derivatives; "" for nothing.
    """

    name: str
    steps: int
    split: str
    samples: tuple[int, ...]
    rows: tuple[int, ...]
    remarks: tuple[str, ...]
    layers: tuple[LayerExplained, ...]
    loss: LossExplained
    update: UpdateExplained
    worst: float
    unsteady: str = ""

    @property
    def wrong(self) -> list[str]:
        """Name what is handed a right derivative and makes a wrong one of it.

        Not a layer around one that is named, whose input must be wrong then.
        """
        found: list[str] = []
        outer: list[tuple[int, bool]] = []
        # From the back, those inside a layer stand before it.
        for layer in reversed(self.layers):
            inside = [named for depth, named in outer if depth > layer.depth]
            outer = outer[: len(outer) - len(inside)]
            handed = () if any(inside) else (layer.x,)
            wrong = any(each.wrong for each in (*handed, *layer.parameters))
            blamed = wrong and not layer.y.wrong
            outer.append((layer.depth, blamed or any(inside)))
            if blamed:
                found.insert(0, layer.label)
        if self.loss.outputs.wrong:
            found.append(f"loss {self.loss.formula.name}")
        return found

    def facts(self) -> dict[str, Any]:
        """Return plain values for JSON: arrays of up to 1,000 elements are whole."""
        return {
            "name": self.name,
            "steps": self.steps,
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
            "unsteady": self.unsteady or None,
        }
