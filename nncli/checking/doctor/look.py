"""Look: one batch forward and backward, and what each layer gave for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nncli.core.arrays import Array, xp
from nncli.data.batches import Batch
from nncli.experiment.experiment import Experiment
from nncli.layers.base import Layer
from nncli.layers.chain import Call, watch
from nncli.layers.space import features_axis
from nncli.network.network import Network


@dataclass(frozen=True)
class Signal:
    """What one layer gave for a batch, and the loss's derivative by that.

    Attributes:
        layer: Which layer.
        size: Root mean square of its outputs.
        grad: Euclidean norm of the derivative by all its outputs; None before the
            first layer that is trained, where there is none.
        dead: For each unit, whether it gives one and the same number for all rows,
            steps and places, though its inputs vary; None where the outputs are not
            made of the inputs one by one.
    """

    layer: Layer
    size: float
    grad: float | None
    dead: Array | None

    @property
    def activation(self) -> bool:
        """Whether it is a layer without weights that keeps the shape."""
        return self.dead is not None


@dataclass(frozen=True)
class Look:
    """One batch forward and backward, with the parameters as they are.

    Attributes:
        loss: Of the batch, without penalties on weights.
        outputs: (N, ...) of the network.
        signals: Of every layer, in the order in which they ended.
    """

    loss: float
    outputs: Array
    signals: list[Signal]

    def dead(self, share: float) -> list[tuple[Layer, Array]]:
        """Return activations with a larger share of dead units, and which these are."""
        return [
            (signal.layer, signal.dead)
            for signal in self.signals
            if signal.dead is not None and signal.dead.mean() > share
        ]


def look(experiment: Experiment, batch: Batch) -> Look:
    """Run a batch forward and backward; layers that draw numbers act as in use.

    To be called inside a ``trial``: gradients, and the mode of layers, change.
    """
    network = experiment.network
    network.begin_epoch()
    _quiet(network)
    grads: dict[int, float] = {}
    with xp.errstate(all="ignore"), watch() as calls:
        outputs = network(batch.x)
        loss = experiment.loss(outputs, batch.targets, batch.weights)
        for call in calls:
            if call.y.step is not None:
                call.y.step.hooks.append(_keeper(grads, call.y.step.order))
        if loss.step is not None and loss.step.differentiable:
            loss.backward()
        signals = [_signal(call, grads) for call in calls]
    network.begin_epoch()
    return Look(loss.item(), outputs.data.copy(), signals)


def _quiet(network: Network) -> None:
    """Let layers that draw numbers, as dropout does, act as in use."""
    for layer in network.nested.values():
        if any(part is network.streams.noise for part in vars(layer).values()):
            layer.training = False


def _keeper(grads: dict[int, float], key: int) -> Callable[[Array], None]:
    def keep(grad: Array) -> None:
        grads[key] = norm(grad)

    return keep


def norm(values: Array) -> float:
    """Return the Euclidean norm of all elements, also where float32 overflows."""
    return float(np.linalg.norm(values.astype(np.float64).ravel()))


def rms(values: Array) -> float:
    """Return the root mean square of all elements."""
    return norm(values) / math.sqrt(values.size)


def _signal(call: Call, grads: dict[int, float]) -> Signal:
    layer, x, y, step = call.layer, call.x.data, call.y.data, call.y.step
    alone = not (layer.parameters or layer.children) and x.shape == y.shape
    dead = _varies(x) & ~_varies(y) if alone and y.ndim > 1 else None
    return Signal(layer, rms(y), None if step is None else grads.get(step.order), dead)


def _varies(values: Array) -> Array:
    """Return for each unit whether it takes more than one value."""
    units = np.moveaxis(values, features_axis(values.ndim), -1)
    flat = units.reshape(-1, units.shape[-1])
    varies: Array = flat.max(axis=0) > flat.min(axis=0)
    return varies
