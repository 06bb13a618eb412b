"""Every loss's value and gradient against PyTorch, and its limits far out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.backend import Array, Shape
from nncli.losses.base import Loss
from tests.parity import assert_agrees, layouts, without_case

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
torch.set_num_threads(1)  # Arrays are small: threads would wait for each other.
functional = torch.nn.functional

pytestmark = pytest.mark.parity

SHAPES: tuple[Shape, ...] = ((1, 1), (1, 3), (7, 1), (5, 3), (129, 11))


def _bounded_nll(p: Any, labels: Any) -> Any:
    """PyTorch's loss of log-probabilities, each at least −100 as in its BCE."""
    return functional.nll_loss(torch.log(p).clamp(min=-100), labels)


def _cross_entropy(z: Any, labels: Any) -> Any:
    return functional.cross_entropy(z, labels)


@dataclass(frozen=True)
class LossCase:
    """PyTorch's loss, how to draw outputs, and whether targets are class indices."""

    oracle: Callable[[Any, Any], Any]
    draw: Callable[[np.random.Generator, Shape], Array]
    labels: bool = False


def _normal(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.normal(0.0, 3.0, shape)


def _probability(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.uniform(1e-6, 1 - 1e-6, shape)


def _distribution(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1]) + 1e-9


CASES: dict[str, LossCase] = {
    "mse": LossCase(functional.mse_loss, _normal),
    "binary_cross_entropy": LossCase(functional.binary_cross_entropy, _probability),
    "sigmoid_binary_cross_entropy": LossCase(
        functional.binary_cross_entropy_with_logits, _normal
    ),
    "softmax_cross_entropy": LossCase(_cross_entropy, _normal, labels=True),
    "categorical_cross_entropy": LossCase(_bounded_nll, _distribution, labels=True),
}


def _check(name: str, outputs: Array, targets: Array, tolerance: float = 1e-10) -> None:
    ours = Tensor(outputs, requires_grad=True)
    theirs = torch.tensor(np.ascontiguousarray(outputs), requires_grad=True)
    loss = Loss.members()[name]()(ours, Tensor(targets))
    expected = CASES[name].oracle(theirs, torch.tensor(np.ascontiguousarray(targets)))
    assert loss.shape == ()
    assert loss.dtype == outputs.dtype
    assert_agrees(loss.data, expected.detach(), f"{name}: value", tolerance)
    for _ in range(2):
        loss.backward()
        expected.backward(retain_graph=True)
    assert ours.grad is not None
    assert ours.grad.dtype == outputs.dtype
    assert_agrees(ours.grad, theirs.grad, f"{name}: gradient", tolerance)


def _targets(case: LossCase, shape: Shape, hard: bool) -> Array:
    rng = np.random.default_rng(9)
    if case.labels:
        return rng.integers(0, shape[-1], shape[:-1])
    return rng.integers(0, 2, shape).astype(float) if hard else rng.uniform(size=shape)


@pytest.mark.parametrize("hard", [True, False], ids=["hard", "soft"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", sorted(CASES))
def test_loss_agrees_with_torch(name: str, shape: Shape, hard: bool) -> None:
    case = CASES[name]
    outputs = case.draw(np.random.default_rng(2), shape)
    _check(name, outputs, _targets(case, shape, hard))


@pytest.mark.parametrize("shape", [(1, 3), (7, 1), (5, 3)], ids=str)
@pytest.mark.parametrize("name", sorted(CASES))
def test_loss_agrees_with_torch_in_every_memory_layout(name: str, shape: Shape) -> None:
    case = CASES[name]
    outputs = case.draw(np.random.default_rng(2), shape)
    targets = _targets(case, shape, hard=False)
    for _, left in layouts(outputs):
        for _, right in layouts(targets):
            _check(name, left, right)


@pytest.mark.parametrize("name", sorted(CASES))
def test_loss_agrees_with_torch_in_float32(name: str) -> None:
    case = CASES[name]
    outputs = case.draw(np.random.default_rng(2), (33, 5)).astype(np.float32)
    targets = _targets(case, (33, 5), hard=True)
    if not case.labels:
        targets = targets.astype(np.float32)
    _check(name, np.clip(outputs, 1e-3, 0.99), targets, 2e-6)


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 1, 1), (2, 3, 3, 2)], ids=str)
@pytest.mark.parametrize(
    "name", ["mse", "binary_cross_entropy", "sigmoid_binary_cross_entropy"]
)
def test_elementwise_loss_agrees_with_torch_for_rows_of_any_shape(
    name: str, shape: Shape
) -> None:
    case = CASES[name]
    outputs = case.draw(np.random.default_rng(2), shape)
    _check(name, outputs, _targets(case, shape, hard=True))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "categorical_cross_entropy"])
