"""Explain: its numbers are the engine's, PyTorch's, and those worked out by hand."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.checking.explain import explain
from nncli.checking.explanation import Explanation
from nncli.config.load import load_values
from nncli.core.arrays import Array
from nncli.core.errors import DivergedError, UsageError
from nncli.data.table import Table
from nncli.experiment.build import assemble, build
from nncli.experiment.experiment import Experiment
from nncli.experiment.fit import take
from nncli.layers.chain import watch
from nncli.report.arrays import figure
from nncli.report.explanation_text import explanation_text
from nncli.training.state import Progress
from tests.parity import GRADIENTS, distance

DENSE = {
    "dataset": {"type": "spiral", "samples": 10, "classes": 3},
    "layers": [
        {"type": "dense", "units": 5, "l2": 0.01},
        "tanh",
        {"type": "dense", "units": 3},
    ],
    "loss": "softmax_cross_entropy",
    "optimizer": {"type": "adam", "lr": 0.05, "weight_decay": 0.1},
    "training": {"epochs": 2, "batch_size": 8, "clip_norm": 0.1},
}
CONVOLUTION = {
    "dataset": "digits",
    "layers": [
        {"type": "conv2d", "filters": 3, "kernel": 3, "padding": "same"},
        "batch_norm",
        "relu",
        "max_pool2d",
        {"type": "dropout", "rate": 0.3},
        "flatten",
        {"type": "dense", "units": 10},
    ],
    "loss": "softmax_cross_entropy",
    "optimizer": {"type": "sgd", "lr": 0.1, "momentum": 0.9},
    "training": {"epochs": 2, "batch_size": 16},
}
LSTM = {
    "dataset": {"type": "adding", "length": 5, "samples": 20},
    "layers": [
        {"type": "lstm", "units": 3, "return_sequences": False},
        {"type": "dense", "units": 1},
    ],
    "loss": "mse",
    "optimizer": {"type": "adam", "lr": 0.005},
    "training": {"epochs": 2, "batch_size": 4},
}


KINKS = [("relu", 0.0), ("max_pool2d", 0.0)]


def built(config: dict[str, Any], **changes: Any) -> Experiment:
    return build(load_values(config | changes, source="test"))


def explained(config: dict[str, Any], sample: int = 7, **changes: Any) -> Explanation:
    return explain(built(config, **changes), Progress(), sample=sample)


def values_of(facts: dict[str, Any]) -> Array:
    return np.array(facts["values"]).reshape(facts["shape"])


@pytest.mark.parametrize(
    "config", [DENSE, CONVOLUTION, LSTM], ids=["dense", "convolution", "lstm"]
)
def test_numbers_of_json_are_the_engines(config: dict[str, Any]) -> None:
    """The engine is run by hand here, in float64, without a twin or a probe."""
    facts = explained(config, precision="float64").facts()
    experiment = built(config, precision="float64")
    network, training = experiment.network, experiment.config.training
    batch = experiment.parts["train"].batch(np.array([7]))
    network.set_training(True)
    handed: dict[str, Array] = {}
    with watch() as calls:
        outputs = network(batch.x)
    loss = experiment.loss(outputs, batch.targets)
    for call in calls:
        call.y.register_hook(partial(_keep, handed, call.layer.label))
    total = network.with_penalties(loss)
    total.backward()
    for call, layer in zip(calls, facts["layers"], strict=True):
        assert layer["layer"] == call.layer.label
        assert distance(values_of(layer["x"]), call.x.data) < 1e-12
        assert distance(values_of(layer["y"]), call.y.data) < 1e-12
        found = values_of(layer["y"]["gradient"])
        assert distance(found, handed[call.layer.label]) < 1e-12
        for each in layer["parameters"]:
            tensor = call.layer.parameters[each["name"]]
            assert distance(values_of(each), tensor.data) < 1e-12
            assert distance(values_of(each["gradient"]), tensor.grad) < 1e-12
    assert facts["loss"]["value"] == pytest.approx(loss.item(), rel=1e-12)
    assert facts["loss"]["total"] == pytest.approx(total.item(), rel=1e-12)
    grads = network.flat.grads
    length = float(np.linalg.norm(grads))
    assert facts["update"]["gradient_norm"] == pytest.approx(length, rel=1e-12)
    if training.clip_norm is not None:
        assert facts["update"]["clipped_norm"] == pytest.approx(0.1, rel=1e-5)
        grads *= training.clip_norm / (length + 1e-6)
    experiment.optimizer.step(facts["update"]["lr"])
    for call, layer in zip(calls, facts["layers"], strict=True):
        for each in layer["parameters"]:
            tensor = call.layer.parameters[each["name"]]
            assert distance(values_of(each["after"]), tensor.data) < 1e-12


def test_update_shows_the_averages_of_its_formula() -> None:
    """Adam's m̂ and v̂ of Kingma and Ba, algorithm 1, behind three steps of before."""
    experiment = built(DENSE, optimizer={"type": "adam", "lr": 0.01})
    for _ in range(3):
        experiment.network.flat.grads.fill(0.5)
        experiment.optimizer.step(0.0)
    found = explain(experiment, Progress(step=3), sample=7).facts()
    clipped = found["update"]["clipped_norm"] / found["update"]["gradient_norm"]
    seen = 0
    for layer in found["layers"]:
        for each in layer["parameters"]:
            for e in each["elements"]:
                m = v = 0.0
                for g in (0.5, 0.5, 0.5, e["derivative"] * clipped):
                    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
                m_hat, v_hat = m / (1 - 0.9**4), v / (1 - 0.999**4)
                kept = e["remembered"]
                assert kept["m_hat"] == pytest.approx(m_hat, rel=1e-5)
                assert kept["v_hat"] == pytest.approx(v_hat, rel=1e-5)
                step = -found["update"]["lr"] * m_hat / (math.sqrt(v_hat) + 1e-8)
                assert e["step"] == pytest.approx(step, rel=1e-5)
                seen += 1
    assert seen > 10


