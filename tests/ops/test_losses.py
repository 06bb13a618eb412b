"""Losses as ops: the ends of float32, what is ignored, refused and kept."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from nncli.autograd.function import FUNCTIONS, Function
from nncli.autograd.replay import Replay
from nncli.autograd.tape import record
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array
from nncli.core.errors import ShapeError
from nncli.ops import losses_categorical as categorical
from nncli.ops.losses import Elementwise, Penalty
from nncli.ops.losses_binary import SigmoidBinaryCrossEntropy, SigmoidFocal
from nncli.ops.losses_classes import Categorical
from nncli.ops.losses_regression import LogCosh, MeanSquaredError
from nncli.ops.losses_vector import Cosine

LOSSES: dict[str, Any] = {
    name: cls
    for name, cls in FUNCTIONS.scan().items()
    if issubclass(cls, Elementwise | Categorical)
}
# Of e^x and of 1/x infinity is the right value; probabilities stay within 0 and 1.
ANY_NUMBER = sorted(
    set(LOSSES)
    - {"log_poisson", "poisson", "binary_cross_entropy", "kl_divergence"}
    - {"categorical_cross_entropy", "smoothed_categorical_cross_entropy"}
)
LABELLED = sorted(n for n, cls in LOSSES.items() if issubclass(cls, Categorical))


def _targets(name: str, rows: int, classes: int, dtype: Any = np.float64) -> Array:
    labels = np.arange(rows) % classes
    return labels if name in LABELLED else np.eye(classes, dtype=dtype)[labels]


def _run(function: Function, outputs: Array, *rest: Array) -> tuple[float, Array]:
    x = Tensor(outputs, requires_grad=True)
    loss = apply(function, x, *map(Tensor, rest))
    loss.backward()
    assert x.grad is not None
    return loss.item(), x.grad


@pytest.mark.parametrize("far", [1e4, 1e-30, 0.0])
@pytest.mark.parametrize("name", ANY_NUMBER)
def test_loss_is_finite_and_silent_at_the_ends_of_float32(
    name: str, far: float
) -> None:
    signs = np.array([[1, -1, 0], [-1, 1, 1], [0, 0, 0], [-1, -1, -1]])
    outputs = (signs * far).astype(np.float32)
    value, grad = _run(LOSSES[name](), outputs, _targets(name, 4, 3, np.float32))
    assert np.isfinite(value)
    assert np.isfinite(grad).all()


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_loss_of_nan_is_nan(name: str) -> None:
    outputs = np.full((4, 3), 0.5)
    targets = _targets(name, 4, 3)
    outputs[1, int(np.argmax(targets[1])) if targets.ndim == 2 else 1] = np.nan
    with np.errstate(invalid="ignore"):
        value, _ = _run(LOSSES[name](), outputs, targets)
    assert np.isnan(value)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", sorted(LOSSES))
def test_weights_of_rows_count_rows_as_often(name: str, reduction: Any) -> None:
    """Weights 0, 1 and 3 are rows that are missing, there, and there thrice."""
    outputs = np.random.default_rng(0).uniform(0.1, 0.9, (3, 4))
    targets, times = _targets(name, 3, 4), np.array([0, 1, 3])
    value, grad = _run(
        LOSSES[name](reduction=reduction), outputs, targets, times.astype(float)
    )
    again = np.repeat(outputs, times, axis=0), np.repeat(targets, times, axis=0)
    expected, parts = _run(LOSSES[name](reduction=reduction), *again)
    # The mean divides by rows, 3 here and 4 there.
    factor = 4 / 3 if reduction == "mean" else 1
    assert value == pytest.approx(factor * expected, rel=1e-12)
    assert not grad[0].any()
    np.testing.assert_allclose(grad[1], factor * parts[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(grad[2], factor * 3 * parts[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", sorted(set(LABELLED) - {"multi_class_hinge"}))
def test_ignored_rows_might_as_well_be_missing(name: str, reduction: Any) -> None:
    rng = np.random.default_rng(0)
    outputs, labels = rng.uniform(0.1, 0.9, (6, 3)), np.array([0, 1, 2, 1, 0, 2])
    weights = [0.5, 7.0, 2.0]
    make = LOSSES[name]
    value, grad = _run(
        make(reduction=reduction, class_weights=weights, ignore_label=1),
        outputs,
        labels,
    )
    kept = labels != 1
    plain = make(reduction=reduction, class_weights=weights)
    expected, parts = _run(plain, outputs[kept], labels[kept])
    assert value == pytest.approx(expected, rel=1e-12)
    assert not grad[~kept].any()
    np.testing.assert_allclose(grad[kept], parts, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", sorted(set(LABELLED) - {"multi_class_hinge"}))
def test_batch_of_ignored_rows_has_loss_and_gradient_0(
    name: str, reduction: Any
) -> None:
    outputs, labels = np.full((2, 3), 0.3, np.float32), np.array([1, 1])
    function = LOSSES[name](reduction=reduction, ignore_label=1)
    value, grad = _run(function, outputs, labels)
    assert value == 0.0
    assert not grad.any()


def test_smoothing_of_0_and_class_weights_of_1_change_nothing() -> None:
    rng = np.random.default_rng(0)
    z, labels = rng.normal(size=(5, 4)), rng.integers(0, 4, 5)
    value, grad = _run(categorical.SoftmaxCrossEntropy(), z, labels)
    for same in (
        categorical.SmoothedSoftmaxCrossEntropy(0.0),
        categorical.SoftmaxCrossEntropy(class_weights=[1.0] * 4),
        categorical.SoftmaxFocal(0.0),
    ):
        other, parts = _run(same, z, labels)
        assert other == pytest.approx(value, rel=1e-14)
        np.testing.assert_allclose(parts, grad, rtol=1e-13, atol=1e-16)


def test_softmax_focal_has_a_slope_of_0_where_it_is_right_and_sure() -> None:
    z = np.array([[800.0, 0.0], [0.0, 800.0]])
    for gamma in (0.0, 0.5, 1.0, 2.0):
        value, grad = _run(categorical.SoftmaxFocal(gamma), z, np.array([0, 1]))
        assert value == 0.0
        assert not grad.any()


def test_slopes_of_a_sure_sigmoid_keep_their_relative_precision() -> None:
    z, t = np.array([[-30.0]]), np.array([[0.0]])
    _, grad = _run(SigmoidBinaryCrossEntropy(), z, t)
    np.testing.assert_allclose(grad, np.exp(-30.0), rtol=1e-12)
    _, grad = _run(SigmoidFocal(None, 0.0), z, t)
    np.testing.assert_allclose(grad, np.exp(-30.0), rtol=1e-12)


def test_log_cosh_keeps_its_digits_near_0() -> None:
    x = np.array([[1e-3]], np.float32)
    value, _ = _run(LogCosh(), x, np.zeros_like(x))
    assert value == pytest.approx(5e-7, rel=1e-3)


def test_cosine_of_long_vectors_does_not_overflow() -> None:
    x = np.array([[1e30, 1e30]], np.float32)
    value, _ = _run(Cosine(), x, np.array([[1e25, 0.0]], np.float32))
    assert value == pytest.approx(1 - np.sqrt(0.5), rel=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "binary_cross_entropy",
        "categorical_cross_entropy",
        "smoothed_categorical_cross_entropy",
        "kl_divergence",
    ],
)
def test_logarithm_of_a_probability_of_0_counts_minus_100(name: str) -> None:
    # Every row is wrong and sure of it, all elements of binary_cross_entropy so.
    outputs, targets = np.eye(2)[[1, 0]], _targets(name, 2, 2)
    options = {"label_smoothing": 0.0} if name.startswith("smoothed") else {}
    value, grad = _run(LOSSES[name](**options), outputs, targets)
    assert value == pytest.approx(100.0, rel=1e-14)
    assert np.isfinite(grad).all()


@pytest.mark.parametrize(
    ("size", "cosine", "slope"),
    [(1e-9, 0.3, (-1e8, 0.0)), (1e-6, 0.6, (-0.128e6, 0.096e6))],
    ids=["shorter", "longer"],
)
def test_cosine_counts_a_vector_shorter_than_1e_8_as_that_long(
    size: float, cosine: float, slope: tuple[float, float]
) -> None:
    x, t = size * np.array([[3.0, 4.0]]), np.array([[2.0, 0.0]])
    value, grad = _run(Cosine(), x, t)
    assert value == pytest.approx(1 - cosine, rel=1e-12)
    np.testing.assert_allclose(grad, [slope], rtol=1e-12)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_loss_replays_without_arrays_that_grow_with_the_batch(name: str) -> None:
    peaks = []
    for rows in (3000, 30000):
        outputs = np.random.default_rng(0).uniform(0.1, 0.9, (rows, 3))
        x = Tensor(outputs.astype(np.float32), requires_grad=True)
        targets = Tensor(_targets(name, rows, 3, np.float32))
        weights = Tensor(np.ones(rows, np.float32))
        with record() as steps:
            loss = apply(LOSSES[name](), x, targets, weights)
        replay = Replay(steps, [], loss, [x])
        replay.backward()
        tracemalloc.start()
        replay.forward()
        replay.backward()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 27,000 rows more, of 12 bytes at least.
    assert peaks[1] - peaks[0] < 27_000


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_loss_refuses_weights_that_are_not_one_a_row(name: str) -> None:
    outputs, targets = np.full((4, 3), 0.5), _targets(name, 4, 3)
    with pytest.raises(ShapeError, match=r"one weight a row, shape \(4,\), got \(3,\)"):
        _run(LOSSES[name](), outputs, targets, np.ones(3))


def test_loss_refuses_targets_of_another_shape_and_labels_out_of_range() -> None:
    with pytest.raises(ShapeError, match="the outputs' shape"):
        _run(MeanSquaredError(), np.ones((4, 3)), np.ones((4, 1)))
    make = categorical.SoftmaxCrossEntropy
    scores, labels = np.ones((2, 3)), np.array([0, 2])
    with pytest.raises(ShapeError, match="labels from 0 to 2, got labels from 0 to 3"):
        _run(make(), scores, np.array([0, 3]))
    with pytest.raises(ShapeError, match="one class weight for each of 3 classes"):
        _run(make(class_weights=[1.0, 2.0]), scores, labels)
    with pytest.raises(ShapeError, match="ignored label from 0 to 2, got 3"):
        _run(make(ignore_label=3), scores, labels)


def test_penalty_is_the_only_op_of_losses_that_is_no_loss() -> None:
    files = {n for n, cls in FUNCTIONS.scan().items() if "losses" in cls.__module__}
    assert files - set(LOSSES) == {Penalty.type_name}
