"""Losses of sequences: lengths, ignored padding, and CTC, beside PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError, NncliError, ShapeError
from nncli.losses.base import Loss, Targets
from nncli.losses.ctc import Ctc
from tests.parity import assert_agrees

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")

from tests.ops.losses import ctc  # noqa: E402 - needs torch

pytestmark = pytest.mark.parity

LENGTHS = np.array([4, 0, 1, 3])


@pytest.mark.parametrize("carrier", ["outputs", "targets"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ignore_label": 2},
        {"class_weights": [1.0, 2.0, 0.5], "label_smoothing": 0.1},
    ],
    ids=str,
)
def test_cross_entropy_counts_steps_within_lengths_only_as_torch(
    options: dict[str, Any], reduction: Any, carrier: str
) -> None:
    rng = np.random.default_rng(0)
    z, labels = rng.normal(size=(4, 4, 3)), rng.integers(0, 3, (4, 4))
    theirs = torch.tensor(z, requires_grad=True)
    known = np.where(np.arange(4) < LENGTHS[:, None], labels, -100)
    known[known == options.get("ignore_label")] = -100
    weight = options.get("class_weights")
    expected = torch.nn.functional.cross_entropy(
        theirs.transpose(1, 2),
        torch.tensor(known),
        None if weight is None else torch.tensor(weight, dtype=torch.float64),
        reduction=reduction,
        label_smoothing=options.get("label_smoothing", 0.0),
    )
    expected.backward()
    loss = Loss.members()["softmax_cross_entropy"](reduction=reduction, **options)
    lengths = {
        name: LENGTHS if name == carrier else None for name in ("outputs", "targets")
    }
    ours = Tensor(z, requires_grad=True, lengths=lengths["outputs"])
    value = loss(ours, Tensor(labels, lengths=lengths["targets"]))
    value.backward()
    assert_agrees(value.data, expected.detach(), "value")
    assert_agrees(ours.grad, theirs.grad, "gradient")


def test_weights_of_rows_and_lengths_go_together() -> None:
    rng = np.random.default_rng(0)
    z, labels = rng.normal(size=(4, 4, 3)), rng.integers(0, 3, (4, 4))
    factors = np.array([0.5, 9.0, 2.0, 1.0])
    loss = nn.losses.SoftmaxCrossEntropy(reduction="sum")
    whole = loss(Tensor(z), Tensor(labels, lengths=LENGTHS), Tensor(factors)).item()
    parts = [
        factor * loss(Tensor(z[i : i + 1, :n]), Tensor(labels[i : i + 1, :n])).item()
        for i, (factor, n) in enumerate(zip(factors, LENGTHS, strict=True))
    ]
    assert whole == pytest.approx(sum(parts), rel=1e-12)


def test_amount_of_a_batch_is_what_its_mean_divides_by() -> None:
    labels = np.array([[0, 1, 2], [1, 1, 0]])
    lengths = np.array([3, 1])
    make = nn.losses.SoftmaxCrossEntropy
    assert make().amount(labels, lengths) == 4
    assert make(ignore_label=1).amount(labels, lengths) == 2
    assert make(class_weights=[1.0, 2.0, 4.0]).amount(labels, lengths) == 9
    assert make().amount(labels) == 6


def test_loss_that_would_count_padding_refuses_lengths() -> None:
    x = Tensor(np.zeros((2, 3, 1)), lengths=[1, 2])
    with pytest.raises(NncliError, match="mse: expected rows of one length"):
        nn.losses.MeanSquaredError()(x, Tensor(np.zeros((2, 3, 1))))


STEPS = np.array([9, 8, 8, 9, 5, 0, 3, 9])
SIZES = np.array([4, 3, 4, 0, 1, 0, 2, 4])


@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("blank", [0, 4])
def test_ctc_agrees_with_torch(blank: int, reduction: Any, zero_infinity: bool) -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, (8, 9, 5))
    labels = rng.choice([c for c in range(5) if c != blank], (8, 4))
    labels[7] = labels[7, 0]  # Needs a blank between each two.
    loss = Ctc(blank=blank, reduction=reduction, zero_infinity=zero_infinity)
    steps = STEPS.copy()
    if zero_infinity:
        steps[7] = 6
    for lengths, sizes in ((steps, SIZES), (None, None), (None, SIZES)):
        if lengths is None and zero_infinity:
            continue
        ours = Tensor(z, requires_grad=True, lengths=lengths)
        theirs = torch.tensor(z, requires_grad=True)
        value = loss(ours, Tensor(labels, lengths=sizes))
        given = (
            None if part is None else torch.tensor(part) for part in (lengths, sizes)
        )
        expected = ctc(loss, theirs, torch.tensor(labels), *given)
        value.backward()
        expected.backward()
        assert_agrees(value.data, expected.detach(), "value")
        assert_agrees(ours.grad, theirs.grad, "gradient")


def test_ctc_without_a_path_is_infinite() -> None:
    value = Ctc()(Tensor(np.zeros((1, 3, 2))), Tensor(np.array([[1, 1]])))
    assert np.isfinite(value.item())
    value = Ctc()(Tensor(np.zeros((1, 2, 2))), Tensor(np.array([[1, 1]])))
    assert value.item() == np.inf


def test_ctc_takes_blanks_at_the_end_of_labels_as_padding() -> None:
    z = np.random.default_rng(0).normal(size=(2, 5, 3))
    padded = Ctc()(Tensor(z), Tensor(np.array([[1, 2], [2, 0]])))
    given = Ctc()(Tensor(z), Tensor(np.array([[1, 2], [2, 1]]), lengths=[2, 1]))
    assert padded.item() == given.item()


def targets(values: Array, shape: tuple[int, ...], classes: int = 3) -> Targets:
    names = tuple("abcdef"[:classes])
    return Targets(values, names, shape, np.dtype(np.float64))


def test_ctc_says_what_labels_it_can_take() -> None:
    rows = np.array([[1, 2, 0], [2, 2, 0]])
    np.testing.assert_array_equal(Ctc().encode(targets(rows, (3, 3))), rows)
    with pytest.raises(ShapeError, match=r"K of at least 4.*Set units: 4"):
        Ctc(blank=3).encode(targets(rows, (3, 3)))
    with pytest.raises(ArgumentError, match=r"blanks \(0\) only at the end.*blank: 3"):
        Ctc().encode(targets(np.array([[1, 0, 2]]), (3, 3)))
    with pytest.raises(ArgumentError, match=r"at least 3 steps, which row 1 needs"):
        Ctc().encode(targets(rows, (2, 3)))
    Ctc(zero_infinity=True).encode(targets(rows, (2, 3)))
    with pytest.raises(ArgumentError, match="expects sequences of classes"):
        Ctc().encode(targets(np.array([1, 2]), (3, 3)))
