"""Which algorithm computes a convolution: a pure function of its shapes."""

from __future__ import annotations

from typing import Literal, NamedTuple

from nncli.core.errors import ShapeError
from nncli.ops.conv import Convolution
from nncli.ops.conv_depthwise import DepthwiseConv
from nncli.ops.conv_direct import DirectConv
from nncli.ops.conv_fft import FftConv
from nncli.ops.conv_geometry import Geometry
from nncli.ops.conv_im2col import Im2colConv
from nncli.ops.conv_winograd import WinogradConv

Algorithm = Literal["auto", "im2col", "winograd", "fft", "direct", "depthwise"]

ALGORITHMS: dict[str, type[Convolution]] = {
    "im2col": Im2colConv,
    "winograd": WinogradConv,
    "fft": FftConv,
    "direct": DirectConv,
    "depthwise": DepthwiseConv,
}

PRICES = {
    "im2col": (16, 2500),
    "winograd": (16, 6500),
    "fft": (27, 8200),
    "direct": (12, 2100),
    "depthwise": (95, 250),
}
"""What an operation takes, and an element of a workspace: picoseconds.

Least squares over the points of benchmarks/convolution_growth.py, in float32 on one
thread: only their ratios count. In float64 everything takes twice as long.
"""


class Choice(NamedTuple):
    """An algorithm, and why it was taken."""

    algorithm: str
    why: str


def settle(asked: Algorithm, geometry: Geometry) -> Choice:
    """Return the algorithm that is asked for, or what ``auto`` means.

    Raises:
        ShapeError: The one that is asked for cannot compute such a convolution.
    """
    if asked == "auto":
        return choose(geometry)
    unfit = ALGORITHMS[asked].misfit(geometry)
    if unfit:
        raise ShapeError(
            f"algorithm: expected one that can compute {unfit}, got {asked!r}. Use "
            "'auto' or 'im2col'."
        )
    return Choice(asked, "as the config says")


def choose(geometry: Geometry) -> Choice:
    """Return what ``auto`` means: the algorithm with the least estimated time.

    An estimate is linear in the operations that an algorithm takes for an image and in
    the elements it writes to its workspaces. Nothing is timed: the same config gives
    the same bits on a machine that is busy.
    """
    times = {
        name: _price(name, geometry)
        for name, cls in ALGORITHMS.items()
        if not cls.misfit(geometry)
    }
    best, second = sorted(times, key=lambda name: times[name])[:2]
    if best == "im2col":
        ratio = times[second] / times[best]
        return Choice(best, f"{second} would take about {ratio:.1f} times as long")
    ratio = times["im2col"] / times[best]
    return Choice(best, f"im2col would take about {ratio:.1f} times as long")


def _price(name: str, geometry: Geometry) -> float:
    """Estimate the time of value and gradients, for one image."""
    cls, (operation, element) = ALGORITHMS[name], PRICES[name]
    # The gradients of the image and of the weight take as many again, each.
    return 3 * operation * cls.operations(geometry) + element * cls.moved(geometry)
