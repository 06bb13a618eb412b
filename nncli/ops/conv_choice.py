"""Which algorithm computes a convolution: a pure function of shapes and dtype."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from nncli.ops.conv import Convolution
from nncli.ops.conv_direct import DirectConv
from nncli.ops.conv_fft import FftConv
from nncli.ops.conv_geometry import Geometry
from nncli.ops.conv_im2col import Im2colConv
from nncli.ops.conv_winograd import WinogradConv

Algorithm = Literal["auto", "im2col", "winograd", "fft", "direct"]

ALGORITHMS: dict[str, type[Convolution]] = {
    "im2col": Im2colConv,
    "winograd": WinogradConv,
    "fft": FftConv,
    "direct": DirectConv,
}


class Choice(NamedTuple):
    """An algorithm, and why it was taken."""

    algorithm: str
    why: str


def settle(asked: Algorithm, geometry: Geometry, dtype: np.dtype[Any]) -> Choice:
    """Return the algorithm that is asked for, or what ``auto`` means."""
    if asked != "auto":
        return Choice(asked, "as the config says")
    return choose(geometry, dtype)


def choose(geometry: Geometry, dtype: np.dtype[Any]) -> Choice:
    """Return what ``auto`` means; never timed, so that bits do not depend on load."""
    return Choice("im2col", "the general one")
