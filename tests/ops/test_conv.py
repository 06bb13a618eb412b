"""Convolution by every algorithm, against PyTorch in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array, batch_innermost
from nncli.ops import conv
from nncli.ops.conv import Convolution
from nncli.ops.conv_choice import ALGORITHMS
from nncli.ops.conv_geometry import Geometry
from tests.ops.convolutions import convolution
from tests.parity import assert_agrees

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
torch.set_num_threads(1)

pytestmark = pytest.mark.parity

CASES = 160


class Drawn(NamedTuple):
    """A convolution, and arrays for it."""

    geometry: Geometry
    x: Array
    weight: Array
    bias: Array | None

    @property
    def words(self) -> str:
        return f"{self.geometry}, batch {len(self.x)}, bias {self.bias is not None}"


def drawn(rng: np.random.Generator, algorithm: str) -> Iterator[Drawn]:
    """Draw convolutions of one to three axes, with every option."""
    winograd, depthwise = algorithm == "winograd", algorithm == "depthwise"
    while True:
        rank = 2 if winograd else int(rng.integers(1, 4))
        groups = 1 if winograd else int(rng.choice([1, 1, 2, 3]))

        def each(low: int, high: int, rank: int = rank) -> tuple[int, ...]:
            return tuple(int(n) for n in rng.integers(low, high + 1, rank))

        ones = (1,) * rank
        geometry = Geometry(
            groups * (1 if depthwise else int(rng.integers(1, 4))),
            groups * int(rng.integers(1, 4)),
            each(1, 11 if winograd else (17, 9, 6)[rank - 1]),
            (3, 3) if winograd else each(1, (9, 5, 3)[rank - 1]),
            ones if winograd else each(1, 3),
            ones if winograd else each(1, 2),
            tuple(zip(each(0, 2), each(0, 2), strict=True)),
            groups,
        )
        if min(geometry.out) < 1:
            continue
        shape = (int(rng.integers(1, 5)), geometry.channels, *geometry.image)
        x = np.ascontiguousarray(rng.normal(size=shape))
        if rng.random() < 0.5:
            plain, x = x, batch_innermost(shape, x.dtype)
            x[...] = plain
        kernel = (geometry.filters, geometry.group_channels, *geometry.kernel)
        bias = rng.normal(size=geometry.filters) if rng.random() < 0.7 else None
        yield Drawn(geometry, x, rng.normal(size=kernel), bias)


def by_torch(case: Drawn, grad: Array) -> list[Array]:
    """Return the value and all gradients by PyTorch."""
    g = case.geometry
    arrays = [each for each in case[1:] if each is not None]
    tensors = [torch.tensor(np.array(a), requires_grad=True) for a in arrays]
    y = convolution(g, *tensors)
    y.backward(torch.tensor(np.array(grad)))
    return [y.detach().numpy(), *(t.grad.numpy() for t in tensors)]


def by_us(cls: type[Convolution], case: Drawn, grad: Array) -> list[Array]:
    """Return the same by one of our algorithms, through the engine."""
    g = case.geometry
    arrays = [each for each in case[1:] if each is not None]
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    y = apply(cls(g.stride, g.borders, g.dilation, g.groups), *tensors)
    (y * Tensor(grad)).sum().backward()
    grads = [tensor.grad for tensor in tensors if tensor.grad is not None]
    return [y.data, *grads]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_convolution_and_its_gradients_are_torch_s(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(len(name))
    cases = drawn(rng, name)
    tolerance = 1e-8 if name == "winograd" else 1e-10
    for number in range(CASES):
        # Most arrays of a test are one chunk, if chunks are as large as they should be.
        monkeypatch.setattr(conv, "CHUNK", 2**19 if number % 2 else 2**9)
        monkeypatch.setattr(conv, "LEAST", 128 if number % 2 else 1)
        case = next(cases)
        shape = (len(case.x), case.geometry.filters, *case.geometry.out)
        grad: Any = rng.normal(size=shape)
        ours = by_us(ALGORITHMS[name], case, grad)
        theirs = by_torch(case, grad)
        for kind, one, two in zip("yxWb", ours, theirs, strict=False):
            assert_agrees(one, two, f"{name} {kind} {case.words}", tolerance)
