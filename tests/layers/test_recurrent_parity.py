"""Recurrent layers and embeddings against PyTorch: values, last states, gradients."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array
from nncli.core.randomness import Streams
from nncli.layers.base import InputSpec, Layer
from nncli.network.network import Network
from tests.parity import assert_agrees

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
torch.set_num_threads(1)

pytestmark = pytest.mark.parity

FLOAT64 = np.dtype(np.float64)
N, T, F, H = 4, 5, 3, 2
LENGTHS = [3, 5, 1, 4]

CELLS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "tanh": (nn.layers.Rnn, torch.nn.RNN, {}),
    "relu": (nn.layers.Rnn, torch.nn.RNN, {"activation": "relu"}),
    "lstm": (nn.layers.Lstm, torch.nn.LSTM, {}),
    "gru": (nn.layers.Gru, torch.nn.GRU, {}),
}


def module_of(cell: str, network: Network, layers: int, both: bool) -> Any:
    """Return PyTorch's module with our parameters."""
    _, cls, more = CELLS[cell]
    more = {"nonlinearity": "relu"} if more else {}
    module = cls(F, H, layers, batch_first=True, bidirectional=both, **more).double()
    ours = network.layers[-1].parameters
    for layer, back in product(range(layers), range(1 + both)):
        mine = f"{layer}_reverse" if back else f"{layer}"
        theirs = f"l{layer}_reverse" if back else f"l{layer}"
        second = np.zeros(len(ours[f"bias_{mine}"].data))
        if cell == "gru":
            second[-H:] = ours[f"recurrent_bias_{mine}"].data
        for name, values in (
            ("weight_ih", ours[f"weight_{mine}"].data),
            ("weight_hh", ours[f"recurrent_{mine}"].data),
            ("bias_ih", ours[f"bias_{mine}"].data),
            ("bias_hh", second),
        ):
            getattr(module, f"{name}_{theirs}").data = torch.tensor(values)
    return module


def assert_same_gradients(layer: Layer, module: Any, layers: int, both: bool) -> None:
    """Compare the gradients of all parameters."""
    for index, back in product(range(layers), range(1 + both)):
        mine = f"{index}_reverse" if back else f"{index}"
        theirs = f"l{index}_reverse" if back else f"l{index}"
        pairs = {"weight": "weight_ih", "recurrent": "weight_hh", "bias": "bias_ih"}
        for ours, name in pairs.items():
            found = layer.parameters[f"{ours}_{mine}"].grad
            expected = getattr(module, f"{name}_{theirs}").grad
            assert_agrees(found, expected, f"{ours}_{mine}")
        if f"recurrent_bias_{mine}" in layer.parameters:
            found = layer.parameters[f"recurrent_bias_{mine}"].grad
            expected = getattr(module, f"bias_hh_{theirs}").grad[-H:]
            assert_agrees(found, expected, f"recurrent_bias_{mine}")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
def test_recurrent_layer_agrees_with_pytorch(
    cell: str, lengths: list[int] | None
) -> None:
    cls, _, more = CELLS[cell]
    rng = np.random.default_rng(0)
    for layers, both, all_steps in product((1, 2), (False, True), (True, False)):
        layer = cls(
            units=H, layers=layers, bidirectional=both, return_sequences=all_steps,
            **more,
        )  # fmt: skip
        network = Network([layer], (T, F), Streams(1), FLOAT64)
        module = module_of(cell, network, layers, both)
        x = rng.normal(size=(N, T, F))
        ours = Tensor(x, requires_grad=True, lengths=lengths)
        theirs = torch.tensor(x, requires_grad=True)
        y = network(ours)
        expected = torch_outputs(module, theirs, lengths, all_steps, both)
        assert_agrees(y.data, expected.detach(), "value")
        weight = rng.normal(size=y.shape)
        (y * Tensor(weight)).sum().backward()
        (expected * torch.tensor(weight)).sum().backward()
        assert_agrees(ours.grad, theirs.grad, "input")
        assert_same_gradients(network.layers[0], module, layers, both)
        assert all_steps == (y.lengths is ours.lengths and lengths is not None) or (
            lengths is None
        )


