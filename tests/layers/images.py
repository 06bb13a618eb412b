"""The layers of PyTorch that correspond to ours for images, sequences and volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import pytest

from nncli.core.arrays import Array, Shape, batch_innermost
from tests.layers.activations import formula

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
nn = torch.nn
functional = nn.functional

Row = tuple[
    str, Shape, Callable[[], Any], dict[str, Any], dict[str, str], tuple[int, ...]
]

ROWS: dict[int, tuple[Shape, ...]] = {
    1: ((2, 9),),
    2: ((2, 7, 6),),
    3: ((1, 6, 5, 7),),
}
"""Odd and even sizes, by how many axes of space there are."""

LISTS: dict[int, dict[str, list[int]]] = {
    1: {"kernel": [3], "stride": [2], "padding": [1], "dilation": [1]},
    2: {"kernel": [2, 3], "stride": [1, 2], "padding": [0, 1], "dilation": [2, 1]},
    3: {"kernel": [1, 2, 3], "stride": [2, 1, 1], "padding": [0, 1, 1]},
}

AFFINE = {"gamma": "weight", "beta": "bias"}


def _options(names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    values: dict[str, tuple[Any, ...]] = {
        "kernel": (2, 3),
        "stride": (None, 1, 2, 3),
        "padding": (0, 1),
        "dilation": (1, 2),
        "ceil_mode": (False, True),
        "count_padding": (True, False),
    }
    for chosen in product(*(values[name] for name in names)):
        yield dict(zip(names, chosen, strict=True))


def _pools() -> Iterator[Row]:
    window = ("kernel", "stride", "padding")
    for rank, rows in ROWS.items():
        kinds = (
            ("max_pool", "MaxPool", (*window, "dilation", "ceil_mode")),
            ("average_pool", "AvgPool", (*window, "ceil_mode", "count_padding")),
            ("lp_pool", "LPPool", ("kernel", "stride", "ceil_mode")),
        )
        for name, other, names in kinds:
            known = getattr(nn, f"{other}{rank}d")
            lists = {k: v for k, v in LISTS[rank].items() if k in names}
            # Every one for images; the others are computed by the same lines.
            every = list(_options(names))[:: {1: 3, 2: 1, 3: 5}[rank]]
            for options in (*every, lists) if name != "lp_pool" else every:
                given = {_torch_name(k): v for k, v in options.items()}
                if name == "lp_pool":
                    given["norm_type"] = 2.0
                for row in rows:
                    yield (
                        f"{name}{rank}d",
                        row,
                        partial(known, **given),
                        options,
                        {},
                        (3,),
                    )


def _torch_name(name: str) -> str:
    return {"kernel": "kernel_size", "count_padding": "count_include_pad"}.get(
        name, name
    )


def _whole_pools() -> Iterator[Row]:
    for rank, rows in ROWS.items():
        sizes: tuple[Any, ...] = (1, 2, 3, 4, 11, [3, 2, 5][:rank])
        for (name, other), size, row in product(
            (("max", "Max"), ("average", "Avg")), sizes, rows
        ):
            module = partial(getattr(nn, f"Adaptive{other}Pool{rank}d"), _tuple(size))
            full = f"adaptive_{name}_pool{rank}d"
            yield full, row, module, {"size": size}, {}, (2,)
        for row in rows:
            dims = tuple(range(2, 2 + rank))
            mean = partial(formula, partial(torch.mean, dim=dims))
            most = partial(formula, partial(torch.amax, dim=dims))
            yield "global_average_pool", row, mean, {}, {}, (1, 3)
            yield "global_max_pool", row, most, {}, {}, (1, 3)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _norms() -> Iterator[Row]:
    for rank, (row, *_) in ROWS.items():
        for momentum, eps in ((0.1, 1e-5), (0.7, 0.5)):
            known = getattr(nn, f"BatchNorm{rank}d")
            module = partial(known, row[0], eps, momentum)
            options = {"momentum": momentum, "eps": eps}
            yield "batch_norm", row, module, options, AFFINE, (1, 4)
        for eps, affine in product((1e-5, 0.5), (False, True)):
            names = AFFINE if affine else {}
            known = getattr(nn, f"InstanceNorm{rank}d")
            module = partial(known, row[0], eps, affine=affine)
            yield (
                "instance_norm",
                row,
                module,
                {"eps": eps, "affine": affine},
                names,
                (
                    1,
                    3,
                ),
            )
        for size, beta in product((1, 2, 3, 5, 9), (0.75, 1.5)):
            options = {"size": size, "alpha": 0.3, "beta": beta, "k": 2.0}
            module = partial(nn.LocalResponseNorm, size, 0.3, beta, 2.0)
            yield "local_response_norm", (6, *row[1:]), module, options, {}, (2,)
    for row in ((6,), (6, 5), (6, 3, 4), (6, 2, 1, 3)):
        for groups, affine in product((1, 2, 3, 6), (True, False)):
            if row == (6,) and groups == 6:
                continue  # One element alone is 0; PyTorch rounds before it divides.
            module = partial(nn.GroupNorm, groups, 6, 1e-3, affine)
            options = {"groups": groups, "eps": 1e-3, "affine": affine}
            names = AFFINE if affine else {}
            yield "group_norm", row, module, options, names, (1, 3)


def _sizes() -> Iterator[Row]:
    widths: dict[int, tuple[Any, ...]] = {
        1: (0, 2, [1], [[2, 0]]),
        2: (1, [2, 1], [[0, 1], [2, 3]]),
        3: (1, [0, 1, 2], [[1, 0], 2, [0, 3]]),
    }
    modes = {"linear": ("linear", "bilinear", "trilinear")}
    for rank, (row, *_) in ROWS.items():
        for padding, mode in product(
            widths[rank], ("zeros", "reflect", "replicate", "circular")
        ):
            known = "constant" if mode == "zeros" else mode
            pad = partial(functional.pad, pad=_flat(padding, rank), mode=known)
            options = {"padding": padding, "mode": mode}
            yield "pad", row, partial(formula, pad), options, {}, (2,)
        for factor, mode in product(
            (1, 2, 3, 4, [3, 1, 2][:rank]), ("nearest", "linear")
        ):
            known = modes.get(mode, (mode,) * 3)[rank - 1]
            module = partial(nn.Upsample, scale_factor=_tuple(factor), mode=known)
            for sizes in (row, (1, *(1,) * rank)):
                options = {"factor": factor, "mode": mode}
                yield "upsample", sizes, module, options, {}, (2,)
    for factor in (1, 2, 3):
        for c in (1, 2):
            row = (c * factor**2, 2, 3)
            module = partial(nn.PixelShuffle, factor)
            yield "pixel_shuffle", row, module, {"factor": factor}, {}, (1, 2)


def _flat(padding: Any, rank: int) -> tuple[int, ...]:
    """Return the padding as PyTorch has it: before and after, the last axis first."""
    each = [padding] * rank if isinstance(padding, int) else padding
    pairs = [one if isinstance(one, list) else [one, one] for one in each]
    return tuple(width for pair in pairs[::-1] for width in pair)


def orders(x: Array) -> Iterator[tuple[str, Array]]:
    """Yield the same values row-major, and with the batch innermost."""
    yield "C", x
    turned = batch_innermost(x.shape, x.dtype)
    turned[...] = x
    yield "batch innermost", turned


def cases() -> Iterator[tuple[Row, bool]]:
    """Yield name, row, PyTorch's module, arguments, parameters and numbers of rows.

    And whether the layer acts otherwise in use than in training.
    """
    for case in (*_pools(), *_whole_pools(), *_sizes(), *_axes()):
        yield case, False
    for case in _norms():
        yield case, case[0] == "batch_norm"
    for rank, (row, *_) in ROWS.items():
        module = partial(getattr(nn, f"Dropout{rank}d"), 0.0)
        yield ("spatial_dropout", row, module, {"rate": 0.0}, {}, (2,)), True


def _axes() -> Iterator[Row]:
    for row in ((4,), (2, 3), (3, 2, 2)):
        yield "identity", row, nn.Identity, {}, {}, (2,)
        for axis in range(-len(row), len(row)):
            dim = axis if axis < 0 else axis + 1
            for name, known in (("softmax", "Softmax"), ("log_softmax", "LogSoftmax")):
                module = partial(getattr(nn, known), dim)
                yield name, row, module, {"axis": axis}, {}, (3,)
