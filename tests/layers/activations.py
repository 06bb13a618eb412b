"""The activations of PyTorch that correspond to ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from nncli.core.arrays import Shape

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
nn = torch.nn

Row = tuple[str, Shape, Callable[[], Any], dict[str, Any], dict[str, str]]


def formula(function: Callable[[Any], Any]) -> Any:
    """Return a module of one expression, where PyTorch's own computes in float32.

    hardsigmoid takes 1/6 and celu 1/alpha in float32 on the way back: off by 1e-8.
    """
    module = nn.Module()
    module.forward = function
    return module


def _celu(alpha: float, x: Any) -> Any:
    return torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0) / alpha))


def _hard_sigmoid(x: Any) -> Any:
    return nn.functional.relu6(x + 3) / 6


def cases() -> Iterator[Row]:
    """Yield name, input shape without N, PyTorch's module, arguments, parameters."""
    plain: dict[str, Callable[[], Any]] = {
        "relu6": nn.ReLU6,
        "hard_tanh": nn.Hardtanh,
        "hard_sigmoid": partial(formula, _hard_sigmoid),
        "hard_swish": nn.Hardswish,
        "softsign": nn.Softsign,
        "softplus": nn.Softplus,
        "elu": nn.ELU,
        "celu": nn.CELU,
        "selu": nn.SELU,
        "silu": nn.SiLU,
        "mish": nn.Mish,
        "gelu": nn.GELU,
        "gelu_tanh": partial(nn.GELU, approximate="tanh"),
        "log_softmax": partial(nn.LogSoftmax, -1),
    }
    for row in ((4,), (1,), (3, 2), (2, 3, 3)):
        for name, module in plain.items():
            yield name, row, module, {}, {}
        slope = {"slope": "weight"}
        yield "prelu", row, nn.PReLU, {}, slope
        channels = partial(nn.PReLU, row[0])
        yield "prelu", row, channels, {"shared": False, "slope": 0.1}, slope
    yield from _with_arguments()


def _with_arguments() -> Iterator[Row]:
    row = (3, 5)
    for low, high in ((-2.0, -0.5), (0.0, 1.0), (-0.1, 4.0)):
        module = partial(nn.Hardtanh, low, high)
        yield "hard_tanh", row, module, {"low": low, "high": high}, {}
    for alpha in (0.1, 1.7):
        yield "elu", row, partial(nn.ELU, alpha), {"alpha": alpha}, {}
        known = partial(formula, partial(_celu, alpha))
        yield "celu", row, known, {"alpha": alpha}, {}
    yield "celu", row, partial(nn.CELU, 0.5), {"alpha": 0.5}, {}
    for beta, threshold in ((0.2, 20.0), (7.0, 20.0), (1.0, 0.0), (2.0, 3.0)):
        module = partial(nn.Softplus, beta, threshold)
        arguments = {"beta": beta, "threshold": threshold}
        yield "softplus", row, module, arguments, {}