def _keep(kept: dict[str, Array], label: str, gradient: Array) -> None:
    kept[label] = gradient.copy()


@pytest.mark.parametrize(
    "config", [DENSE, CONVOLUTION, LSTM], ids=["dense", "convolution", "lstm"]
)
def test_every_derivative_stands_beside_a_numeric_one_in_text(
    config: dict[str, Any],
) -> None:
    found = explained(config)
    assert found.worst < 1e-7
    assert found.wrong == []
    text = explanation_text(found, 100).splitlines()
    for layer in found.layers:
        for each in layer.quantities:
            assert each.gradient is not None
            size = each.value.size
            assert len(each.elements) == (size if size <= 12 else 8)
            for element in each.elements:
                if element.numeric is None:
                    assert element.note == "kink"
                    # Where all of a window is 0, the first element is the largest.
                    assert (layer.formula.name, element.value) in KINKS
                assert element.derivative == each.gradient[element.index]
                if each.name != "y":
                    shown = f" {figure(element.value)} {figure(element.derivative)} "
                    assert any(shown in " ".join(line.split()) for line in text)


@pytest.mark.parity
def test_derivatives_between_layers_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    found = explained(DENSE, loss="softmax_cross_entropy")
    first, second, third = found.layers
    kept = {}
    with torch.enable_grad():
        for layer in (first, third):
            for each in layer.parameters:
                value = torch.tensor(each.value, requires_grad=True)
                kept[layer.label, each.name] = value
        x = torch.tensor(first.x.value, requires_grad=True)
        weight = kept[first.label, "weight"]
        hidden = x @ weight.T + kept[first.label, "bias"]
        bent = torch.tanh(hidden)
        logits = bent @ kept[third.label, "weight"].T + kept[third.label, "bias"]
        for value in (hidden, bent, logits):
            value.retain_grad()
        targets = torch.tensor(found.loss.targets)
        loss = torch.nn.functional.cross_entropy(logits, targets)
        (loss + 0.01 * (weight**2).sum()).backward()
    assert found.loss.value == pytest.approx(loss.item(), rel=1e-12)
    pairs = [
        (first.x, x),
        (second.x, hidden),
        (third.x, bent),
        (found.loss.outputs, logits),
    ]
    for layer in (first, third):
        pairs += [(each, kept[layer.label, each.name]) for each in layer.parameters]
    for ours, theirs in pairs:
        assert ours.gradient is not None
        assert distance(ours.gradient, theirs.grad) < GRADIENTS