def test_loss_takes_labels_of_every_integer_type(name: str, dtype: str) -> None:
    case = CASES[name]
    outputs = case.draw(np.random.default_rng(2), (700, 5))
    labels = np.random.default_rng(3).integers(0, 5, 700)
    loss = Loss.members()[name]()
    value = loss(Tensor(outputs), Tensor(labels.astype(dtype)))
    expected = case.oracle(torch.tensor(outputs), torch.tensor(labels))
    assert_agrees(value.data, expected, name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("far", [100.0, 1e4])
def test_softmax_cross_entropy_is_right_for_logits_far_apart(
    far: float, dtype: str
) -> None:
    z = np.array([[far, -far, 0.0], [-far, far, 0.0], [far, far, far]], dtype)
    _check("softmax_cross_entropy", z, np.array([0, 0, 2]), 1e-6)
    # Right and sure: 0. Wrong and sure: the distance. All equal: ln 3.
    expected = np.array([0.0, 2 * far, np.log(3)]).mean()
    loss = Loss.members()["softmax_cross_entropy"]()
    value = loss(Tensor(z), Tensor(np.array([0, 0, 2]))).item()
    assert value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("far", [100.0, 1e4])
def test_sigmoid_binary_cross_entropy_is_right_for_logits_far_out(
    far: float, dtype: str
) -> None:
    z = np.array([[far], [far], [-far], [-far], [0.0]], dtype)
    t = np.array([[1.0], [0.0], [1.0], [0.0], [1.0]], dtype)
    _check("sigmoid_binary_cross_entropy", z, t, 1e-6)
    x = Tensor(z, requires_grad=True)
    loss = Loss.members()["sigmoid_binary_cross_entropy"]()(x, Tensor(t))
    assert loss.item() == pytest.approx((2 * far + np.log(2)) / 5, rel=1e-6)
    loss.backward()
    limits = np.array([[0.0], [0.2], [-0.2], [0.0], [-0.1]])
    assert_agrees(x.grad, limits, "gradient", 1e-7)


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
@pytest.mark.parametrize("far", [100.0, 1e4])
def test_mse_is_right_for_values_far_apart(far: float, dtype: str) -> None:
    x = np.array([[far, -far, 0.0]], dtype)
    t = np.array([[-far, -far, 1.0]], dtype)
    _check("mse", x, t, 1e-6)


@pytest.mark.parametrize("far", [100.0, 1e4])
def test_predictions_of_logits_far_out_are_probabilities(far: float) -> None:
    z = np.array([[far, -far], [-far, -far], [0.0, far]], np.float32)
    for name, oracle in (
        ("softmax_cross_entropy", lambda a: torch.softmax(a, -1)),
        ("sigmoid_binary_cross_entropy", torch.sigmoid),
    ):
        p = Loss.members()[name]().predictions(z)
        assert p.dtype == np.float32
        assert_agrees(p, oracle(torch.tensor(z)), name, 1e-6)


def test_every_loss_has_a_parity_case() -> None:
    missing = without_case(Loss.members(), set(CASES))
    assert not missing, f"losses without a comparison with PyTorch: {missing}"
    assert set(CASES) <= set(Loss.members())
