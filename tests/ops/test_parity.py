"""Every op's value and derivative against PyTorch, in float64."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

from nncli.autograd.function import FUNCTIONS, Case, Function
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array, Shape
from nncli.ops import elementwise, losses, matmul, norm, powers, reduce, shape, softmax
from nncli.ops import index as indices
from tests.ops import activations, convolutions, images, tensor_ops
from tests.ops import losses as loss_oracles
from tests.parity import assert_agrees, layouts, without_case

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
torch.set_num_threads(1)  # Arrays are small: threads would wait for each other.
functional = torch.nn.functional

pytestmark = pytest.mark.parity


def _power(f: Any, x: Any) -> Any:
    return x**f.exponent


def _transpose(f: Any, x: Any) -> Any:
    return x.permute(f.axes or tuple(reversed(range(x.ndim))))


def _sum(f: Any, x: Any) -> Any:
    return torch.sum(x, f.axis, keepdim=f.keepdims)


def _mean(f: Any, x: Any) -> Any:
    return torch.mean(x, f.axis, keepdim=f.keepdims)


def _linear(f: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    return functional.linear(x, weight, bias)


def _batch_norm(f: Any, x: Any, gamma: Any, beta: Any) -> Any:
    return functional.batch_norm(x, None, None, gamma, beta, True, f.momentum, f.eps)


def _layer_norm(f: Any, x: Any, gamma: Any, beta: Any) -> Any:
    return functional.layer_norm(x, x.shape[-1:], gamma, beta, f.eps)


def _rms_norm(f: Any, x: Any, gamma: Any) -> Any:
    return functional.rms_norm(x, x.shape[-1:], gamma, f.eps)


def _concat(f: Any, *inputs: Any) -> Any:
    return torch.cat(inputs, f.axis)


def _penalty(f: Any, x: Any, weight: Any) -> Any:
    return x + f.l1 * weight.abs().sum() + f.l2 * (weight**2).sum()


# The op, as PyTorch has it: called with our Function, for its arguments, and tensors.
TORCH: dict[str, Callable[..., Any]] = {
    "add": lambda f, a, b: a + b,
    "subtract": lambda f, a, b: a - b,
    "multiply": lambda f, a, b: a * b,
    "divide": lambda f, a, b: a / b,
    "negative": lambda f, x: -x,
    "exp": lambda f, x: torch.exp(x),
    "log": lambda f, x: torch.log(x),
    "power": _power,
    "relu": lambda f, x: functional.relu(x),
    "leaky_relu": lambda f, x: functional.leaky_relu(x, f.slope),
    "sigmoid": lambda f, x: torch.sigmoid(x),
    "tanh": lambda f, x: torch.tanh(x),
    "softmax": lambda f, x: torch.softmax(x, -1),
    "sum": _sum,
    "mean": _mean,
    "reshape": lambda f, x: x.reshape(f.shape),
    "transpose": _transpose,
    "matmul": lambda f, a, b: a @ b,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "concat": _concat,
    "penalty": _penalty,
    **activations.TORCH,
    **loss_oracles.TORCH,
    **tensor_ops.TORCH,
    **images.TORCH,
    **convolutions.TORCH,
}

WITHOUT_TORCH = {
    "embed_columns": "tests/layers/test_embed_columns.py compares it with PyTorch's "
    "embeddings, put together with the numbers",
    "contiguous": "a copy, whose bits tests/ops/test_shape.py compares",
    "alpha_dropout": "PyTorch cannot be given NumPy's mask; tests/layers/test_noise.py "
    "holds the mask, both lines of the formula and the statistics",
    "spatial_dropout": "PyTorch cannot be given NumPy's mask; "
    "tests/layers/test_dropout.py holds the mask and its scale",
    "gaussian_noise": "PyTorch has no such function; tests/layers/test_noise.py holds "
    "the moments and the gradient",
    "attention": "tests/layers/test_attention_parity.py compares it with PyTorch's, "
    "which takes masks instead of lengths",
    **dict.fromkeys(
        ("rnn", "lstm", "gru", "gru_reset_before", "lookup"),
        "tests/layers/test_recurrent_parity.py compares its layer with PyTorch's, and "
        "the other reset with a loop of PyTorch's ops",
    ),
    **dict.fromkeys(
        ("last_step", "mean_over_time"),
        "tests/layers/test_over_time.py compares them with a loop over rows",
    ),
    "ctc": "tests/losses/test_sequences.py compares it with PyTorch's, "
    "which takes time first, and log-softmax",
    "dropout": "PyTorch cannot be given NumPy's mask; tests/layers/test_dropout.py "
    "holds the mask, its scale and its statistics",
}


@dataclass(frozen=True)
class OpCase:
    """One call: how to make the Function, its inputs, which of them are constant."""

    make: Callable[[], Function]
    inputs: tuple[Array, ...]
    constant: tuple[int, ...] = ()


def _draw(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def _positive(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).uniform(0.2, 3.0, shape)


BROADCASTS: tuple[tuple[Shape, Shape], ...] = (
    ((), ()),
    ((), (3,)),
    ((5,), (1,)),
    ((3, 4), ()),
    ((3, 1), (1, 4)),
    ((4,), (3, 4)),
    ((2, 3, 4), (3, 1)),
    ((2, 1, 4), (5, 1, 3, 1)),
    ((1, 1), (1, 1)),
    ((1, 3), (4, 3)),
)
PRODUCTS: tuple[tuple[Shape, Shape], ...] = (
    ((3, 5), (5, 2)),
    ((1, 1), (1, 1)),
    ((7, 2, 3), (3, 4)),
    ((2, 3), (7, 3, 4)),
    ((3, 1, 2, 4), (1, 5, 4, 3)),
    ((1, 2, 4), (3, 4, 2)),
)
INDICES: tuple[Any, ...] = (
    -1,
    slice(None, None, 2),
    (slice(1, None), 2),
    (..., -1),
    ([0, 2, 0, -1],),
    ([0, 1, 1], [2, 2, 2]),
    (slice(None), [1, 1]),
    (None, 1),
)


def _more_cases() -> list[tuple[str, OpCase]]:
    """Return calls beside those that the ops declare themselves."""
    found: list[tuple[str, OpCase]] = []

    def add(name: str, make: Callable[[], Function], *inputs: Array) -> None:
        cls = FUNCTIONS.scan()[name]
        constant = tuple(i for i in range(len(inputs)) if not cls.has_derivative(i))
        found.append((name, OpCase(make, inputs, constant)))

    for left, right in BROADCASTS:
        for name in ("add", "subtract", "multiply", "divide"):
            add(name, FUNCTIONS.scan()[name], _draw(*left), _positive(*right))
    for left, right in PRODUCTS:
        add("matmul", matmul.Matmul, _draw(*left), _draw(*right))
    for name in ("relu", "sigmoid", "tanh", "exp", "negative"):
        # Around the kink, on it (both zeros), and far away.
        points = np.array([-745.0, -40.0, -1e-300, -0.0, 0.0, 1e-300, 0.5, 36.0, 700.0])
        add(name, FUNCTIONS.scan()[name], points)
    add("log", powers.Log, np.array([1e-300, 1e-8, 1.0, 1e300]))
    for slope in (0.0, 0.01, 1.0, 2.0, -0.5):
        kink = np.array([-3.0, -0.0, 0.0, 2.0])
        add("leaky_relu", partial(elementwise.LeakyRelu, slope), kink)
    for exponent in (1.0, 2.0, 3.0):
        signs = np.array([-1.5, 0.0, 2.0])
        add("power", partial(powers.Power, exponent), signs)
    for scale in (1.0, 100.0, 1e4):
        add("softmax", softmax.Softmax, scale * _draw(3, 5))
    add("softmax", softmax.Softmax, _draw(4, 1))
    for axis in (None, 0, 1, -1, (0, 1), (-1, 0), (0, 1, 2)):
        for keepdims in (False, True):
            for cls in (reduce.Sum, reduce.Mean):
                add(cls.type_name, partial(cls, axis, keepdims), _draw(3, 1, 5))
    for new in ((15,), (5, 3), (1, -1, 1), (3, 5)):
        add("reshape", partial(shape.Reshape, new), _draw(3, 5))
    for axes in (None, (0, 2, 1), (2, 0, 1), (-1, -3, -2)):
        add("transpose", partial(shape.Transpose, axes), _draw(2, 3, 5))
    for index in INDICES:
        add("getitem", partial(indices.GetItem, index), _draw(3, 4))
    for lead in ((1,), (9,), (2, 3), ()):
        add("linear", matmul.Linear, _draw(*lead, 4), _draw(3, 4), _draw(3))
        add("linear", matmul.Linear, _draw(*lead, 4), _draw(1, 4))
    for rows in (2, 9):
        make = partial(norm.BatchNorm, np.zeros(4), np.ones(4))
        add("batch_norm", make, 3 + _draw(rows, 4), _draw(4), _draw(4))
    for lead in ((1,), (7,), (2, 3)):
        for features in (2, 5):
            # Far from 0, where a difference of squares would lose its digits.
            x = 100 + 0.1 * _draw(*lead, features)
            gamma, beta = _draw(features), _draw(features + 1)[1:]
            add("layer_norm", norm.LayerNorm, x, gamma, beta)
            add("layer_norm", partial(norm.LayerNorm, 0.5), 1e4 * x, gamma, beta)
            add("rms_norm", norm.RmsNorm, x, gamma)
            add("rms_norm", partial(norm.RmsNorm, 0.5), 1e-4 * x, gamma)
    for axis in (-1, 1, -2):
        add("concat", partial(shape.Concat, axis), _draw(2, 3, 4), _draw(2, 3, 4))
    for l1, l2 in ((0.0, 0.0), (0.2, 0.3)):
        add("penalty", partial(losses.Penalty, l1, l2), _draw(), _draw(5))
        add(
            "penalty",
            partial(losses.Penalty, l1, l2),
            _draw(),
            np.array([[-1.0, 0.0], [-0.0, 2.0]]),
        )
    for module in (activations, loss_oracles, tensor_ops, images):
        for name, maker, inputs in module.cases():
            add(name, maker, *inputs)
    return found


def _constant(case: Case) -> tuple[int, ...]:
    return tuple(
        i
        for i in range(len(case.inputs))
        if i in case.constant or not case.function.has_derivative(i)
    )


def _cases() -> list[tuple[str, OpCase]]:
    """Return every case: a Function is made anew for each of them."""
    found: list[tuple[str, OpCase]] = []
    for name, cls in FUNCTIONS.scan().items():
        if name not in TORCH:
            continue
        for case in cls.cases(np.random.default_rng(5)):
            made = OpCase(partial(copy, case.function), case.inputs, _constant(case))
            found.append((name, made))
    return found + _more_cases()


CASES = _cases()
NAMES = sorted({name for name, _ in CASES})
LOSSES_AND_ACTIVATIONS = {*loss_oracles.TORCH, *activations.TORCH}


def _check(name: str, arrays: list[Array], case: OpCase) -> None:
    function = case.make()
    options = {k: v for k, v in vars(function).items() if not isinstance(v, np.ndarray)}
    call = f"{name} {options} of {[array.shape for array in arrays]}"
    wanted = [i not in case.constant for i in range(len(arrays))]
    ours = [Tensor(a, requires_grad=w) for a, w in zip(arrays, wanted, strict=True)]
    theirs = [
        torch.tensor(np.array(a, order="C"), requires_grad=w)
        for a, w in zip(arrays, wanted, strict=True)
    ]
    y = apply(function, *ours)
    expected = TORCH[name](function, *theirs)
    assert_agrees(y.data, expected.detach(), f"{call}: value", special=True)
    if not any(wanted):
        return
    weights = np.random.default_rng(11).normal(size=y.shape)
    objective = (y * Tensor(np.asarray(weights))).sum()
    expected_objective = (expected * torch.tensor(weights)).sum()
    # Twice: a backward pass must leave alone what the next one reads.
    for _ in range(2):
        objective.backward()
        expected_objective.backward(retain_graph=True)
    for i, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        if wanted[i]:
            what = f"{call}: gradient of input {i}"
            assert_agrees(mine.grad, other.grad, what, special=True)


def _of(name: str) -> list[OpCase]:
    return [case for other, case in CASES if other == name]


@pytest.mark.parametrize("name", NAMES)
def test_op_agrees_with_torch(name: str) -> None:
    for case in _of(name):
        _check(name, list(case.inputs), case)


# Losses and activations: every op in every order is in tests/test_op_contract.py. Here
# is what those that broadcast, reduce and rearrange do with orders, shapes and axes.
@pytest.mark.parametrize("name", sorted(set(NAMES) - LOSSES_AND_ACTIVATIONS))
def test_op_agrees_with_torch_in_every_memory_layout(name: str) -> None:
    for case in _of(name):
        kinds = [dict(layouts(array)) for array in case.inputs]
        for layout in ("F", "strided", "reversed"):
            arrays = [kind.get(layout, kind["C"]) for kind in kinds]
            _check(name, arrays, case)


def test_every_op_has_a_parity_case() -> None:
    missing = without_case(FUNCTIONS.scan(), set(TORCH) | set(WITHOUT_TORCH))
    assert not missing, f"ops without a comparison with PyTorch: {', '.join(missing)}"
    assert {name for name, _ in CASES} == set(TORCH)


def test_ops_without_torch_say_why() -> None:
    assert set(WITHOUT_TORCH) <= set(FUNCTIONS.scan())
    assert all(len(reason) > 20 for reason in WITHOUT_TORCH.values())
    assert not set(WITHOUT_TORCH) & set(TORCH)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_of_a_tensor_used_twice_add_up_as_in_torch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(4, 4)), rng.uniform(0.5, 2.0, (4,))

    def objective(x: Any, v: Any) -> Any:
        y = x @ x + x * v - x / v
        return (y * y + v).sum() + (x.T @ y).mean() + (v * v * v).sum()

    ours = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    theirs = (
        torch.tensor(a, requires_grad=True),
        torch.tensor(b, requires_grad=True),
    )
    value, expected = objective(*ours), objective(*theirs)
    value.backward()
    expected.backward()
    assert_agrees(value.data, expected.detach(), "value")
    for mine, other in zip(ours, theirs, strict=True):
        assert_agrees(mine.grad, other.grad, "gradient")


def test_backward_called_twice_accumulates_as_in_torch() -> None:
    a, w = _draw(5, 3), _draw(2, 3)
    x, weight = Tensor(a, requires_grad=True), Tensor(w, requires_grad=True)
    other, other_weight = (torch.tensor(v, requires_grad=True) for v in (a, w))
    loss = (apply(matmul.Linear(), x, weight).tanh() * x.sum()).mean()
    expected = (functional.linear(other, other_weight).tanh() * other.sum()).mean()
    for _ in range(2):
        loss.backward()
        expected.backward(retain_graph=True)
    assert_agrees(x.grad, other.grad, "input")
    assert_agrees(weight.grad, other_weight.grad, "weight")
    # A second value of the same leaves adds to what is there, until zero_grad.
    (x * 2.0).sum().backward()
    (other * 2.0).sum().backward()
    assert_agrees(x.grad, other.grad, "input, again")
    x.zero_grad()
    np.testing.assert_array_equal(x.grad, 0)


def test_deep_chains_agree_with_torch() -> None:
    a = _draw(3)
    x = Tensor(a, requires_grad=True)
    other = torch.tensor(a, requires_grad=True)
    y, expected = x, other
    # Three ops a link: deeper than Python lets functions call each other.
    for _ in range(500):
        y = (y * 0.999).tanh() + x * 0.001
        expected = torch.tanh(expected * 0.999) + other * 0.001
    y.sum().backward()
    expected.sum().backward()
    assert_agrees(x.grad, other.grad, "gradient")