def test_classic_two_layer_example_has_the_numbers_worked_by_hand() -> None:
    """Two inputs, two hidden and two output units, all sigmoid.

    The example sums ½·(t − o)² over both outputs. Our mse divides Σ (o − t)² by the
    number n of elements instead: with one row of two outputs that happens to be the
    same factor, 1/2; with three outputs it would be 1/3.
    """
    i1, i2, t1, t2, lr = 0.05, 0.10, 0.01, 0.99, 0.5
    w1, w2, w3, w4, b1 = 0.15, 0.20, 0.25, 0.30, 0.35
    w5, w6, w7, w8, b2 = 0.40, 0.45, 0.50, 0.55, 0.60

    def sigmoid(z: float) -> float:
        return 1 / (1 + math.exp(-z))

    h1 = sigmoid(w1 * i1 + w2 * i2 + b1)
    h2 = sigmoid(w3 * i1 + w4 * i2 + b1)
    o1 = sigmoid(w5 * h1 + w6 * h2 + b2)
    o2 = sigmoid(w7 * h1 + w8 * h2 + b2)
    error = 0.5 * (t1 - o1) ** 2 + 0.5 * (t2 - o2) ** 2
    d1, d2 = (o1 - t1) * o1 * (1 - o1), (o2 - t2) * o2 * (1 - o2)
    e1 = (d1 * w5 + d2 * w7) * h1 * (1 - h1)
    e2 = (d1 * w6 + d2 * w8) * h2 * (1 - h2)
    after = [
        [w1 - lr * e1 * i1, w2 - lr * e1 * i2],
        [w3 - lr * e2 * i1, w4 - lr * e2 * i2],
    ]
    out_after = [
        [w5 - lr * d1 * h1, w6 - lr * d1 * h2],
        [w7 - lr * d2 * h1, w8 - lr * d2 * h2],
    ]
    # What the example prints.
    assert round(error, 9) == 0.298371109
    assert round(out_after[0][0], 8) == 0.35891648
    assert round(after[0][0], 9) == 0.149780716

    experiment = assemble(_classic(), (2,), None)
    x, y = np.array([[i1, i2]]), np.array([[t1, t2]])
    take(experiment, {"train": (Table(x, y), None)})
    tensors = experiment.network.flat.tensors
    tensors["layers.0.weight"].data = np.array([[w1, w2], [w3, w4]])
    tensors["layers.0.bias"].data = np.array([b1, b1])
    tensors["layers.2.weight"].data = np.array([[w5, w6], [w7, w8]])
    tensors["layers.2.bias"].data = np.array([b2, b2])
    found = explain(experiment, Progress())
    hidden, bent, out, last = found.layers
    assert bent.y.value.tolist() == [[pytest.approx(h1), pytest.approx(h2)]]
    assert last.y.value.tolist() == [[pytest.approx(o1), pytest.approx(o2)]]
    assert found.loss.value == pytest.approx(error, rel=1e-12)
    gradients = [out.parameters[0].gradient, hidden.parameters[0].gradient]
    assert np.array(gradients) == pytest.approx(
        np.array(
            [
                [[d1 * h1, d1 * h2], [d2 * h1, d2 * h2]],
                [[e1 * i1, e1 * i2], [e2 * i1, e2 * i2]],
            ]
        ),
        rel=1e-12,
    )
    assert hidden.parameters[0].after == pytest.approx(np.array(after), rel=1e-12)
    assert out.parameters[0].after == pytest.approx(np.array(out_after), rel=1e-12)
    assert "L = 0.298371" in explanation_text(found, 80)
    assert "0.358916" in explanation_text(found, 80)


def _classic() -> Any:
    config = {
        "dataset": None,
        "precision": "float64",
        "layers": [{"type": "dense", "units": 2}, "sigmoid"] * 2,
        "loss": "mse",
        "optimizer": {"type": "sgd", "lr": 0.5},
        "training": {"epochs": 1, "batch_size": "full"},
    }
    return load_values(config, source="test").config


