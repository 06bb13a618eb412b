"""Network: a list of layers over one flat array of parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nncli.autograd.flat import Flat
from nncli.autograd.tape import labelled, no_grad
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import NncliError, Path
from nncli.core.randomness import Streams
from nncli.initializers.random import GlorotUniform
from nncli.layers.base import BuildContext, InputSpec, Layer, LayerError, OutputKind
from nncli.layers.chain import advance, chain, copies, giving, kind_of, run, watch
from nncli.ops.losses import Penalty

DEFAULT_INPUT = "x"
"""What the only input of a network is called."""


MAX_LAYERS = 10_000
"""Layers of one network, those inside others and every copy of them counted."""

AT_ONCE = 2**23
"""Bytes of values that rows evaluated or predicted together have, about."""


class Network:
    """Layers in order, built for rows of one kind.

    Args:
        layers: Descriptions, from input to output; the network makes live copies.
        inputs: What rows of the input hold; or of several inputs by name, the first of
            which is the default one, that the first layer is given.
        streams: Where first values and noise come from.
        dtype: The element type of parameters and activations.
        rows: How many rows a training batch has at most, for layers that remember
            something of each; 0 where nobody knows.
        files: Whether first values are read from files; see ``BuildContext``.

    Attributes:
        layers: The live layers.
        inputs: What the inputs hold, by name.
        shapes: Shape of a row before the first layer and after each one.
        nested: All layers, those inside other layers too, by their places.
        flat: All parameters that are trained, and their gradients, in one array each.
        frozen: The parameters that are not trained, by name.
        state: Untrained arrays of all layers, by name.
        streams: Where noise comes from.

    Raises:
        LayerError: A layer does not fit behind the one before it.
        NncliError: The parameters do not fit into the memory of this machine.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        inputs: Shape | InputSpec | Mapping[str, InputSpec],
        streams: Streams,
        dtype: np.dtype[Any],
        rows: int = 0,
        *,
        files: bool = True,
    ) -> None:
        _refuse_too_many(layers)
        self.layers = copies(layers)
        self.dtype = dtype
        self.streams = streams
        self.inputs = _named(inputs)
        for i, layer in enumerate(self.layers):
            layer.source = (i,)
        context = BuildContext(streams, dtype, self.inputs, rows, files)
        first = next(iter(self.inputs.values()))
        specs = chain(self.layers, first, context, GlorotUniform())
        self.shapes = [spec.shape for spec in specs]
        self.nested = dict(
            item
            for i, layer in enumerate(self.layers)
            for item in layer.walk(f"layers.{i}")
        )
        for path, layer in self.nested.items():
            layer.label = f"{bracketed(path)} {layer.title}"
        tensors: dict[str, Tensor] = self._collect("parameters")
        self.flat = Flat({k: t for k, t in tensors.items() if t.requires_grad})
        self.frozen = {k: t for k, t in tensors.items() if not t.requires_grad}
        self.state: dict[str, Array] = self._collect("state")
        self.penalties = [
            penalty
            for layer in self.nested.values()
            for penalty in layer.penalties()
            if penalty.weight.requires_grad
        ]
        self._try()

    def _collect(self, kind: str) -> dict[str, Any]:
        return {
            f"{path}.{name}": value
            for path, layer in self.nested.items()
            for name, value in getattr(layer, kind).items()
        }

    @property
    def size(self) -> int:
        """How many numbers the parameters hold, the frozen ones included."""
        return self.flat.values.size + sum(t.size for t in self.frozen.values())

    @property
    def output(self) -> OutputKind:
        """What the last layer's values are; see Layer.output."""
        return kind_of(self.layers) or "real"

    @property
    def min_rows(self) -> int:
        """How many rows a training batch must have at least."""
        return max(layer.min_rows for layer in self.nested.values())

    @property
    def max_rows(self) -> int | None:
        """How many rows a training batch may have; None for any number."""
        limits = [layer.max_rows for layer in self.nested.values()]
        return min((limit for limit in limits if limit is not None), default=None)

    def begin_epoch(self) -> None:
        """Let all layers forget what goes on from batch to batch."""
        for layer in self.nested.values():
            layer.begin_epoch()

    @property
    def training(self) -> bool:
        """Whether the layers act as in training."""
        return self.layers[0].training

    def set_training(self, training: bool) -> None:
        """Let all layers act as in training, or as in use."""
        for layer in self.nested.values():
            layer.training = training

    def __call__(self, x: Tensor | Mapping[str, Tensor]) -> Tensor:
        """Return the outputs for a batch of inputs.

        Args:
            x: (N, ...) the default input, or all of them by name.

        Raises:
            NncliError: An input is missing.
        """
        inputs = {next(iter(self.inputs)): x} if isinstance(x, Tensor) else x
        missing = self.inputs.keys() - inputs.keys()
        if missing:
            raise NncliError(
                f"network: expected the inputs {', '.join(self.inputs)}, got "
                f"{', '.join(inputs)}."
            )
        with giving(inputs):
            return run(self.layers, inputs[next(iter(self.inputs))])

    def settled(self, layers: Sequence[Layer]) -> list[Layer]:
        """Return the descriptions that it was made of, with what ``build`` settled.

        Where copies of one layer settled it differently, it stays as it was.
        """
        found: dict[Path, dict[str, Any]] = {}
        for live in self.nested.values():
            known = found.setdefault(live.source, live.settled())
            found[live.source] = {
                name: value
                for name, value in live.settled().items()
                if known.get(name) == value
            }
        return [_settled(layer, (i,), found) for i, layer in enumerate(layers)]

    def advance(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return the outputs at the next steps of sequences, and a new state.

        For making sequences: steps that come a few at a time give what a call, in use,
        gives for all of them. No history is kept.

        Args:
            x: (N, T, ...) the next steps of the default input.
            state: What the call for the steps before returned; None at first. It can
                be gone on from twice, as long as the parameters stay as they are.

        Raises:
            LayerError: A layer cannot take steps one by one.
        """
        inputs = {next(iter(self.inputs)): x}
        with no_grad(), giving(inputs), xp.errstate(all="ignore"):
            return advance(self.layers, x, state)

    def zeros(self, rows: int) -> dict[str, Tensor]:
        """Return a batch of zeros: numbers, or integers where an input holds those."""
        return {
            name: Tensor(
                xp.zeros((rows, *spec.shape), self.dtype if spec.below is None else int)
            )
            for name, spec in self.inputs.items()
        }

    def rows_within(self, nbytes: int) -> int:
        """Return how many rows' values take so many bytes, one at least."""
        shapes = [spec.shape for spec in self.inputs.values()]
        shapes += [layer.output_shape for layer in self.nested.values()]
        return max(1, nbytes // (self.dtype.itemsize * sum(map(math.prod, shapes))))

    def with_penalties(self, loss: Tensor) -> Tensor:
        """Add the penalties on all weights to a loss."""
        with labelled("penalty"):
            for penalty in self.penalties:
                function = Penalty(penalty.l1, penalty.l2)
                loss = apply(function, loss, penalty.weight)
        return loss

    def _try(self) -> None:
        """Run two rows through, and compare the shapes with what was promised."""
        self.set_training(False)
        with no_grad(), watch() as calls:
            self(self.zeros(2))
        for call in calls:
            layer, promised = call.layer, call.layer.output_shape
            if call.y.shape != (2, *promised):
                raise LayerError(
                    layer.source,
                    layer.type_name,
                    f"{layer.type_name} promised rows of shape {promised} in build, "
                    f"but gave {call.y.shape[1:]}.",
                )


def _settled(layer: Layer, place: Path, found: dict[Path, dict[str, Any]]) -> Layer:
    """Return a description, and those inside it, with arguments that were settled."""
    changes = {**found.get(place, {})}
    for name, value in layer.arguments.items():
        if isinstance(value, list) and any(isinstance(each, Layer) for each in value):
            changes[name] = [
                _settled(each, (*place, name, i), found) for i, each in enumerate(value)
            ]
    if all(layer.arguments[name] == value for name, value in changes.items()):
        return layer
    return layer.changed(**changes)


def _refuse_too_many(layers: Sequence[Layer]) -> None:
    """Refuse, before anything is made, what would take minutes and all memory."""
    made = 0
    for i, layer in enumerate(layers):
        made += layer.count()
        if made > MAX_LAYERS:
            text = (
                f"expected at most {MAX_LAYERS:,} layers in all, copies by repeat "
                f"included, got {made:,} up to here. Make repeat smaller."
            )
            raise LayerError((i,), layer.type_name, text)


def _named(
    inputs: Shape | InputSpec | Mapping[str, InputSpec],
) -> dict[str, InputSpec]:
    if isinstance(inputs, Mapping):
        return dict(inputs)
    spec = inputs if isinstance(inputs, InputSpec) else InputSpec(tuple(inputs))
    return {DEFAULT_INPUT: spec}


def bracketed(path: str) -> str:
    """Write ``layers.2.layers.0`` as ``layers[2].layers[0]``."""
    return re.sub(r"\.([0-9]+)", r"[\1]", path)
