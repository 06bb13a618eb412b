"""PyTorch's convolutions, called with our Functions for their arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
functional = torch.nn.functional


def convolution(f: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    """Pad first: PyTorch's own padding is the same on both sides."""
    of = getattr(functional, f"conv{x.ndim - 2}d")
    widths = [width for pair in reversed(f.borders) for width in pair]
    image = functional.pad(x, widths)
    return of(image, weight, bias, f.stride, 0, f.dilation, f.groups)


def transposed(f: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    """Cut off afterwards, for the same reason."""
    of = getattr(functional, f"conv_transpose{x.ndim - 2}d")
    # PyTorch takes no output padding as large as both stride and dilation.
    y = of(x, weight, bias, f.stride, 0, f.extra, f.groups, f.dilation)
    inside = (
        slice(before, size - after)
        for size, (before, after) in zip(y.shape[2:], f.borders, strict=True)
    )
    return y[(slice(None), slice(None), *inside)]


TORCH: dict[str, Callable[..., Any]] = {
    "conv_transpose": transposed,
    "depthwise_conv": convolution,
    "direct_conv": convolution,
    "fft_conv": convolution,
    "im2col_conv": convolution,
    "winograd_conv": convolution,
}