def torch_outputs(
    module: Any, x: Any, lengths: list[int] | None, all_steps: bool, both: bool
) -> Any:
    """Return PyTorch's outputs, or the last layer's last states side by side."""
    pack = torch.nn.utils.rnn.pack_padded_sequence
    unpack = torch.nn.utils.rnn.pad_packed_sequence
    if lengths is None:
        outputs, states = module(x)
    else:
        packed = pack(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, states = module(packed)
        outputs, _ = unpack(outputs, batch_first=True, total_length=T)
    hidden = states[0] if isinstance(states, tuple) else states
    return outputs if all_steps else torch.cat(list(hidden[-1 - both :]), dim=1)


@pytest.mark.parametrize("cell", CELLS)
def test_learned_states_and_last_ones_agree_with_pytorch(cell: str) -> None:
    cls, _, more = CELLS[cell]
    layer = cls(units=H, layers=2, initial_state="learned", **more)
    network = Network([layer], (T, F), Streams(1), FLOAT64)
    module = module_of(cell, network, 2, False)
    rng = np.random.default_rng(2)
    kinds = ("hidden", "cell") if cell == "lstm" else ("hidden",)
    live = network.layers[0]
    starts = {}
    for kind in kinds:
        rows = [live.parameters[f"{kind}_{i}"] for i in range(2)]
        for row in rows:
            row.data = rng.normal(size=H)
        starts[kind] = torch.tensor(
            np.stack([row.data for row in rows]), requires_grad=True
        )
    given = [starts[kind][:, None].expand(2, N, H).contiguous() for kind in kinds]
    x = rng.normal(size=(N, T, F))
    outputs, states = module(
        torch.tensor(x), tuple(given) if len(given) > 1 else given[0]
    )
    y = network(Tensor(x))
    assert_agrees(y.data, outputs.detach(), "value")
    (y * y).sum().backward()
    (outputs * outputs).sum().backward()
    for kind in kinds:
        for i in range(2):
            found = live.parameters[f"{kind}_{i}"].grad
            assert_agrees(found, starts[kind].grad[i], f"{kind}_{i}")
    after: Any = None
    for t in range(T):
        _, after = network.advance(Tensor(x[:, t : t + 1]), after)
    last = states if isinstance(states, tuple) else (states,)
    for i, arrays in enumerate(after[0].states):
        for array, expected in zip(arrays, last, strict=True):
            assert_agrees(array, expected[i].detach(), f"last state {i}")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
def test_learned_states_of_both_directions_agree_with_pytorch(
    cell: str, lengths: list[int] | None
) -> None:
    cls, _, more = CELLS[cell]
    layer = cls(units=H, layers=2, bidirectional=True, initial_state="learned", **more)
    network = Network([layer], (T, F), Streams(1), FLOAT64)
    live, module = network.layers[0], module_of(cell, network, 2, True)
    rng = np.random.default_rng(2)
    names = [f"{i}{way}" for i in range(2) for way in ("", "_reverse")]
    starts = {}
    for kind in ("hidden", "cell") if cell == "lstm" else ("hidden",):
        values = rng.normal(size=(4, H))
        for name, row in zip(names, values, strict=True):
            live.parameters[f"{kind}_{name}"].data = row
        starts[kind] = torch.tensor(values, requires_grad=True)
    given = [start[:, None].expand(4, N, H).contiguous() for start in starts.values()]
    x, g = rng.normal(size=(N, T, F)), rng.normal(size=(N, T, 2 * H))
    ours = Tensor(x, requires_grad=True, lengths=lengths)
    theirs = torch.tensor(x, requires_grad=True)

    def call(inputs: Any) -> Any:
        return module(inputs, tuple(given) if len(given) > 1 else given[0])

    y = network(ours)
    expected = torch_outputs(call, theirs, lengths, True, True)
    assert_agrees(y.data, expected.detach(), "value")
    (y * Tensor(g)).sum().backward()
    expected.backward(torch.tensor(g))
    assert_agrees(ours.grad, theirs.grad, "input")
    assert_same_gradients(live, module, 2, True)
    for kind, start in starts.items():
        for name, row in zip(names, start.grad, strict=True):
            assert_agrees(live.parameters[f"{kind}_{name}"].grad, row, f"{kind}_{name}")


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
def test_gru_that_resets_before_agrees_with_a_slow_loop(
    lengths: list[int] | None,
) -> None:
    layer = nn.layers.Gru(H, reset="before", return_sequences=False)
    network = Network([layer], (T, F), Streams(0), FLOAT64)
    p = {
        name: torch.tensor(tensor.data, requires_grad=True)
        for name, tensor in network.layers[0].parameters.items()
    }
    x = np.random.default_rng(0).normal(size=(N, T, F))
    ours = Tensor(x, requires_grad=True, lengths=lengths)
    theirs = torch.tensor(x, requires_grad=True)
    h = torch.zeros(N, H, dtype=torch.float64)
    wr, wz, wn = (p["weight_0"].T).chunk(3, 1)
    ur, uz, un = (p["recurrent_0"].T).chunk(3, 1)
    br, bz, bn = p["bias_0"].chunk(3)
    ends = torch.tensor(lengths or [T] * N)
    for t in range(T):
        step = theirs[:, t]
        r = torch.sigmoid(step @ wr + br + h @ ur)
        z = torch.sigmoid(step @ wz + bz + h @ uz)
        n = torch.tanh(step @ wn + bn + (r * h) @ un)
        h = torch.where((t < ends)[:, None], (1 - z) * n + z * h, h)
    y = network(ours)
    assert_agrees(y.data, h.detach(), "last state")
    (y * y).sum().backward()
    (h * h).sum().backward()
    assert_agrees(ours.grad, theirs.grad, "input")
    for name, tensor in network.layers[0].parameters.items():
        assert_agrees(tensor.grad, p[name].grad, name)


def embedded(rows: int, count: int, padding: int | None) -> tuple[Array, Any, Any]:
    """Return integers, and an embedding of each side with the same vectors."""
    network = Network(
        [nn.layers.Embedding(F, padding=padding)],
        InputSpec((T,), rows),
        Streams(0),
        FLOAT64,
    )
    module = torch.nn.Embedding(rows, F, padding_idx=padding).double()
    module.weight.data = torch.tensor(network.layers[0].parameters["weight"].data)
    index = np.random.default_rng(0).integers(0, rows, (count, T))
    index[0, :2] = 1
    return index, network, module


@pytest.mark.parametrize("padding", [None, 1])
@pytest.mark.parametrize("rows", [3, 900])
def test_embedding_agrees_with_pytorch(rows: int, padding: int | None) -> None:
    index, network, module = embedded(rows, 6, padding)
    y, expected = network(Tensor(index)), module(torch.tensor(index))
    assert_agrees(y.data, expected.detach(), "value")
    weight = np.random.default_rng(1).normal(size=y.shape)
    (y * Tensor(weight)).sum().backward()
    (expected * torch.tensor(weight)).sum().backward()
    found = network.layers[0].parameters["weight"].grad
    assert_agrees(found, module.weight.grad, "weight")


def test_tied_layer_agrees_with_pytorch() -> None:
    layers = [
        nn.layers.Embedding(F, name="words"),
        nn.Dense(F),
        nn.layers.Tied("words"),
    ]
    network = Network(layers, InputSpec((T,), 7), Streams(0), FLOAT64)
    ours = {k: torch.tensor(t.data, requires_grad=True)
            for k, t in network.flat.tensors.items()}  # fmt: skip
    index = np.random.default_rng(0).integers(0, 7, (N, T))
    y = network(Tensor(index))
    table = ours["layers.0.weight"]
    inner = table[torch.tensor(index)] @ ours["layers.1.weight"].T
    expected = (inner + ours["layers.1.bias"]) @ table.T + ours["layers.2.bias"]
    assert_agrees(y.data, expected.detach(), "value")
    (y * y).sum().backward()
    (expected * expected).sum().backward()
    for name, tensor in network.flat.tensors.items():
        assert_agrees(tensor.grad, ours[name].grad, name)
