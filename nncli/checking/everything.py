"""The derivative of everything that is registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nncli.autograd.function import FUNCTIONS
from nncli.autograd.gradcheck import (
    ALL,
    BUDGET,
    Effort,
    GradientReport,
    check_case,
    check_gradients,
    generators_of,
)
from nncli.autograd.tensor import Tensor
from nncli.checking.variations import show_shape, variations, words_of
from nncli.core.arrays import Array, xp
from nncli.core.errors import NncliError
from nncli.core.randomness import Streams, stream
from nncli.layers.base import InputSpec, Layer
from nncli.losses.base import Loss, Targets
from nncli.network.network import Network

FLOAT64 = np.dtype(np.float64)
BATCHES = (1, 5)
SEED = 0

COMPONENT = 2e10
"""Operations that the differences of all cases of one layer may take, about."""


@dataclass(frozen=True)
class Check:
    """One case and what comparing its gradients found.

    Attributes:
        family: op, layer, loss or network.
        name: The component's name.
        case: Arguments and shapes in words.
        reports: One for each tensor; empty if the case could not be run.
        failure: Why it could not be run, or "".
    """

    family: str
    name: str
    case: str
    reports: tuple[GradientReport, ...] = ()
    failure: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything was compared and agreed."""
        return not self.failure and all(report.passed for report in self.reports)


@dataclass(frozen=True)
class Subject:
    """Something whose derivative can be checked.

    Attributes:
        family: op, layer or loss.
        name: Its name.
        checks: Runs its cases.
    """

    family: str
    name: str
    checks: Callable[[], Iterator[Check]]


def subjects() -> list[Subject]:
    """Return every op that has a derivative, every layer and loss; plugins, too."""
    ops = [
        Subject("op", name, partial(check_op, name))
        for name, function in FUNCTIONS.scan().items()
        if function.differentiable is not False
    ]
    layers = [
        Subject("layer", cls.type_name, partial(check_layer, cls))
        for cls in Layer.members().values()
    ]
    losses = [
        Subject("loss", cls.type_name, partial(check_loss, cls))
        for cls in Loss.members().values()
    ]
    return ops + layers + losses


def check_op(name: str) -> Iterator[Check]:
    """Check the cases that a Function declares."""
    function = FUNCTIONS.scan()[name]
    rng = stream(SEED, "check")
    for case in function.cases(rng):
        shapes = ", ".join(show_shape(array.shape) for array in case.inputs)
        own = {k: v for k, v in vars(case.function).items() if _plain(v)}
        text = " ".join([shapes, *(f"{k}={v}" for k, v in own.items())])
        yield Check("op", name, text, tuple(check_case(case, rng)))


def check_layer(cls: type[Layer]) -> Iterator[Check]:
    """Check a layer alone: every argument varied, its examples, both modes."""
    ran = False
    reason = ""
    varied = list(variations(cls))
    cases = len(varied) * len(cls.examples) * len(BATCHES) * 2
    effort = Effort(budget=min(BUDGET, COMPONENT / cases))
    for arguments in varied:
        for example in cls.examples:
            try:
                network = lone_network(cls, arguments, example)
            except NncliError as error:
                reason = str(error)
                continue
            ran = True
            for rows in BATCHES:
                for training in (True, False):
                    if not training or rows >= network.min_rows:
                        yield _check_alone(network, arguments, rows, training, effort)
    if not ran:
        text = (
            f"none of its examples {', '.join(map(str, cls.examples))} fits: {reason}"
        )
        yield Check("layer", cls.type_name, "", failure=text)


def lone_network(
    cls: type[Layer], arguments: dict[str, Any], example: Any, dtype: Any = FLOAT64
) -> Network:
    """Return a network of one layer, for one of the layer's examples.

    What the layer needs before it stands there. A layer that names an input finds the
    example under any name.
    """
    spec = example if isinstance(example, InputSpec) else InputSpec(example)
    layer = cls(**arguments)
    name = layer.arguments.get("name", "") or "x"
    layers = [*cls.behind, layer]
    return Network(layers, {name: spec}, Streams(SEED), np.dtype(dtype), max(BATCHES))


def drawn_input(network: Network, rows: int, rng: np.random.Generator) -> Tensor:
    """Return rows for the default input: numbers around 0, or integers."""
    spec = next(iter(network.inputs.values()))
    shape = (rows, *spec.shape)
    if spec.below is not None:
        return Tensor(rng.integers(0, spec.below, shape))
    drawn = rng.normal(0.0, 1.5, shape).astype(network.dtype)
    return Tensor(drawn, requires_grad=True)


