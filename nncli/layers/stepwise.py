"""Stepwise: layers on sequences, and those that act on each step alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nncli.autograd.repeated import Repeated
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Shape, xp
from nncli.core.errors import ShapeError

if TYPE_CHECKING:
    from nncli.layers.base import Layer


def check_sequences(input_shape: Shape) -> None:
    """Refuse rows that are no sequences of vectors."""
    if len(input_shape) != 2:
        raise ShapeError(f"expected sequences (T, F), got rows {input_shape}.")


def advance_alone(layer: Layer, x: Tensor, state: Any) -> tuple[Tensor, Any]:
    """Return what a call gives for the next steps; see ``Layer.advance``.

    The state is the layer's call for one step, recorded.

    Raises:
        ShapeError: The layer mixes steps.
    """
    if state is not None and x.shape[1] == 1:
        return state(x), state
    if x.ndim == 2 and x.shape[1:] == layer.input_shape:
        return _with_steps(layer, layer(x), x), state
    if state is None:
        state = Repeated(layer)
        first = x if x.shape[1] == 1 else x[:, :1]
        y = _with_steps(layer, state(first), first)
        _check_alone(layer, first, y)
        if first is x:
            return y, state
    return _with_steps(layer, layer(x), x), state


def _check_alone(layer: Layer, first: Tensor, y: Tensor) -> None:
    """Refuse a layer whose output at a step depends on one before or behind it."""
    a = first.data
    # Large, as some layers look at others a little only; 0 is a token of all networks.
    b = 1000 * (a + 1) if a.dtype.kind == "f" else 0 * a
    for place, steps in enumerate(([a, b], [b, a])):
        pair = Tensor(xp.concatenate(steps, axis=1))
        found = _with_steps(layer, layer(pair), pair).data[:, place : place + 1]
        if not xp.allclose(found, y.data, rtol=1e-3, atol=1e-5, equal_nan=True):
            raise _mixes(layer)


def _with_steps(layer: Layer, y: Tensor, x: Tensor) -> Tensor:
    """Return outputs, if they have as many steps as the inputs."""
    alone = x.ndim == 2 and x.shape[1:] == layer.input_shape
    steps = () if alone else (x.shape[1],)
    if y.shape[1:] != (*steps, *layer.output_shape[len(steps) :]):
        raise _mixes(layer)
    return y


def _mixes(layer: Layer) -> ShapeError:
    return ShapeError(
        f"expected a layer that takes the steps of a sequence one by one, got "
        f"{layer.title}, which wants rows of shape {layer.input_shape} as a whole."
    )
