"""Activations as PyTorch has them, and points where each of them is put to the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from nncli.autograd.function import Function
from nncli.core.arrays import Array, Shape
from nncli.layers.activations_smooth import SELU_ALPHA, SELU_SCALE
from nncli.ops import activations, activations_smooth, gelu, softmax

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
functional = torch.nn.functional


def _elu(f: Any, x: Any) -> Any:
    if (f.alpha, f.width, f.scale) == (SELU_ALPHA, 1.0, SELU_SCALE):
        return functional.selu(x)
    if f.scale == f.width == 1.0:
        return functional.elu(x, f.alpha)
    if (f.alpha, f.width, f.scale) == (2.0, 2.0, 1.0):
        return functional.celu(x, 2.0)
    # The derivative of PyTorch's celu takes 1/alpha in float32, off by 1e-8.
    curve = f.alpha * torch.expm1(x.clamp(max=0) / f.width)
    return torch.where(x > 0, x, curve) * f.scale


def _hard_sigmoid(f: Any, x: Any) -> Any:
    # The derivative of PyTorch's hardsigmoid takes 1/6 in float32, off by 5e-9.
    return functional.relu6(x + 3) / 6


# Called with our Function, for its arguments, and PyTorch's tensors.
TORCH: dict[str, Callable[..., Any]] = {
    "hard_tanh": lambda f, x: functional.hardtanh(x, f.low, f.high),
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": lambda f, x: functional.hardswish(x),
    "prelu": lambda f, x, slope: functional.prelu(x, slope),
    "softsign": lambda f, x: functional.softsign(x),
    "silu": lambda f, x: functional.silu(x),
    "softplus": lambda f, x: functional.softplus(x, f.beta, f.threshold),
    "elu": _elu,
    "mish": lambda f, x: functional.mish(x),
    "gelu": lambda f, x: functional.gelu(x),
    "gelu_tanh": lambda f, x: functional.gelu(x, approximate="tanh"),
    "log_softmax": lambda f, x: torch.log_softmax(x, -1),
    "logsumexp": lambda f, x: torch.logsumexp(x, -1),
}

SHAPES: tuple[Shape, ...] = ((1, 1), (7, 5), (3, 1, 5), (2, 3, 5, 4), ())
_FAR = (6.5, 19.9, 20.0, 20.1, 40.0, 88.0, 745.0, 1e4)
_NEAR = (0.0, 1e-300, 1e-8, 0.25, 0.5, 0.7, 1.0, 2.5, 3.0, 6.0)
EVERYWHERE = np.array([sign * x for sign in (-1, 1) for x in (*_NEAR, *_FAR)])
"""Both zeros, every kink, every place where a formula changes, and far away."""

ELEMENTWISE: dict[str, list[Callable[[], Function]]] = {
    "hard_tanh": [
        activations.HardTanh,
        partial(activations.HardTanh, 0.0, 6.0),
        partial(activations.HardTanh, -2.5, -0.5),
    ],
    "hard_sigmoid": [activations.HardSigmoid],
    "hard_swish": [activations.HardSwish],
    "softsign": [activations_smooth.Softsign],
    "silu": [activations_smooth.Silu],
    "softplus": [
        activations_smooth.Softplus,
        partial(activations_smooth.Softplus, 3.0),
        partial(activations_smooth.Softplus, 0.01),
        partial(activations_smooth.Softplus, 1.0, 0.0),
        partial(activations_smooth.Softplus, 2.0, 600.0),
    ],
    "elu": [
        activations_smooth.Elu,
        partial(activations_smooth.Elu, 0.3),
        partial(activations_smooth.Elu, 2.0, 2.0),
        partial(activations_smooth.Elu, 0.05, 0.05),
        partial(activations_smooth.Elu, SELU_ALPHA, 1.0, SELU_SCALE),
    ],
    "mish": [activations_smooth.Mish],
    "gelu": [gelu.Gelu],
    "gelu_tanh": [gelu.GeluTanh],
}


def cases() -> Iterator[tuple[str, Callable[[], Function], tuple[Array, ...]]]:
    """Yield name, how to make the Function, and its inputs."""
    rng = np.random.default_rng(12)
    for name, makers in ELEMENTWISE.items():
        for make in makers:
            yield name, make, (EVERYWHERE,)
            for shape in SHAPES:
                yield name, make, (rng.normal(0, 3, shape),)
    images: tuple[Shape, ...] = ((1, 1), (7, 5), (1, 3), (2, 3, 5), (4, 3, 2, 5))
    for shape in images:
        for slopes in {1, shape[1]}:
            x, slope = rng.normal(size=shape), rng.normal(size=slopes)
            yield "prelu", activations.PRelu, (x, slope)
    yield "prelu", activations.PRelu, (EVERYWHERE, np.array([0.25]))
    yield "prelu", activations.PRelu, (EVERYWHERE, np.array([-1.5]))
    for cls in (softmax.LogSoftmax, softmax.LogSumExp):
        for scale in (1.0, 100.0, 1e4):
            yield cls.type_name, cls, (rng.normal(0, scale, (3, 5)),)
        for shape in ((4, 1), (6,), (2, 3, 1, 4)):
            yield cls.type_name, cls, (rng.normal(size=shape),)
