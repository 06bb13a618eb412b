"""The contract that every registered component keeps, plugins included."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import nncli.config.schema  # noqa: F401 - imports every family
from nncli.autograd.flat import Flat
from nncli.autograd.replay import Replay
from nncli.autograd.tape import record
from nncli.autograd.tensor import Tensor
from nncli.checking.everything import drawn_input, lone_network
from nncli.checking.variations import variations
from nncli.core.errors import NncliError
from nncli.core.registry import FAMILIES, spec_of
from nncli.core.signature import argument_help, signature_of
from nncli.data.base import Dataset
from nncli.layers.base import Layer
from nncli.losses.base import Loss
from nncli.network.network import Network
from nncli.optimizers.base import Optimizer

COMPONENTS: list[Any] = [
    member for family in FAMILIES.values() for member in family.members().values()
]
LAYERS = list(Layer.members().values())
LOSSES = list(Loss.members().values())


def name_of(cls: Any) -> str:
    return f"{getattr(cls, 'kind', 'op')}-{cls.type_name}"


def test_components_explain_themselves_and_each_argument() -> None:
    for cls in COMPONENTS:
        doc = inspect.getdoc(cls)
        assert doc, name_of(cls)
        assert len(doc.partition("\n")[0]) <= 88, name_of(cls)
        helps = argument_help(cls)
        silent = [name for name in signature_of(cls).arguments if not helps.get(name)]
        assert not silent, f"{name_of(cls)}: {silent}"


def test_component_defaults_are_what_arguments_accept() -> None:
    for cls in COMPONENTS:
        signature = signature_of(cls)
        faults = signature.faults(signature.defaults())
        missing = [fault for fault in signature.faults({}) if not fault.at_key]
        assert faults == missing, name_of(cls)


def test_components_are_final_and_remember_their_arguments() -> None:
    for cls in COMPONENTS:
        assert cls.__subclasses__() == [], name_of(cls)
        for arguments in variations(cls):
            try:
                made: Any = cls(**arguments)
            except NncliError:
                continue
            case = f"{name_of(cls)} {arguments}"
            assert made.arguments | arguments == made.arguments, case
            spec = spec_of(made)
            again = {} if isinstance(spec, str) else dict(spec)
            assert again.pop("type", spec) == cls.type_name, case


def _networks(cls: type[Layer], dtype: Any) -> list[tuple[Network, Network]]:
    """Return pairs of equal networks of the layer, for all arguments and examples."""
    pairs = []
    for arguments in variations(cls):
        for example in cls.examples:
            try:
                one, two = (
                    lone_network(cls, arguments, example, dtype) for _ in range(2)
                )
            except NncliError:
                continue
            pairs.append((one, two))
    return pairs


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cls", LAYERS, ids=name_of)
def test_layer_keeps_its_promised_shape_and_dtype(cls: type[Layer], dtype: Any) -> None:
    pairs = _networks(cls, dtype)
    assert pairs
    for network, _ in pairs:
        for rows in (2, 5):
            for training in (True, False):
                network.set_training(training)
                x = drawn_input(network, rows, np.random.default_rng(0))
                y = network(x)
                assert y.shape == (rows, *network.shapes[-1])
                assert y.dtype == dtype
        assert all(array.dtype == dtype for array in network.state.values())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("cls", LAYERS, ids=name_of)
def test_layer_replays_to_the_bits_of_eager_mode(
    cls: type[Layer], training: bool
) -> None:
    # In float64, every op is replayed alone in tests/test_op_contract.py.
    dtype = np.float32
    for replayed, eager in _networks(cls, dtype):
        rng = np.random.default_rng(0)
        for network in (replayed, eager):
            network.set_training(training)
        x = drawn_input(replayed, 4, rng)
        leaves = [*replayed.flat.leaves, *([x] if x.requires_grad else [])]
        weight = rng.normal(size=(4, *replayed.shapes[-1])).astype(dtype)
        replay = None
        for _ in range(3):
            if replay is None:
                with record() as steps:
                    y = replayed(x)
                    loss = replayed.with_penalties((y * weight).sum())
                replay = Replay(steps, [y], loss, leaves)
            else:
                replay.forward()
            replay.backward()
            lone = Tensor(x.data.copy(), requires_grad=x.requires_grad)
            eager.flat.grads.fill(0)
            z = eager(lone)
            eager.with_penalties((z * weight).sum()).backward()
            np.testing.assert_array_equal(replay.values[0], z.data)
            if x.requires_grad:
                np.testing.assert_array_equal(x.grad, lone.grad)
            np.testing.assert_array_equal(replayed.flat.grads, eager.flat.grads)
            for name, array in replayed.state.items():
                np.testing.assert_array_equal(array, eager.state[name])
            np.copyto(x.data, drawn_input(replayed, 4, rng).data)


@pytest.mark.parametrize(
    "cls", list(Optimizer.members().values()), ids=lambda cls: cls.type_name
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_optimizer_goes_downhill_and_keeps_its_dtype(
    cls: type[Optimizer], dtype: Any
) -> None:
    for arguments in variations(cls):
        try:
            optimizer = cls(**arguments)
        except NncliError:
            continue
        flat = Flat({"p": Tensor(np.full(5, 3.0, dtype), requires_grad=True)})
        optimizer = optimizer.over(flat)
        for _ in range(50):
            np.multiply(flat.values, 2, out=flat.grads)
            optimizer.step(0.01)
        assert (np.abs(flat.values) < 3.0).all()
        assert all(slot.dtype == dtype for slot in optimizer.state.values())


@pytest.mark.parametrize(
    "cls",
    [cls for cls in Dataset.members().values() if not signature_of(cls).needs_files],
    ids=lambda cls: cls.type_name,
)
def test_dataset_is_a_pure_function_of_its_generator(cls: type[Dataset]) -> None:
    known = signature_of(cls).arguments
    for arguments in variations(cls):
        if any(known[name].is_file for name in arguments):
            continue
        dataset = cls(**arguments)
        one = dataset.load(np.random.default_rng(1))
        two = dataset.load(np.random.default_rng(1))
        assert one.digest() == two.digest()
        assert len(one) == len(two) > 0
        assert np.isfinite(one.read("x", slice(0, len(one)))).all()
        y = one.read("y", slice(0, len(one)))
        if one.classes is not None:
            assert y.ndim == 1
            assert 0 <= y.min() <= y.max() < len(one.classes)
