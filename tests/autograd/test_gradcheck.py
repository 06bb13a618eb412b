"""The checker of derivatives, checked with derivatives that are wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import nncli as nn
from nncli.autograd.function import Case
from nncli.autograd.gradcheck import check_case, check_gradients
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array
from nncli.ops.elementwise import Relu, Tanh, Unary


class Wrong(Unary):
    """Tanh, whose derivative is wrong by a factor."""

    factor: float

    saves_output = True

    def forward(self, x: Array, out: Array) -> None:
        """Write tanh x."""
        self.out = out
        np.tanh(x, out=out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Write the derivative, times the factor."""
        np.multiply(grad * self.factor, 1 - self.out**2, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """No case is needed here."""
        yield from ()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("factor", [1.001, 0.999, -1.0, 0.0, 2.0])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_gradcheck_catches_a_derivative_wrong_by_a_thousandth(
    factor: float, scale: float, rng: np.random.Generator
) -> None:
    x = Tensor(rng.normal(size=(2, 3)), requires_grad=True)
    (report,) = check_gradients(
        lambda: (apply(Wrong(factor), x) * scale).sum(), {"x": x}
    )
    assert not report.passed


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_gradcheck_accepts_the_right_derivative(
    scale: float, rng: np.random.Generator
) -> None:
    x = Tensor(rng.normal(size=(2, 3)), requires_grad=True)
    (report,) = check_gradients(lambda: (apply(Wrong(1.0), x) * scale).sum(), {"x": x})
    assert report.passed
    assert report.checked == 6


def test_gradcheck_catches_an_error_in_a_single_element(
    rng: np.random.Generator,
) -> None:
    x = Tensor(rng.normal(size=5), requires_grad=True)
    spoiled = np.ones(5)
    spoiled[3] = 1.001

    class OneWrong(Tanh):
        """Tanh whose derivative is wrong in one element."""

        def backward(self, grad: Array, dx: Array) -> None:
            super().backward(grad * spoiled, dx)

    (report,) = check_gradients(lambda: apply(OneWrong(), x).sum(), {"x": x})
    assert not report.passed
    assert report.index == (3,)


def test_gradcheck_catches_a_missing_gradient(rng: np.random.Generator) -> None:
    x = Tensor(rng.normal(size=3), requires_grad=True)
    (report,) = check_gradients(lambda: Tensor(x.data).tanh().sum(), {"x": x})
    assert not report.passed


def test_gradcheck_catches_a_gradient_that_is_not_finite(
    rng: np.random.Generator,
) -> None:
    (report,) = check_case(Case(Wrong(float("nan")), (rng.normal(size=3),)), rng)
    assert not report.passed
    assert report.error == float("inf")


def test_gradcheck_leaves_out_the_kink_of_relu() -> None:
    x = Tensor(np.array([-1.0, 0.0, 2.0]), requires_grad=True)
    (report,) = check_gradients(lambda: apply(Relu(), x).sum(), {"x": x})
    assert report.passed
    assert (report.checked, report.kinks) == (2, 1)


@pytest.mark.parametrize("distance", [1e-5, 3e-6, 1e-6, 1e-7])
def test_gradcheck_sees_the_slope_beside_a_kink(distance: float) -> None:
    x = Tensor(np.array([distance, -distance, 1.0]), requires_grad=True)
    (report,) = check_gradients(lambda: apply(Relu(), x).sum(), {"x": x})
    assert report.passed


def test_gradcheck_does_not_pass_on_kinks_alone() -> None:
    x = Tensor(np.zeros(3), requires_grad=True)
    (report,) = check_gradients(lambda: apply(Relu(), x).sum(), {"x": x})
    assert report.checked == 0
    assert not report.passed


def test_gradcheck_repeats_the_draws_of_a_generator(rng: np.random.Generator) -> None:
    noise = np.random.default_rng(1)
    x = Tensor(rng.normal(size=4), requires_grad=True)
    (report,) = check_gradients(
        lambda: (x * noise.normal(size=4)).sum(), {"x": x}, [noise]
    )
    assert report.passed


class Forgetful(Tanh):
    """Tanh, whose backward writes to an array of its own."""

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Lose the derivative."""
        np.multiply(grad, 1 - self.out**2, out=np.empty_like(grad))


def test_gradcheck_says_that_a_gradient_was_never_written(
    rng: np.random.Generator,
) -> None:
    x = Tensor(rng.normal(size=(2, 3)), requires_grad=True)
    (report,) = check_gradients(lambda: apply(Forgetful(), x).sum(), {"x": x})
    assert not report.passed
    assert report.unwritten == 6


def test_gradcheck_knows_the_rounding_of_sums_whose_terms_cancel(
    rng: np.random.Generator,
) -> None:
    # The value is near 0, but rounded as its terms are.
    terms = rng.normal(0, 1e6, 100)
    big = Tensor(terms - terms.mean(), requires_grad=True)
    small = Tensor(np.ones(3), requires_grad=True)
    reports = check_gradients(
        lambda: nn.concatenate([small * 1e-3, big]).sum(), {"small": small, "big": big}
    )
    assert all(report.passed and not report.kinks for report in reports)


@pytest.mark.slow
def test_gradcheck_compares_fewer_elements_of_what_is_expensive() -> None:
    rng = np.random.default_rng(0)
    x = Tensor(rng.normal(size=(40, 40)), requires_grad=True)
    w = Tensor(rng.normal(size=(40, 40)))

    def objective(times: int) -> Tensor:
        y = x
        for _ in range(times):
            y = (y @ w).tanh()
        return y.sum()

    (few,) = check_gradients(lambda: objective(1), {"x": x})
    (many,) = check_gradients(lambda: objective(40), {"x": x})
    assert few.checked + few.kinks == 200
    assert many.checked + many.kinks < 200
