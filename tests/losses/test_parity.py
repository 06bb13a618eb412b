"""Every loss's value and gradient against PyTorch, and its limits far out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, Shape
from nncli.losses.base import Loss
from tests.ops.losses import TORCH
from tests.parity import assert_agrees, layouts, without_case

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
torch.set_num_threads(1)  # Arrays are small: threads would wait for each other.

pytestmark = pytest.mark.parity

SHAPES: tuple[Shape, ...] = ((1, 1), (1, 3), (7, 1), (5, 3), (129, 11))
Draw = Callable[[np.random.Generator, Shape], Array]


def _normal(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.normal(0.0, 3.0, shape)


def _probability(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.uniform(1e-6, 1 - 1e-6, shape)


def _distribution(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1]) + 1e-9


def _yes_or_no(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.integers(0, 2, shape).astype(float)


def _labels(rng: np.random.Generator, shape: Shape) -> Array:
    labels = rng.integers(0, shape[-1], shape[:-1])
    labels.flat[0] = 0  # So that never all of them are ignored.
    return labels


def _counts(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.poisson(2.0, shape).astype(float)


# How to draw outputs, and targets.
INPUTS: dict[str, tuple[Draw, Draw]] = {
    "mse": (_normal, _normal),
    "mae": (_normal, _normal),
    "huber": (_normal, _normal),
    "smooth_l1": (_normal, _normal),
    "log_cosh": (_normal, _normal),
    "cosine": (_normal, _normal),
    "poisson": (_probability, _counts),
    "log_poisson": (_normal, _counts),
    "kl_divergence": (_distribution, _distribution),
    "softmax_kl_divergence": (_normal, _distribution),
    "binary_cross_entropy": (_probability, _probability),
    "sigmoid_binary_cross_entropy": (_normal, _probability),
    "sigmoid_focal": (_normal, _yes_or_no),
    "hinge": (_normal, _yes_or_no),
    "softmax_cross_entropy": (_normal, _labels),
    "categorical_cross_entropy": (_distribution, _labels),
    "softmax_focal": (_normal, _labels),
    "multi_class_hinge": (_normal, _labels),
}
LABELLED = {name for name, (_, targets) in INPUTS.items() if targets is _labels}


def options_of(name: str, classes: int) -> Iterator[dict[str, Any]]:
    """Yield the arguments of a loss: none, each one, all together."""
    # One output stands for two classes.
    alone = name in INPUTS and INPUTS[name][1] in (_probability, _yes_or_no)
    least = 2 if alone else 1
    weights = np.linspace(0.2, 2.0, max(least, classes)).tolist()
    choices: dict[str, Any] = {
        "reduction": "sum",
        "delta": 0.5,
        "beta": 2.5,
        "margin": 0.4,
        "gamma": 0.5,
        "alpha": None,
        "label_smoothing": 0.15,
        "positive_weight": 3.0,
        "class_weights": weights,
        "ignore_label": classes - 1,
    }
    known = Loss.members()[name]().arguments
    chosen = {key: value for key, value in choices.items() if key in known}
    if classes == 1:
        chosen.pop("ignore_label", None)
    yield {}
    for key, value in chosen.items():
        yield {key: value}
    yield chosen
    yield {**chosen, "reduction": "mean"}


def _check(
    name: str,
    outputs: Array,
    targets: Array,
    tolerance: float = 1e-10,
    weights: Array | None = None,
    **arguments: Any,
) -> None:
    ours = Tensor(outputs, requires_grad=True)
    theirs = torch.tensor(np.ascontiguousarray(outputs), requires_grad=True)
    made = Loss.members()[name](**arguments)
    loss = made(ours, Tensor(targets), None if weights is None else Tensor(weights))
    rest = () if weights is None else (torch.tensor(weights),)
    wanted = torch.tensor(np.ascontiguousarray(targets))
    expected = TORCH[name](made, theirs, wanted, *rest)
    assert loss.shape == ()
    assert loss.dtype == outputs.dtype
    what = f"{name} {arguments} of {outputs.shape}, {outputs.dtype}, {targets.dtype}"
    assert_agrees(loss.data, expected.detach(), f"{what}: value", tolerance)
    for _ in range(2):
        loss.backward()
        expected.backward(retain_graph=True)
    assert ours.grad is not None
    assert ours.grad.dtype == outputs.dtype
    assert_agrees(ours.grad, theirs.grad, f"{what}: gradient", tolerance)


def _draw(name: str, shape: Shape) -> tuple[Array, Array]:
    rng = np.random.default_rng(2)
    outputs, targets = INPUTS[name]
    return outputs(rng, shape), targets(rng, shape)


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_loss_agrees_with_torch(name: str) -> None:
    for shape in SHAPES:
        outputs, targets = _draw(name, shape)
        weights = np.random.default_rng(3).uniform(0, 2, shape[0])
        for arguments in options_of(name, shape[-1]):
            # Of one class p is 1, where PyTorch's slope of (1 - p)^γ is infinite.
            if name == "softmax_focal" and shape[-1] == 1:
                arguments = {**arguments, "gamma": 2.0}
            _check(name, outputs, targets, **arguments)
            _check(name, outputs, targets, weights=weights, **arguments)


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_loss_agrees_with_torch_in_every_memory_layout(name: str) -> None:
    outputs, targets = _draw(name, (5, 3))
    for _, left in layouts(outputs):
        for _, right in layouts(targets):
            _check(name, left, right)


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_loss_agrees_with_torch_in_float32(name: str) -> None:
    outputs, targets = _draw(name, (33, 5))
    if name not in LABELLED:
        targets = targets.astype(np.float32)
    x = np.clip(outputs, 1e-3, 0.99).astype(np.float32)
    for arguments in options_of(name, 5):
        _check(name, x, targets, 1e-5, **arguments)


@pytest.mark.parametrize("name", sorted(set(INPUTS) - {"softmax_focal"}))
def test_loss_agrees_with_torch_for_rows_of_any_shape(name: str) -> None:
    for shape in ((2, 3, 4), (1, 1, 1), (2, 3, 3, 2)):
        _check(name, *_draw(name, shape))
        weights = np.linspace(0.5, 2.0, shape[0])
        _check(name, *_draw(name, shape), weights=weights)


@pytest.mark.parametrize("name", sorted(LABELLED))
def test_loss_takes_labels_of_every_integer_type(name: str) -> None:
    outputs, labels = _draw(name, (700, 5))
    for dtype in ("int8", "uint8", "int32", "int64"):
        for arguments in options_of(name, 5):
            _check(name, outputs, labels.astype(dtype), **arguments)


def _far() -> Iterator[tuple[str, float]]:
    """Yield types, and values that are far out in them."""
    for dtype in ("float32", "float64"):
        for far in (100.0, 1e4):
            yield dtype, far


@pytest.mark.parametrize(
    "name", ["softmax_cross_entropy", "softmax_focal", "multi_class_hinge"]
)
def test_categorical_loss_is_right_for_scores_far_apart(name: str) -> None:
    for dtype, far in _far():
        z = np.array([[far, -far, 0.0], [-far, far, 0.0], [far, far, far]], dtype)
        for arguments in options_of(name, 3):
            # Where PyTorch's slope of (1 - p)^½ is infinite, its gradient is NaN.
            if arguments.get("gamma") != 0.5:
                _check(name, z, np.array([0, 0, 1]), 1e-6, **arguments)


@pytest.mark.parametrize(
    "name", ["sigmoid_binary_cross_entropy", "hinge", "sigmoid_focal"]
)
def test_binary_loss_is_right_for_scores_far_out(name: str) -> None:
    for dtype, far in _far():
        z = np.array([[far], [far], [-far], [-far], [0.0]], dtype)
        t = np.array([[1.0], [0.0], [1.0], [0.0], [1.0]], dtype)
        for arguments in options_of(name, 1):
            if arguments.get("gamma") != 0.5:
                _check(name, z, t, 1e-6, **arguments)


@pytest.mark.parametrize(
    "name", ["mse", "mae", "huber", "smooth_l1", "log_cosh", "cosine"]
)
def test_regression_loss_is_right_for_values_far_apart(name: str) -> None:
    for dtype, far in _far():
        x = np.array([[far, -far, 0.0]], dtype)
        t = np.array([[-far, -far, 1.0]], dtype)
        for arguments in options_of(name, 3):
            _check(name, x, t, 1e-6, **arguments)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huber_and_smooth_l1_are_torch_s_at_their_limits(dtype: str) -> None:
    x = np.array([[-1.0, 1.0, 0.0, -0.0, 1.5]], dtype)
    for name in ("huber", "smooth_l1", "mae", "hinge"):
        _check(name, x, np.zeros_like(x), 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binary_cross_entropy_is_torch_s_where_probabilities_are_0_and_1(
    dtype: str,
) -> None:
    p = np.array([[0.0, 0.0, 1.0, 1.0, 0.5]], dtype)
    t = np.array([[0.0, 1.0, 0.0, 1.0, 0.5]], dtype)
    _check("binary_cross_entropy", p, t, 1e-6)
    loss = Loss.members()["binary_cross_entropy"]()
    value = loss(Tensor(p), Tensor(t)).item()
    assert value == pytest.approx((200 + np.log(2)) / 5, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_categorical_cross_entropy_is_finite_where_probabilities_are_0_and_1(
    dtype: str,
) -> None:
    p = Tensor(np.array([[0.0, 1.0], [0.0, 1.0]], dtype), requires_grad=True)
    loss = Loss.members()["categorical_cross_entropy"]()(p, Tensor(np.array([0, 1])))
    assert loss.item() == pytest.approx(50.0)
    loss.backward()
    # PyTorch's BCE bounds its divisor by 1e-12 as well.
    limits = np.array([[-0.5e12, 0.0], [0.0, -0.5]])
    assert_agrees(p.grad, limits, "gradient", 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cosine_is_torch_s_for_zeros_and_long_vectors(dtype: str) -> None:
    t = np.array([[0.0, 0.0], [3.0, -1.0], [1e-6, 1e-6]], dtype)
    x = np.array([[1.0, 1.0], [0.0, 0.0], [1e15, 2e15]], dtype)
    _check("cosine", x, t, 1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cosine_counts_short_vectors_as_1e_8_long(dtype: str) -> None:
    t, short = np.array([[3.0, 4.0]], dtype), np.array([[1e-9, -1e-9]], dtype)
    x = Tensor(short, requires_grad=True)
    loss = Loss.members()["cosine"]()(x, Tensor(t))
    assert loss.item() == pytest.approx(1 + 0.02, rel=1e-6)
    loss.backward()
    # The derivative of what was computed: PyTorch's adds one for the length as well.
    assert_agrees(x.grad, np.array([[-0.6e8, -0.8e8]]), "gradient", 1e-6)


@pytest.mark.parametrize("far", [100.0, 1e4])
def test_predictions_of_logits_far_out_are_probabilities(far: float) -> None:
    z = np.array([[far, -far], [-far, -far], [0.0, far]], np.float32)
    for name, cls in Loss.members().items():
        if cls.takes != "logits":
            continue
        p = cls().predictions(Tensor(z)).data
        softmax = name in LABELLED | {"softmax_kl_divergence", "ctc"}
        oracle = torch.softmax(torch.tensor(z), -1) if softmax else None
        if oracle is None:
            oracle = torch.sigmoid(torch.tensor(z))
        assert p.dtype == np.float32
        assert_agrees(p, oracle, name, 1e-6)


def test_every_loss_has_a_parity_case() -> None:
    missing = without_case(Loss.members(), (set(INPUTS) & set(TORCH)) | {"ctc"})
    assert not missing, f"losses without a comparison with PyTorch: {missing}"
    assert set(INPUTS) <= set(Loss.members())
