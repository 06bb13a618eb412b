"""A loss that does not suit the targets, or outputs that cannot reach them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor
from nncli.checking.doctor.base import Check, Finding
from nncli.config.write import to_flow
from nncli.core.arrays import Array, xp
from nncli.core.text import number
from nncli.layers.base import Layer
from nncli.network.network import Network

FAR, FARTHER = 1e3, 1e4
"""Inputs of a last activation; where both give the same, it goes no further."""

NEAR, POINTS = 5.0, 201
"""Inputs between which an activation may go beyond its ends, and how many are tried."""

FOR_CLASSES = {
    "real": ("sigmoid_binary_cross_entropy", "softmax_cross_entropy"),
    "probability": ("binary_cross_entropy", "binary_cross_entropy"),
    "distribution": ("categorical_cross_entropy", "categorical_cross_entropy"),
}
"""For each kind of output, the losses for one output and for several."""


class LossFit(Check, name="loss_fit"):
    """What nncli does not refuse, but what is seldom meant.

    Classes compared as numbers; outputs that a last activation keeps from what the
    targets, or logits, take. There is no threshold.
    """

    stage = "network"

    def run(self) -> Iterator[Finding]:
        yield from self._classes_as_numbers()
        yield from self._out_of_reach()
        yield from self._not_positive()

    def _classes_as_numbers(self) -> Iterator[Finding]:
        experiment = self.exam.experiment
        loss, network = experiment.loss, experiment.network
        if experiment.classes is None or not loss.distance:
            return
        several = network.shapes[-1][-1] > 1
        better = FOR_CLASSES[network.output][several]
        yield self.finding(
            f"The loss {loss.type_name} compares {len(experiment.classes)} classes as "
            "numbers: behind an answer that is surely wrong it grows, or its gradient "
            "vanishes, where that of a cross entropy is largest.",
            "Take a loss of classes.",
            f"loss={better}",
        )

    def _out_of_reach(self) -> Iterator[Finding]:
        experiment = self.exam.experiment
        loss, network = experiment.loss, experiment.network
        last = network.layers[-1]
        reach = _reach(last, network)
        if reach is None:
            return
        low, high = reach
        if loss.takes == "logits":
            wanted = "any numbers (logits)"
            misses = math.isfinite(low) or math.isfinite(high)
        elif loss.takes == "anything" and not loss.positive:
            targets = self.exam.batch.targets.data
            least, most = float(targets.min()), float(targets.max())
            wanted = f"{number(least)} to {number(most)}, as the targets have"
            misses = least < low or most > high
        else:
            return
        if not misses:
            return
        rest = self.exam.given["layers"][:-1]
        yield self.finding(
            f"The last layer, {last.label}, gives numbers from {_end(low)} to "
            f"{_end(high)} only; the loss {loss.type_name} expects {wanted}.",
            "Let the network end with the layer before it.",
            *([f"layers={to_flow(rest)}"] if rest else []),
        )

    def _not_positive(self) -> Iterator[Finding]:
        loss, outputs = self.exam.experiment.loss, self.exam.first.outputs
        if not loss.positive or outputs.min() > 0:
            return
        layers = [*self.exam.given["layers"], "softplus"]
        yield self.finding(
            f"The loss {loss.type_name} expects outputs above 0, got down to "
            f"{number(float(outputs.min()))}.",
            "Let the network end with an activation that is positive.",
            f"layers={to_flow(layers)}",
        )


def _reach(layer: Layer, network: Network) -> tuple[float, float] | None:
    """Return between what an activation's values lie; infinity where they go on.

    None where the layer is none, or does not work element by element.
    """
    shape = layer.input_shape
    if layer.parameters or layer.children or layer.below is not None or not shape:
        return None
    middle = xp.linspace(-NEAR, NEAR, POINTS)
    ends = xp.asarray([*middle, -FARTHER, -FAR, FAR, FARTHER], network.dtype)
    x = xp.zeros((len(ends), *shape), network.dtype)
    x.reshape(len(ends), -1)[:, 0] = ends
    with no_grad(), xp.errstate(all="ignore"):
        y = layer(Tensor(x)).data
    if y.shape != x.shape or y.reshape(len(ends), -1)[:, 1:].std(axis=0).any():
        return None
    return _ends(y.reshape(len(ends), -1)[:, 0])


def _ends(values: Array) -> tuple[float, float]:
    seen = values.tolist()
    ends = seen[-4:]
    sides = ((ends[1], ends[0]), (ends[2], ends[3]))
    flat = [farther for far, farther in sides if far == farther]
    # Between flat ends, values may go a little beyond them, as those of gelu do.
    low = min(seen) if min(ends) in flat else -math.inf
    high = max(seen) if max(ends) in flat else math.inf
    return low, high


def _end(value: float) -> str:
    if math.isfinite(value):
        return f"{value + 0.0:.4g}"
    return "−infinity" if value < 0 else "infinity"
