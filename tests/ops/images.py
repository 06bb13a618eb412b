"""The functions of PyTorch that correspond to our ops for images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from nncli.autograd.function import Function
from nncli.core.arrays import Array
from nncli.ops.max_pool import MaxPool
from nncli.ops.windows import Adaptive, Sliding

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
functional = torch.nn.functional


def _max_pool(f: Any, x: Any) -> Any:
    rank, where = x.ndim - 2, f.placing
    if isinstance(where, Adaptive):
        return getattr(functional, f"adaptive_max_pool{rank}d")(x, where.counts)
    pool = getattr(functional, f"max_pool{rank}d")
    return pool(
        x,
        where.kernel,
        where.stride,
        where.padding or 0,
        where.dilation or 1,
        where.ceil_mode,
    )


def _average_pool(f: Any, x: Any) -> Any:
    rank, where = x.ndim - 2, f.placing
    if isinstance(where, Adaptive):
        return getattr(functional, f"adaptive_avg_pool{rank}d")(x, where.counts)
    pool = getattr(functional, f"avg_pool{rank}d")
    padding = where.padding or (0,) * rank
    return pool(
        x, where.kernel, where.stride, padding, where.ceil_mode, f.count_padding
    )


def _lp_pool(f: Any, x: Any) -> Any:
    """As PyTorch has it, but of |x|."""
    rank, where = x.ndim - 2, f.placing
    pool = getattr(functional, f"avg_pool{rank}d")
    powers = x.abs() ** f.norm
    mean = pool(powers, where.kernel, where.stride, 0, where.ceil_mode)
    return (mean * math.prod(where.kernel)) ** (1 / f.norm)


def _channel_batch_norm(f: Any, x: Any, gamma: Any, beta: Any) -> Any:
    return functional.batch_norm(x, None, None, gamma, beta, True, f.momentum, f.eps)


def _batch_norm_in_use(f: Any, x: Any, gamma: Any, beta: Any) -> Any:
    mean, var = torch.tensor(f.mean), torch.tensor(f.var)
    return functional.batch_norm(x, mean, var, gamma, beta, False, 0.0, f.eps)


def _group_norm(f: Any, x: Any, *scale: Any) -> Any:
    return functional.group_norm(x, f.groups, *(scale or (None, None)), f.eps)


def _local_response_norm(f: Any, x: Any) -> Any:
    return functional.local_response_norm(x, f.size, f.alpha, f.beta, f.k)


def _upsample(mode: str, f: Any, x: Any) -> Any:
    known = mode if mode == "nearest" else ("linear", "bilinear", "trilinear")
    chosen = known if isinstance(known, str) else known[x.ndim - 3]
    return functional.interpolate(x, scale_factor=f.factor, mode=chosen)


def _edge_pad(f: Any, x: Any) -> Any:
    widths = tuple(width for pair in f.widths[::-1] for width in pair)
    return functional.pad(x, widths, f.mode)


TORCH: dict[str, Callable[..., Any]] = {
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "lp_pool": _lp_pool,
    "channel_batch_norm": _channel_batch_norm,
    "batch_norm_in_use": _batch_norm_in_use,
    "group_norm": _group_norm,
    "local_response_norm": _local_response_norm,
    "upsample_nearest": partial(_upsample, "nearest"),
    "upsample_linear": partial(_upsample, "linear"),
    "edge_pad": _edge_pad,
    "pixel_shuffle": lambda f, x: functional.pixel_shuffle(x, f.factor),
}


def cases() -> Iterator[tuple[str, Callable[[], Function], tuple[Array, ...]]]:
    """Yield calls of max pooling where maxima are equal, infinite or no numbers."""
    rng = np.random.default_rng(3)
    placings = (
        Sliding((2, 2)),
        Sliding((3, 2), (1, 2), (1, 0), (1, 2), True),
        Sliding((3, 3), (2, 2), (1, 1)),
        Adaptive((2, 3)),
    )
    for placing in placings:
        for odd in (0.0, -np.inf, np.nan):
            x = np.round(rng.normal(size=(2, 3, 6, 7)))
            x[rng.random(x.shape) < 0.2] = odd
            yield "max_pool", partial(MaxPool, placing), (x,)