def test_layer_in_a_block_hands_back_its_own_share() -> None:
    layers = [
        {"type": "dense", "units": 4},
        {"type": "residual", "layers": [{"type": "dense", "units": 4}, "tanh"]},
        {"type": "dense", "units": 3},
    ]
    found = explained(DENSE, layers=layers)
    block, inner = found.layers[1:3]
    assert (block.depth, inner.depth) == (0, 1)
    assert inner.x.value.tolist() == block.x.value.tolist()
    # y = x + f(x): the way around f hands back dL/dy as it is.
    assert block.x.gradient is not None
    assert inner.x.gradient is not None
    assert block.y.gradient is not None
    shares = inner.x.gradient + block.y.gradient
    assert distance(block.x.gradient, shares) < 1e-15
    assert found.worst < 1e-7


def test_kink_has_no_numeric_derivative() -> None:
    layers = [{"type": "dense", "units": 4}, "relu", {"type": "dense", "units": 3}]
    found = explained(DENSE, sample=0, layers=layers)
    # The spiral begins at the origin.
    assert not found.layers[0].x.value.any()
    assert [each.numeric for each in found.layers[0].y.elements] == [None] * 4
    assert "kink" in explanation_text(found, 80)


def test_sample_of_a_network_that_wants_two_rows_has_a_neighbour() -> None:
    layers = [
        {"type": "dense", "units": 4},
        "batch_norm",
        {"type": "dense", "units": 3},
    ]
    found = explained(DENSE, sample=29, layers=layers)
    assert found.samples == (29, 28)
    assert "layers[1] batch_norm wants 2 rows" in found.remarks[0]
    assert found.layers[0].x.value.shape == (2, 2)
    mean, variance = found.layers[1].memory
    assert not mean.value.any()
    batch = found.layers[1].x.value
    assert mean.after == pytest.approx(0.1 * batch.mean(axis=0), rel=1e-12)
    assert variance.after == pytest.approx(0.9 + 0.1 * batch.var(axis=0, ddof=1))


def test_explaining_leaves_the_experiment_as_it_is() -> None:
    experiment = built(CONVOLUTION)
    network = experiment.network
    noise = network.streams.noise.bit_generator
    before = network.flat.values.copy(), noise.state, experiment.optimizer.steps
    explain(experiment, Progress())
    assert np.array_equal(network.flat.values, before[0])
    assert (noise.state, experiment.optimizer.steps) == before[1:]
    assert not any(array.any() for array in experiment.optimizer.state.values())


def test_frozen_parameters_have_no_derivative_and_no_step() -> None:
    layers = [
        {"type": "dense", "units": 4, "trainable": False},
        {"type": "dense", "units": 3},
    ]
    found = explained(DENSE, layers=layers)
    assert found.layers[0].frozen
    for each in found.layers[0].parameters:
        assert each.gradient is None
        assert each.after is None
    assert "layers[0] dense (frozen)" in explanation_text(found, 80)


def test_tokens_are_explained_without_a_derivative() -> None:
    config = DENSE | {
        "dataset": {"type": "lines", "path": "datasets/names.txt"},
        "layers": [
            {"type": "embedding", "units": 3},
            {"type": "gru", "units": 4},
            {"type": "dense", "units": 27},
        ],
    }
    root = Path(__file__).parents[2]
    loaded = load_values(config, source="test", folder=root)
    found = explain(build(loaded), Progress(), sample=3)
    assert found.layers[0].x.gradient is None
    assert found.layers[0].x.value.dtype.kind == "i"
    assert found.worst < 1e-7


@pytest.mark.parametrize(
    ("split", "sample", "message"),
    [
        ("train", 30, "expected a sample from 0 to 29 of the train part"),
        ("test", 0, "the data has no test part. Expected one of: train."),
    ],
)
def test_sample_that_is_not_there_is_refused(
    split: str, sample: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        explain(built(DENSE), Progress(), split, sample)


def test_loss_that_is_not_finite_is_refused_by_its_layer() -> None:
    experiment = built(DENSE)
    experiment.network.flat.values[:] = np.inf
    with pytest.raises(DivergedError, match=r"layers\[0\] dense"):
        explain(experiment, Progress(), sample=3)
