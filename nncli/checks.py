"""Checks: the derivative of everything that is registered, or of one config."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nncli.autograd.function import FUNCTIONS
from nncli.autograd.gradcheck import GradientReport, check_case, check_gradients
from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor
from nncli.backend import Array, Shape, xp
from nncli.build import Experiment
from nncli.errors import ArgumentError, NncliError
from nncli.layers.activations import Tanh
from nncli.layers.base import Layer, watch
from nncli.layers.dense import Dense
from nncli.layers.dropout import Dropout
from nncli.layers.normalization import LayerNorm
from nncli.losses.base import Loss
from nncli.network import Network
from nncli.registry import Component, spec_of
from nncli.signature import Argument, signature_of
from nncli.streams import Streams, stream

FLOAT64 = np.dtype(np.float64)
ROW_SHAPES: tuple[Shape, ...] = ((3,), (1,), (4, 2), (2, 3, 3))
BATCHES = (1, 5)
SEED = 0


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


def check_everything() -> Iterator[Check]:
    """Check every registered op, layer and loss over a grid of shapes and arguments."""
    for name in FUNCTIONS.names():
        yield from check_op(name)
    for layer in Layer.members().values():
        yield from check_layer(layer)
    for loss in Loss.members().values():
        yield from check_loss(loss)


def check_op(name: str) -> Iterator[Check]:
    """Check the cases that a Function declares."""
    function = FUNCTIONS.scan()[name]
    rng = stream(SEED, "check")
    for case in function.cases(rng):
        shapes = ", ".join(_shape(array.shape) for array in case.inputs)
        own = {k: v for k, v in vars(case.function).items() if _plain(v)}
        text = " ".join([shapes, *(f"{k}={v}" for k, v in own.items())])
        yield Check("op", name, text, tuple(check_case(case, rng)))


def check_layer(cls: type[Layer]) -> Iterator[Check]:
    """Check a layer alone: every argument varied, several shapes, both modes."""
    ran = False
    reason = ""
    for arguments in variations(cls):
        for shape in ROW_SHAPES:
            try:
                layer = cls(**arguments)
                network = Network([layer], shape, Streams(SEED), FLOAT64)
            except NncliError as error:
                reason = str(error)
                continue
            ran = True
            for rows in BATCHES:
                for training in (True, False):
                    if training and rows < network.min_rows:
                        continue
                    yield _check_alone(network, layer, arguments, rows, training)
    if not ran:
        text = f"no row shape of {', '.join(map(str, ROW_SHAPES))} fits: {reason}"
        yield Check("layer", cls.type_name, "", failure=text)


def _check_alone(
    network: Network,
    layer: Layer,
    arguments: dict[str, Any],
    rows: int,
    training: bool,
) -> Check:
    rng = stream(SEED, "check")
    shape = (rows, *network.shapes[0])
    x = Tensor(rng.normal(0.0, 1.5, shape), requires_grad=True)
    # Away from the first values, which are often zero.
    values = network.flat.values
    xp.copyto(values, rng.uniform(0.5, 1.5, values.size))
    network.set_training(training)
    reports = _layer_reports(network, layer, x, rng)
    words = _words(arguments)
    mode = "training" if training else "in use"
    case = " ".join([_shape(shape), *words, mode])
    return Check("layer", layer.type_name, case, tuple(reports))


def _layer_reports(
    network: Network,
    layer: Layer,
    x: Tensor,
    rng: np.random.Generator,
    max_elements: int = 200,
) -> list[GradientReport]:
    """Check Σ c·layer(x) and the prices of its weights, by x and by the parameters."""
    inside = dict(layer.walk("layer"))
    generators = [
        part
        for one in inside.values()
        for part in vars(one).values()
        if isinstance(part, np.random.Generator)
    ]
    weights: list[Tensor] = []

    def objective() -> Tensor:
        y = layer(x)
        if not weights:
            weights.append(Tensor(rng.uniform(0.5, 1.5, y.shape)))
        return network.with_prices((y * weights[0]).sum())

    tensors = {"input": x}
    for path, one in inside.items():
        for name, tensor in one.parameters.items():
            tensors[f"{path}.{name}".removeprefix("layer.")] = tensor
    return check_gradients(objective, tensors, generators, max_elements)


def check_loss(cls: type[Loss]) -> Iterator[Check]:
    """Check a loss with outputs of its kind and every kind of targets that it takes."""
    ran = False
    for arguments in variations(cls):
        for rows in BATCHES:
            for outputs, targets, classes in _loss_inputs(cls, rows):
                loss = cls(**arguments)
                try:
                    shape = outputs.shape[1:]
                    encoded = loss.encode(targets, classes, shape, FLOAT64)
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
    words = _words(arguments)
    case = " ".join([_shape(outputs.shape), *words])
    return Check("loss", loss.type_name, case, tuple(reports))


def _loss_inputs(
    cls: type[Loss], rows: int
) -> Iterator[tuple[Array, Array, tuple[str, ...] | None]]:
    """Yield outputs, targets and classes: 3 classes, 2 with one output, numbers."""
    rng = stream(SEED, "check")
    for width, classes in ((3, 3), (1, 2), (2, 2), (2, 0), (1, 0)):
        outputs = rng.normal(0.0, 2.0, (rows, width))
        if cls.takes == "probability" or cls.positive:
            outputs = rng.uniform(0.1, 0.9, (rows, width))
        elif cls.takes == "distribution":
            outputs = rng.dirichlet(np.full(width, 5.0), rows)
        if classes:
            targets = rng.integers(0, classes, rows)
            yield outputs, targets, tuple(map(str, range(classes)))
        else:
            yield outputs, rng.uniform(0.0, 1.0, (rows, width)), None


def check_experiment(experiment: Experiment, rows: int = 16) -> Iterator[Check]:
    """Check each layer of a network alone, then all together with the loss.

    A wrong derivative in one layer spoils the gradients of all layers before it, and
    of those around it; the checks alone, the inner layers first, name the culprit.

    Args:
        experiment: Built in float64.
        rows: How many rows of the training part are used.
    """
    network = experiment.network
    part = experiment.parts["train"]
    # Spread over the part, so that all classes of a sorted set are there.
    index = np.unique(np.linspace(0, len(part) - 1, rows).astype(int))
    x, targets = Tensor(part.x[index]), Tensor(part.targets[index])
    network.set_training(True)
    rng = stream(SEED, "check")
    # Off the first values: with biases of zero, an input of zero sits on ReLU's kink.
    network.flat.values += rng.uniform(-0.1, 0.1, network.flat.values.size)
    with no_grad(), watch() as calls:
        network(x)
    prices, network.prices = network.prices, []
    spoiled: set[int] = set()
    for call in calls:
        inside = {id(part) for _, part in call.layer.walk("")}
        if inside & spoiled:
            # Nothing can be said of a layer around one that is wrong.
            continue
        lone = Tensor(call.x.data.copy(), requires_grad=True)
        # What is inside a layer was checked before: here it is how it is put together.
        most = 50 if call.layer.children else 200
        reports = _layer_reports(network, call.layer, lone, rng, most)
        check = Check("layer", call.layer.label, _shape(lone.shape), tuple(reports))
        if not check.passed:
            spoiled.add(id(call.layer))
        yield check
    network.prices = prices

    def objective() -> Tensor:
        return network.with_prices(experiment.loss(network(x), targets))

    reports = check_gradients(
        objective, dict(network.flat.tensors), [experiment.streams.dropout], 50
    )
    yield Check("network", "all layers and loss", _shape(x.shape), tuple(reports))


def variations(cls: type[Component]) -> Iterator[dict[str, Any]]:
    """Yield arguments for a component: the defaults, then each argument changed alone.

    Required arguments get a small value that their type and bounds allow, layers inside
    a layer too. An argument with a choice takes each of its values, others take one
    that the constructor accepts.
    """
    signature = signature_of(cls)
    base = {}
    for argument in signature.arguments.values():
        if argument.required:
            base[argument.name] = next(_values(argument), None)
    yield base
    for argument in signature.arguments.values():
        usual = spec_of(base.get(argument.name, argument.default))
        for value in _values(argument):
            changed = {**base, argument.name: value}
            if spec_of(value) != usual and _makes(cls, changed):
                yield changed
                if value not in _choices(argument):
                    break


def _makes(cls: type[Component], arguments: dict[str, Any]) -> bool:
    try:
        cls(**arguments)
    except ArgumentError:
        return False
    return True


def _values(argument: Argument) -> Iterator[Any]:
    """Yield values that an argument accepts."""
    default = argument.default
    tried: list[Any] = [0.3, 2, 1, 3, 0.05, -0.2, True, False]
    tried += [[1.0, 2.0], [-1], [1, 0], [-1, 1], [2]]
    if isinstance(default, bool):
        tried = [not default]
    tried = [*tried, *_choices(argument), "a", *_example_layers()]
    for value in tried:
        if not argument.faults(value):
            yield value


def _choices(argument: Argument) -> list[Any]:
    """Return the values that an argument names one by one."""
    schema = argument.schema()
    return [
        value
        for part in (schema, *schema.get("anyOf", ()))
        for value in part.get("enum", ())
    ]


def _example_layers() -> Iterator[Any]:
    """Yield layers to stand inside a layer: a chain, or as many branches, or one.

    The first keep every shape and have parameters; the second give two features; the
    third draw.
    """
    for layers in ([LayerNorm(), Tanh()], [Dense(2), Dense(2)], [Dropout(0.3)]):
        yield layers
        yield layers[0]


def _words(arguments: dict[str, Any]) -> list[str]:
    return [f"{name}={spec_of(value)}" for name, value in arguments.items()]


def _plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str | tuple)


def _shape(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))})"
