"""The layers of PyTorch that correspond to our convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
nn = torch.nn

ROWS = {1: (4, 9), 2: (4, 7, 8), 3: (4, 4, 5, 4)}

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"bias": False},
    {"stride": 2, "padding": 1},
    {"dilation": 2, "padding": 2},
    {"groups": 2},
    {"groups": 4, "padding": "same"},
    {"padding": 2, "padding_mode": "circular"},
    {"padding": 1, "padding_mode": "reflect", "stride": 2},
    {"padding": "same", "padding_mode": "replicate"},
    {"algorithm": "fft"},
    {"algorithm": "direct"},
    {"algorithm": "depthwise", "groups": 4},
    {"algorithm": "im2col"},
    {"l1": 0.2, "l2": 0.3, "bias_l1": 0.1, "bias_l2": 0.2},
)

TRANSPOSED: tuple[dict[str, Any], ...] = (
    {},
    {"bias": False},
    {"stride": 2, "padding": 1},
    {"stride": 3, "output_padding": 2},
    {"dilation": 2, "groups": 2},
    {"l1": 0.2, "l2": 0.3, "bias_l1": 0.1, "bias_l2": 0.2},
)

OURS = ("algorithm", "l1", "l2", "bias_l1", "bias_l2")


def cases() -> Iterator[tuple[str, tuple[int, ...], Any, dict[str, Any], Any, Any]]:
    """Yield what a LayerCase is made of."""
    for prefix, name, options in (
        ("conv", "Conv", OPTIONS),
        ("conv_transpose", "ConvTranspose", TRANSPOSED),
    ):
        for rank, row in ROWS.items():
            module = getattr(nn, f"{name}{rank}d")
            for given in options:
                theirs = {k: v for k, v in given.items() if k not in OURS}
                made = partial(module, 4, 4, 3, **theirs)
                names = {"weight": "weight", "bias": "bias"}
                if not given.get("bias", True):
                    del names["bias"]
                arguments = {"filters": 4, "kernel": 3, **given}
                yield f"{prefix}{rank}d", row, made, arguments, names, (3,)
    sizes = {"kernel": [3, 2], "stride": [2, 1], "padding": [0, 1], "dilation": [1, 2]}
    pairs = {"stride": (2, 1), "padding": (0, 1), "dilation": (1, 2)}
    both = {"weight": "weight", "bias": "bias"}
    made = partial(nn.Conv2d, 4, 4, (3, 2), **pairs)
    yield "conv2d", ROWS[2], made, {"filters": 4, **sizes}, both, (3,)
    winograd = {"filters": 4, "kernel": 3, "algorithm": "winograd", "padding": "same"}
    made = partial(nn.Conv2d, 4, 4, 3, padding="same")
    yield "conv2d", ROWS[2], made, winograd, both, (3,)