def _check_alone(
    network: Network,
    arguments: dict[str, Any],
    rows: int,
    training: bool,
    effort: Effort,
) -> Check:
    rng = stream(SEED, "check")
    x = drawn_input(network, rows, rng)
    # Away from the first values, which are often zero.
    values = network.flat.values
    xp.copyto(values, rng.uniform(0.5, 1.5, values.size))
    network.set_training(training)
    layer = network.layers[-1]
    reports = layer_reports(network, layer, x, rng, effort, whole=True)
    mode = "training" if training else "in use"
    case = " ".join([show_shape(x.shape), *words_of(arguments), mode])
    return Check("layer", layer.type_name, case, tuple(reports))


def layer_reports(
    network: Network,
    layer: Layer,
    x: Tensor,
    rng: np.random.Generator,
    effort: Effort = ALL,
    *,
    whole: bool = False,
) -> list[GradientReport]:
    """Check Σ c·layer(x) and the penalties on its weights, by x and the parameters.

    With ``whole``, together with the layers before it, whose input x then is.
    """
    inside = dict(layer.walk("layer"))
    alone = layer is network.layers[0] and len(network.layers) == 1
    if whole and not alone:
        alone, inside = True, network.nested
    generators = [one for part in inside.values() for one in generators_of(part)]
    weights: list[Tensor] = []

    def objective() -> Tensor:
        y = network(x) if alone else layer(x)
        if not weights:
            weights.append(Tensor(rng.uniform(0.5, 1.5, y.shape)))
        return network.with_penalties((y * weights[0]).sum())

    tensors = {"input": x} if x.requires_grad else {}
    for path, one in inside.items():
        for name, tensor in one.parameters.items():
            if not tensor.requires_grad:
                continue
            tensors[f"{path}.{name}".removeprefix("layer.")] = tensor
    states = list(network.state.values())
    return check_gradients(objective, tensors, generators, effort, states)


def check_loss(cls: type[Loss]) -> Iterator[Check]:
    """Check a loss with outputs of its kind and every kind of targets that it takes."""
    ran = False
    for arguments in variations(cls):
        for rows in BATCHES:
            for outputs, values, classes in _loss_inputs(cls, rows):
                loss = cls(**arguments)
                targets = Targets(values, classes, outputs.shape[1:], FLOAT64)
                try:
                    encoded = loss.encode(targets)
                except NncliError:
                    continue
                ran = True
                yield _check_one_loss(loss, arguments, outputs, encoded)
    if not ran:
        text = "no kind of targets (classes or numbers) was accepted"
        yield Check("loss", cls.type_name, "", failure=text)


def _check_one_loss(
    loss: Loss, arguments: dict[str, Any], outputs: Array, encoded: Array
) -> Check:
    x, t = Tensor(outputs, requires_grad=True), Tensor(encoded)
    reports = check_gradients(lambda: loss(x, t), {"outputs": x})
    case = " ".join([show_shape(outputs.shape), *words_of(arguments)])
    return Check("loss", loss.type_name, case, tuple(reports))


def _loss_inputs(
    cls: type[Loss], rows: int
) -> Iterator[tuple[Array, Array, tuple[str, ...] | None]]:
    """Yield outputs, targets and classes.

    3 classes, 2 with one output, numbers; a class for each step of a sequence, and two
    for all of its five steps.
    """
    rng = stream(SEED, "check")
    for row, classes in (
        ((3,), 3),
        ((1,), 2),
        ((2,), 2),
        ((2,), 0),
        ((1,), 0),
        ((4, 3), 3),
    ):
        shape = (rows, *row)
        outputs = rng.normal(0.0, 2.0, shape)
        if cls.takes == "probability" or cls.positive:
            outputs = rng.uniform(0.1, 0.9, shape)
        elif cls.takes == "distribution":
            outputs = rng.dirichlet(np.full(row[-1], 5.0), shape[:-1])
        if classes:
            targets = rng.integers(0, classes, shape[:-1])
            yield outputs, targets, tuple(map(str, range(classes)))
        else:
            yield outputs, rng.uniform(0.0, 1.0, shape), None
    if cls.takes == "logits":
        labels = rng.integers(1, 3, (rows, 2))
        yield rng.normal(0.0, 2.0, (rows, 5, 3)), labels, ("0", "1", "2")


def _plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str | tuple)
