"""Recurrent: what layers that step through sequences with a state have in common."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from annotated_types import Ge, Le

from nncli.autograd.buffers import form, zeros
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.randomness import Streams
from nncli.core.signature import Fraction, Positive
from nncli.initializers.constant import Zeros
from nncli.initializers.random import Uniform
from nncli.layers.base import Layer
from nncli.ops import noise
from nncli.ops.lookup import Lookup
from nncli.ops.recurrent import Recurrent as RecurrentOp
from nncli.ops.shape import Concat


class RecurrentState(NamedTuple):
    """How far sequences that are made step by step have come.

    Attributes:
        cell: What takes a step.
        states: Its states (N, units) for each layer.
    """

    cell: RecurrentOp
    states: list[tuple[Array, ...]]


class Recurrent(Layer):
    """Base of recurrent layers: one op of all steps for each layer and direction.

    (N, T, F) → (N, T, units), twice as many features where both directions are taken.
    Where rows have lengths, they act as PyTorch's packed sequences: the way back begins
    at a row's own last step, and outputs behind it are 0. Parameters are uniform in
    ±1/√units at first, as in PyTorch.

    Args:
        units: Length of the state.
        layers: How many stand one on the other; each takes what the one below gives.
        bidirectional: Also go from the last step to the first, with parameters of
            their own; the features of both stand side by side.
        return_sequences: Whether the output is the state at every step; else it is the
            last state, (N, units), of each direction.
        dropout: Probability of dropping a feature between two layers, in training.
        recurrent_dropout: Probability of dropping an element of the state where it goes
            into a product, in training: the same elements at all steps of a batch (Gal
            and Ghahramani 2016).
        initial_state: ``zeros``, or ``learned``: parameters, the same for all rows.
        stateful: Whether each row goes on, in training, where the same row of the batch
            before stopped, without a gradient across (truncated backpropagation). An
            epoch begins with zeros, and so does every evaluation.
    """

    units: Positive
    layers: Annotated[int, Ge(1), Le(100)] = 1
    bidirectional: bool = False
    return_sequences: bool = True
    dropout: Fraction = 0.0
    recurrent_dropout: Fraction = 0.0
    initial_state: Literal["zeros", "learned"] = "zeros"
    stateful: bool = False

    suits = "glorot_uniform"
    examples = ((3, 2),)
    letters: ClassVar = {
        "weight": "W",
        "bias": "b",
        "recurrent": "U",
        "recurrent_bias": "v",
        "hidden": "h_0",
        "cell": "c_0",
    }
    states: ClassVar[tuple[str, ...]] = ("hidden",)

    def __post_init__(self) -> None:
        if self.dropout and self.layers == 1:
            raise ArgumentError(
                "dropout acts between layers: expected layers of 2 or more, got 1. Put "
                "a dropout layer behind it instead."
            )
        if self.stateful and self.bidirectional:
            raise ArgumentError(
                "expected stateful or bidirectional, got both: the way back begins at "
                "the end, behind which nothing is known."
            )
        if self.stateful and self.initial_state == "learned":
            raise ArgumentError(
                "expected an initial_state of zeros where stateful, got learned."
            )

    def function(self, **fields: Any) -> RecurrentOp:
        """Return the op of one layer and direction."""
        raise NotImplementedError

    def extras(self) -> dict[str, Shape]:
        """Return the shapes of the parameters that the cell has besides."""
        return {}

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        if len(input_shape) != 2:
            raise ShapeError(
                f"expected sequences of vectors, rows of shape (T, F), got "
                f"{input_shape}."
            )
        self.noise = rng.noise
        steps, features = input_shape
        for layer in range(self.layers):
            for name in self._directions(layer):
                self._add(name, features, rng)
            features = self.units * (1 + self.bidirectional)
        if self.stateful:
            self._add_states()
        return (steps, features) if self.return_sequences else (features,)

    def _directions(self, layer: int) -> list[str]:
        names = [f"{layer}", f"{layer}_reverse"]
        return names[: 1 + self.bidirectional]

    def _add(self, name: str, features: int, rng: Streams) -> None:
        units, bound = self.units, self.units**-0.5
        init = Uniform(-bound, bound)
        rows = len(self.function().order) * units
        shapes = {
            "weight": (rows, features),
            "bias": (rows,),
            "recurrent": (rows, units),
            **self.extras(),
        }
        for what, shape in shapes.items():
            self.add_parameter(f"{what}_{name}", shape, init, rng)
        if self.initial_state == "learned":
            for state in self.states:
                self.add_parameter(f"{state}_{name}", (units,), Zeros(), rng)

    def _add_states(self) -> None:
        rows = self.context.rows
        if not rows:
            raise ShapeError(
                "a stateful layer remembers the rows of a batch: expected "
                "training.batch_size as a number, got full."
            )
        self.max_rows = rows
        for layer in range(self.layers):
            for state in self.states:
                self.add_state(f"{state}_{layer}", xp.zeros((rows, self.units)))

    def begin_epoch(self) -> None:
        for array in self.state.values():
            array.fill(0)

    def __call__(self, x: Tensor) -> Tensor:
        lengths = x.lengths
        for layer in range(self.layers):
            last = layer == self.layers - 1
            if layer and self.dropout and self.training:
                x = apply(noise.Dropout(self.dropout, self.noise), x)
            outputs = [
                self._apply(
                    x,
                    lengths,
                    name,
                    reverse=bool(way),
                    last=last and not self.return_sequences,
                )
                for way, name in enumerate(self._directions(layer))
            ]
            x = outputs[0] if len(outputs) == 1 else apply(Concat(), *outputs)
        if self.return_sequences:
            x.lengths = lengths
        return x

    def _apply(
        self,
        x: Tensor,
        lengths: Array | None,
        name: str,
        *,
        reverse: bool,
        last: bool,
    ) -> Tensor:
        """Take one direction of one layer through all steps."""
        (n, t), index = x.shape[:2], []
        if x.lookup is not None:
            table, places, padding = x.lookup
            # W E is then a table itself: fewer rows are multiplied.
            if 2 * len(table) <= places.size:
                x, index = _table(table, padding), [places]
        starts, state = self._starts(n, name)
        given = xp.full(n, t) if lengths is None else lengths
        mask = []
        if self.recurrent_dropout and self.training:
            ones = Tensor(xp.ones((n, self.units), self.dtype))
            mask = [apply(noise.Dropout(self.recurrent_dropout, self.noise), ones)]
        function = self.function(
            reverse=reverse,
            last=last,
            dropped=bool(mask),
            table=bool(index),
            state=state,
        )
        parameters = self._parameters(name)
        return apply(function, x, *parameters, *starts, Tensor(given), *mask, *index)

    def _parameters(self, name: str) -> list[Tensor]:
        kinds = ("weight", "bias", "recurrent", *self.extras())
        return [self.parameters[f"{kind}_{name}"] for kind in kinds]

    def _starts(self, rows: int, name: str) -> tuple[list[Tensor], tuple[Array, ...]]:
        """Return the first states, and where the last ones go, if anywhere."""
        if self.stateful and self.training:
            kept = tuple(self.state[f"{state}_{name}"] for state in self.states)
            if rows > len(kept[0]):
                raise ShapeError(
                    f"a stateful layer was built for batches of {len(kept[0])} rows, "
                    f"training.batch_size: expected at most as many, got {rows}."
                )
            kept = tuple(array[:rows] for array in kept)
            return [Tensor(array) for array in kept], kept
        if self.initial_state == "learned":
            learned = [self.parameters[f"{state}_{name}"] for state in self.states]
            return [start.expand(rows, self.units) for start in learned], ()
        nothing = Tensor(zeros(form((rows, self.units), self.dtype)))
        return [nothing] * len(self.states), ()

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Go on from the states that the steps before left.

        Raises:
            ShapeError: It is bidirectional, so that it wants all steps at once.
        """
        if self.bidirectional:
            raise ShapeError(
                "expected layers that go forward, to make a sequence step by step, got "
                "a bidirectional one."
            )
        before: RecurrentState = state or RecurrentState(
            self.function(), self._first(len(x))
        )
        take = self._step if x.shape[1] == 1 else self._steps
        y, after = x.data, []
        for layer, states in enumerate(before.states):
            y, left = take(y, layer, before.cell, states)
            after.append(left)
        if not self.return_sequences:
            y = y[:, -1]
        return Tensor(y), RecurrentState(before.cell, after)

    def _first(self, rows: int) -> list[tuple[Array, ...]]:
        starts = [self._starts(rows, f"{layer}")[0] for layer in range(self.layers)]
        return [tuple(start.data for start in each) for each in starts]

    def _step(
        self, x: Array, layer: int, cell: RecurrentOp, states: tuple[Array, ...]
    ) -> tuple[Array, tuple[Array, ...]]:
        """Take one step of a layer; return its output, and the states behind it."""
        parameters = [each.data for each in self._parameters(f"{layer}")]
        left = cell.advance(x[:, 0], *parameters, *states)
        return left[0][:, None], left

    def _steps(
        self, x: Array, layer: int, cell: RecurrentOp, states: tuple[Array, ...]
    ) -> tuple[Array, tuple[Array, ...]]:
        """Take several steps of a layer as one op."""
        n, t = x.shape[:2]
        left = tuple(map(xp.empty_like, states))
        inputs = [Tensor(x), *self._parameters(f"{layer}"), *map(Tensor, states)]
        y = apply(self.function(state=left), *inputs, Tensor(xp.full(n, t)))
        return y.data, left


def _table(table: Tensor, padding: int | None) -> Tensor:
    """Return a table whose row for padding counts as zeros."""
    if padding is None:
        return table
    return apply(Lookup(padding), table, Tensor(xp.arange(len(table))))
