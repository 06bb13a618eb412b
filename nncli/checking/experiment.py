"""The derivatives of one network, on real rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nncli.autograd.gradcheck import BUDGET, Effort, check_gradients
from nncli.autograd.tape import no_grad, record
from nncli.autograd.tensor import Tensor
from nncli.checking.everything import SEED, Check, layer_reports
from nncli.checking.variations import show_shape
from nncli.core.arrays import xp
from nncli.core.errors import DataError
from nncli.core.randomness import stream
from nncli.experiment.experiment import Experiment
from nncli.layers.chain import watch
from nncli.network.network import Network
from nncli.network.trial import trial

TOGETHER = 50
"""Elements of a parameter that are compared where layers inside were checked before."""

OPERATIONS = 1e8
"""Floating-point operations that computing all layers may take; else rows are fewer."""

TOTAL = 4e10
"""Operations that the differences of all checks together may take, about."""


def check_experiment(experiment: Experiment, rows: int = 16) -> Iterator[Check]:
    """Check each layer of a network alone, then all together with the loss.

    A wrong derivative in one layer spoils the gradients of all layers before it, and
    of those around it; the checks alone, the inner layers first, name the culprit.

    Args:
        experiment: Built in float64.
        rows: How many rows of the training part are used; fewer of large networks.
    """
    network = experiment.network
    part = experiment.parts["train"]
    rows = min(rows, max(2, network.min_rows, int(OPERATIONS / _operations(network))))
    if network.max_rows is not None:
        rows = min(rows, network.max_rows)
    # Spread over the part, so that all classes of a sorted set are there.
    index = np.unique(np.linspace(0, len(part) - 1, rows).astype(int))
    batch = part.batch(index)
    x, targets = batch.x, batch.targets
    with trial(network, training=True):
        yield from _check_network(experiment, x, targets)


def _operations(network: Network) -> float:
    """Count the operations that one row takes."""
    with trial(network, training=False), no_grad(), record() as steps:
        network(network.zeros(2))
    return max(1, sum(step.flops() for step in steps) / 2)


def _refuse_overflow(experiment: Experiment, x: Tensor, targets: Tensor) -> None:
    """Refuse rows whose loss overflows: of those, nothing can be said.

    Raises:
        DataError: They are too large.
    """
    network = experiment.network
    with xp.errstate(all="ignore"), no_grad():
        loss = network.with_penalties(experiment.loss(network(x), targets)).item()
    if not math.isfinite(loss):
        largest = [float(abs(t.data).max(initial=0)) for t in (x, targets)]
        raise DataError(
            f"gradcheck: expected rows with a finite loss, got {loss} from inputs up "
            f"to {largest[0]:.3g} and targets up to {largest[1]:.3g}, which are too "
            "large. Scale the data, inputs for example with transforms=[standardize]."
        )


def _check_network(
    experiment: Experiment, x: Tensor, targets: Tensor
) -> Iterator[Check]:
    network = experiment.network
    _refuse_overflow(experiment, x, targets)
    rng = stream(SEED, "check")
    # Off the first values: with biases of zero, an input of zero sits on ReLU's kink.
    network.flat.values += rng.uniform(-0.1, 0.1, network.flat.values.size)
    with no_grad(), watch() as calls:
        network(x)
    penalties, network.penalties = network.penalties, []
    together = Effort(TOGETHER, 1, min(BUDGET, TOTAL / (len(calls) + 1)))
    spoiled: set[int] = set()
    for call in calls:
        inside = {id(layer) for _, layer in call.layer.walk("")}
        if inside & spoiled:
            # Nothing can be said of a layer around one that is wrong.
            continue
        numbers = call.x.dtype.kind == "f"
        lone = Tensor(call.x.data.copy(), requires_grad=numbers)
        # What is inside a layer was checked before: here it is how it is put together.
        effort = together if call.layer.children else Effort(budget=together.budget)
        reports = layer_reports(network, call.layer, lone, rng, effort)
        check = Check("layer", call.layer.label, show_shape(lone.shape), tuple(reports))
        if not check.passed:
            spoiled.add(id(call.layer))
        yield check
    network.penalties = penalties

    def objective() -> Tensor:
        return network.with_penalties(experiment.loss(network(x), targets))

    generators = [network.streams.noise]
    reports = check_gradients(
        objective,
        network.flat.tensors,
        generators,
        together,
        list(network.state.values()),
    )
    yield Check("network", "all layers and loss", show_shape(x.shape), tuple(reports))
