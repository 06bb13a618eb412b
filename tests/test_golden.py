"""PyTorch's numbers of every family, where PyTorch is not installed: golden.json."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array
from nncli.core.randomness import Streams
from nncli.core.registry import Component
from nncli.layers.base import Layer
from nncli.losses.base import Loss
from nncli.network.network import Network
from nncli.optimizers.base import Optimizer
from nncli.schedules.base import Schedule
from tests import golden
from tests.golden import Record, named, records
from tests.optimizers.flats import flat_of

NOT_IN_TORCH = {"lion", "lamb", "plateau"}
"""Compared with plain loops, and with PyTorch where it needs evaluations."""


def near(found: Array | float, expected: object) -> None:
    """Fail where numbers are not those of PyTorch, but for what rounding takes."""
    np.testing.assert_allclose(
        np.ravel(found), np.ravel(np.asarray(expected)), rtol=1e-9, atol=1e-10
    )


def network_of(record: Record, features: int) -> Network:
    layer = Layer.members()[record["type"]](**record["options"])
    return Network([layer], (features,), Streams(0), np.dtype(np.float64))


def differentiated(network: Network, x: Array, start: float) -> tuple[Array, Array]:
    """Return the value, and the gradient of a weighted sum of it."""
    leaf = Tensor(x, requires_grad=True)
    y = network(leaf)
    (y * Tensor(golden.wave(*y.shape, start=start))).sum().backward()
    assert leaf.grad is not None
    return y.data, leaf.grad


@pytest.mark.parametrize("record", records("activations"), ids=named)
def test_activation_and_its_slope_at_every_kink_are_torch_s(record: Record) -> None:
    network = network_of(record, golden.EDGES.shape[1])
    value, slope = differentiated(network, golden.EDGES, 1.0)
    near(value, record["value"])
    near(slope, record["slope"])


@pytest.mark.parametrize("record", records("losses"), ids=named)
def test_loss_and_its_gradient_are_torch_s(record: Record) -> None:
    loss = Loss.members()[record["type"]](**record["options"])
    outputs, targets = golden.outputs_and_targets(loss)
    leaf = Tensor(outputs, requires_grad=True)
    value = loss(leaf, Tensor(targets))
    value.backward()
    assert leaf.grad is not None
    near(value.item(), record["value"])
    near(leaf.grad, record["slope"])


@pytest.mark.parametrize("record", records("norms"), ids=named)
def test_norm_in_training_and_in_use_is_torch_s(record: Record) -> None:
    network = network_of(record, 4)
    for number, leaf in enumerate(network.flat.leaves):
        leaf.data[...] = golden.wave(4, start=7.0 + number)
    network.set_training(True)
    x = golden.wave(5, 4)
    value, slope = differentiated(network, x, 3.0)
    slopes = [slope, *(leaf.grad for leaf in network.flat.leaves)]
    near(value, record["value"])
    for mine, other in zip(slopes, record["slopes"], strict=True):
        assert mine is not None
        near(mine, other)
    for array, other in zip(network.state.values(), record["state"], strict=True):
        near(array, other)
    network.set_training(False)
    near(network(Tensor(x)).data, record["in use"])


@pytest.mark.parametrize("record", records("optimizers"), ids=named)
def test_steps_of_an_optimizer_are_torch_s(record: Record) -> None:
    start = golden.wave(4)
    flat = flat_of(start[:3].reshape(1, 3), start[3:])
    optimizer = Optimizer.members()[record["type"]](**record["options"]).over(flat)

    def objective() -> float:
        loss, flat.grads[:] = golden.valley(flat.values)
        return loss

    for step in range(golden.OPTIMIZER_STEPS):
        if optimizer.full_batch:
            optimizer.minimize(optimizer.lr, objective)
        else:
            flat.grads[:] = golden.gradient(step)
            optimizer.step()
    near(flat.values, record["values"])


@pytest.mark.parametrize("record", records("schedules"), ids=named)
def test_first_rates_of_a_schedule_are_torch_s(record: Record) -> None:
    options = dict(record["options"])
    if "then" in options:
        then = dict(options["then"])
        options["then"] = Schedule.members()[then.pop("type")](**then)
    schedule = Schedule.members()[record["type"]](**options)
    rates = [
        schedule.rate(golden.LR, s, s / golden.STEPS_PER_EPOCH, golden.TOTAL_STEPS)
        for s in range(golden.RATES)
    ]
    near(np.array(rates), record["rates"])


@pytest.mark.parametrize(
    ("family", "kind", "room"),
    [
        ("activations", Layer, "nncli.layers.activations"),
        ("losses", Loss, "nncli."),
        ("norms", Layer, "nncli.layers.normalization"),
        ("optimizers", Optimizer, "nncli."),
        ("schedules", Schedule, "nncli."),
    ],
)
def test_every_member_has_golden_numbers(
    family: str, kind: type[Component], room: str
) -> None:
    own = {n for n, cls in kind.members().items() if cls.__module__.startswith(room)}
    assert own - NOT_IN_TORCH == {record["type"] for record in records(family)}
