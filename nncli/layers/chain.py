"""Chain: layers one behind the other, built, run and watched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from nncli.autograd.tape import labelled
from nncli.autograd.tensor import Tensor
from nncli.core.errors import ArgumentError, NncliError, ShapeError, dotted
from nncli.initializers.base import Initializer
from nncli.layers.base import (
    BuildContext,
    InputSpec,
    Layer,
    LayerError,
    OutputKind,
)

Note = Callable[[Layer, Tensor], None]
"""Is told of a layer and of its output."""


class _State(threading.local):
    """What runs in the current thread."""

    def __init__(self) -> None:
        self.watching: list[_Watch] = []
        self.noting: list[Note] = []
        self.inputs: list[Mapping[str, Tensor]] = []


_state = _State()


def copies(layers: Sequence[Layer], repeat: int = 1) -> list[Layer]:
    """Return live copies of layers that are another one's arguments.

    Args:
        layers: What to copy.
        repeat: How many times, one run of copies behind the other.
    """
    return [layer.live() for _ in range(repeat) for layer in layers]


def add_children(
    parent: Layer, name: str, layers: Sequence[Layer], spec: InputSpec, repeat: int = 1
) -> InputSpec:
    """Connect layers one behind the other inside another one.

    Several calls with one name add up: each branch of a fork is a call.

    Args:
        parent: The layer around them, which is being built.
        name: The argument that they came from.
        layers: Live layers: ``copies`` of the argument.
        spec: What rows before the first of them hold.
        repeat: How many copies of the argument ``layers`` holds, one behind the
            other. More than one are told apart as ``repeat.0``, ``repeat.1``...

    Returns:
        What rows after the last of them hold.
    """
    length = len(layers) // repeat
    earlier = sum(key.startswith(f"{name}.") for key in parent.children)
    for i, layer in enumerate(layers):
        index = earlier + i % length
        layer.source = (*parent.source, name, index)
        layer.frozen = parent.frozen
        prefix = f"repeat.{i // length}." if repeat > 1 else ""
        parent.children[f"{prefix}{name}.{index}"] = layer
    return chain(layers, spec, parent.context, parent.default_init)[-1]


def chain(
    layers: Sequence[Layer],
    spec: InputSpec,
    context: BuildContext,
    default_init: Initializer,
) -> list[InputSpec]:
    """Connect layers, each behind the one before it.

    Args:
        layers: What to connect, in order; each knows its ``source``.
        spec: What rows before the first layer hold.
        context: What all layers of the network share.
        default_init: Initializer for what stands before a layer without an opinion.

    Returns:
        What rows before the first layer and after each one hold.

    Raises:
        LayerError: A layer does not fit behind the one before it.
    """
    specs = [spec]
    for i, layer in enumerate(layers):
        init = _init_for(layers[i + 1 :], default_init)
        with blaming(layer, "building"):
            specs.append(layer.connect(specs[-1], context, init))
    return specs


@contextmanager
def blaming(layer: Layer, doing: str = "running") -> Iterator[None]:
    """Give errors about shapes the place of the innermost layer that they are about.

    Other exceptions, those of a plugin's layer, note it and what was being done.
    """
    try:
        yield
    except LayerError:
        raise
    except (ShapeError, ArgumentError) as error:
        raise LayerError(layer.source, layer.type_name, str(error)) from None
    except Exception as error:
        if not isinstance(error, NncliError) and not hasattr(error, "__notes__"):
            place = dotted(("layers", *layer.source))
            error.add_note(f"{doing} {place} {layer.type_name}")
        raise


@dataclass(frozen=True)
class Call:
    """One call of a layer: its input and its output."""

    layer: Layer
    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class _Watch:
    """What is seen of the calls, and what all values between layers pass."""

    through: Callable[[Tensor], Tensor]
    calls: list[Call] = field(default_factory=list)


def run(layers: Sequence[Layer], x: Tensor) -> Tensor:
    """Call layers one behind the other; their steps carry their labels.

    Who watches sees them in the order in which they are written.

    Raises:
        LayerError: A layer cannot take what it is given.
    """
    watching = _state.watching[-1] if _state.watching else None
    noting = _state.noting[-1] if _state.noting else None
    for layer in pooled_first(layers) if watching is None else layers:
        if watching is not None:
            x = watching.through(x)
        with labelled(layer.label), blaming(layer):
            y = layer(x)
        if watching is not None:
            y = watching.through(y)
            watching.calls.append(Call(layer, x, y))
        if noting is not None:
            noting(layer, y)
        x = y
    return x


def pooled_first(layers: Sequence[Layer]) -> list[Layer]:
    """Return layers in the order in which they are computed.

    The maximum of relu(x) is relu of the maximum of x: max pooling goes first, so that
    relu is left with a quarter of the elements.
    """
    order = list(layers)
    for i, (first, then) in enumerate(pairwise(layers)):
        if first.monotone and then.picks_maximum:
            order[i : i + 2] = then, first
    return order


def advance(
    layers: Sequence[Layer], x: Tensor, state: Sequence[Any] | None
) -> tuple[Tensor, list[Any]]:
    """Take steps of sequences through layers; see ``Layer.advance``.

    Args:
        layers: One behind the other.
        x: (N, T, ...) the next steps.
        state: A state for each layer; None at first.

    Raises:
        LayerError: A layer cannot take steps one by one.
    """
    after = []
    for layer, before in zip(layers, state or [None] * len(layers), strict=True):
        try:
            x, new = layer.advance(x, before)
        except Exception:
            # Entering it for every step of every layer takes as long as the layers.
            with blaming(layer):
                raise
        after.append(new)
    return x, after


def _as_it_is(x: Tensor) -> Tensor:
    return x


@contextmanager
def watch(
    through: Callable[[Tensor], Tensor] = _as_it_is,
) -> Iterator[list[Call]]:
    """Collect every call that ``run`` makes in the block, in the order they ended.

    The layers inside a layer so come before it. Other threads are not watched.

    Args:
        through: What each layer's input passes before the layer, and its output after
            it; what it returns takes their place.
    """
    watching = _Watch(through)
    _state.watching.append(watching)
    try:
        yield watching.calls
    finally:
        _state.watching.pop()


@contextmanager
def noted(note: Note) -> Iterator[None]:
    """Tell of every output of a layer in the block, in the order of computation.

    Unlike what is watched, nothing is computed otherwise than without it.

    Args:
        note: Who is told; the layers inside a layer come before it.
    """
    _state.noting.append(note)
    try:
        yield
    finally:
        _state.noting.pop()


@contextmanager
def giving(inputs: Mapping[str, Tensor]) -> Iterator[None]:
    """Let ``input`` layers that run in the block find their tensors by name."""
    _state.inputs.append(inputs)
    try:
        yield
    finally:
        _state.inputs.pop()


def given(name: str) -> Tensor:
    """Return the input of the network under way that has a name."""
    inputs = _state.inputs[-1] if _state.inputs else {}
    if name not in inputs:
        known = ", ".join(inputs) or "none"
        raise NncliError(f"input {name}: expected it among the inputs ({known}).")
    return inputs[name]


def kind_of(layers: Sequence[Layer]) -> OutputKind | None:
    """Return what the values after the last layer are, None if none decides it."""
    for layer in reversed(layers):
        kind = layer.output_kind()
        if kind is not None:
            return kind
    return None


def opinion_of(layers: Sequence[Layer]) -> str | None:
    """Return the initializer that suits the first layer with an opinion."""
    opinions = (layer.wants_init() for layer in layers)
    return next((name for name in opinions if name is not None), None)


def _init_for(following: Sequence[Layer], default: Initializer) -> Initializer:
    """Return the initializer that suits the next layer with an opinion."""
    name = opinion_of(following)
    if name is None:
        return default
    cls = Initializer.registry.find(name)
    if cls is None:
        raise ArgumentError(Initializer.registry.unknown(name))
    initializer: Initializer = cls()
    return initializer
