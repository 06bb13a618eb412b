"""Convolution: what all its algorithms share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from nncli.autograd.buffers import Form, form, scratches
from nncli.autograd.function import Function, Sized
from nncli.core.arrays import Array, Shape, batch_innermost, xp
from nncli.core.errors import ShapeError
from nncli.ops.conv_geometry import Borders, Geometry, lies_inward
from nncli.ops.images import channels_first

T = TypeVar("T")

CHUNK = 2**19
"""Bytes of windows that are made at once, about: they stay in a core's own cache."""

LEAST = 128
"""Windows that are made at once at least: a product with fewer columns is slower."""


class Convolution(Function):
    """Base of convolutions over images with any number of axes.

    y[n, k, o] = b[k] + Σ_c Σ_a x[n, c, o·stride + a·dilation − before] · W[k, c, a]:
    the cross-correlation that PyTorch, and the field, call convolution. x (N, C, H, W),
    W (K, C/groups, kh, kw), b (K,), optional → y (N, K, OH, OW), or as many axes as
    the fields have. With g groups, filters [i·K/g, (i + 1)·K/g) see the channels
    [i·C/g, (i + 1)·C/g) alone. With D = dL/dy, summed over rows n and places o:
    dL/dW[k, c, a] = Σ D[n, k, o] · x[n, c, o·stride + a·dilation − before],
    dL/db[k] = Σ D[n, k, o]; and dL/dx[n, c, i] = Σ D[n, k, o] · W[k, c, a] over all
    k, o and a with o·stride + a·dilation − before = i.

    Args:
        stride: Steps from one window to the next.
        borders: Zeros before and after the image, for each axis.
        dilation: Steps from one element of a window to the next.
        groups: How many.
    """

    stride: Shape
    borders: Borders
    dilation: Shape
    groups: int = 1

    # In memory the output lies batch innermost, as (K, OH, OW, N): a window's row is
    # then a run of memory, whatever the size of the image, and flatten is a view. An
    # input that lies otherwise, or has borders, is copied first.
    layout = "any"
    saves_inputs = (True, True, False)
    saves_output = False

    def allocate(self, x: Array, weight: Array, *bias: Array) -> Array:
        """Check shapes, make the output and, where one is needed, a copy of x."""
        rank = len(self.stride)
        name = self.type_name
        if x.ndim != rank + 2 or weight.ndim != rank + 2:
            raise ShapeError(
                f"{name}: expected x (N, C, ...) and W (K, C, ...) with {rank} axes "
                f"of an image, got shapes {x.shape} and {weight.shape}."
            )
        filters = weight.shape[0]
        if x.shape[1] != weight.shape[1] * self.groups:
            raise ShapeError(
                f"{name}: expected an image with {weight.shape[1] * self.groups} "
                f"channels, got shape {x.shape}."
            )
        if bias and bias[0].shape != (filters,):
            raise ShapeError(
                f"{name}: expected a bias of shape ({filters},), got {bias[0].shape}."
            )
        self.geometry = self.geometry_of(x, weight)
        self.geometry.check(name)
        self.rows = x.shape[0]
        self.dtype = x.dtype
        self.has_bias = bool(bias)
        self.forward_views, self.backward_views = Views(), Views()
        self.copies = self.image_size() != x.shape[2:] or not lies_inward(x)
        self.image_form = form((x.shape[1], *self.image_size(), self.rows), x.dtype)
        if self.copies:
            self.room: Array = xp.zeros(self.image_form.shape, x.dtype)
        self.prepare(weight)
        return batch_innermost((self.rows, filters, *self.geometry.out), x.dtype)

    def geometry_of(self, x: Sized, weight: Sized) -> Geometry:
        """Return what is done to each image of a batch."""
        return Geometry(
            x.shape[1],
            weight.shape[0],
            x.shape[2:],
            weight.shape[2:],
            self.stride,
            self.dilation,
            self.borders,
            self.groups,
        )

    def image_size(self) -> Shape:
        """Return the sizes of the image that windows are taken from."""
        return self.geometry.padded

    @abstractmethod
    def prepare(self, weight: Array) -> None:
        """Make what an algorithm keeps; the last step of ``allocate``."""

    def image(self, x: Array) -> Array:
        """Return x as (C, H, W, N) with its borders, and remember it."""
        self.x = x
        if self.copies:
            inside = self.room[(slice(None), *self.geometry.inside)]
            xp.copyto(inside, channels_first(x))
        return self.image_again()

    def image_again(self) -> Array:
        """Return what ``image`` returned, for ``backward``."""
        return self.room if self.copies else channels_first(self.x)

    def target(self, dx: Array | None) -> Form | None:
        """Return the form of scratch for the image's gradient, where dx is not it."""
        if dx is None or (not self.copies and lies_inward(dx)):
            return None
        return self.image_form

    def into(self, dx: Array | None, target: Array | None) -> Array | None:
        """Return where the image's gradient is added up, as (C, H, W, N)."""
        return channels_first(dx) if dx is not None and target is None else target

    def finish(self, dx: Array | None, target: Array | None) -> None:
        """Write the gradient of the image inside its borders to dx."""
        if dx is not None and target is not None:
            inside = target[(slice(None), *self.geometry.inside)]
            xp.copyto(channels_first(dx), inside)

    def flops(self, *arrays: Sized) -> int:
        """Count the operations of every image, and the bias's."""
        x, weight, out = arrays[0], arrays[1], arrays[-1]
        bias = out.size if len(arrays) == 4 else 0
        return x.shape[0] * self.operations(self.geometry_of(x, weight)) + bias

    @classmethod
    def misfit(cls, geometry: Geometry) -> str:  # noqa: ARG003 - for those that do
        """Say what of a convolution the algorithm cannot do, or nothing."""
        return ""

    @classmethod
    def operations(cls, geometry: Geometry) -> int:
        """Count the operations for one image: here two for each term of a sum."""
        g = geometry
        return 2 * g.terms * g.filters * math.prod(g.out)

    @classmethod
    @abstractmethod
    def moved(cls, geometry: Geometry) -> int:
        """Count the elements of one image's workspaces, about."""


class Views:
    """What was made of some arrays, made again only where those are others.

    A replay calls with the same arrays each time, and making views of their parts takes
    as long as some of the work.
    """

    def __init__(self) -> None:
        self._arrays: tuple[Array | None, ...] = ()
        self._made: Any = None

    def of(self, arrays: tuple[Array | None, ...], make: Callable[[], T]) -> T:
        """Return what ``make`` returns, or returned for these very arrays."""
        same = len(arrays) == len(self._arrays) and all(
            one is other for one, other in zip(arrays, self._arrays, strict=True)
        )
        if not same:
            self._made, self._arrays = make(), arrays
        made: T = self._made
        return made


def optional_scratches(*forms: Form | None) -> list[Any]:
    """Return scratch arrays for those forms that are not None, in their places."""
    given = iter(scratches(*(each for each in forms if each is not None)))
    return [None if each is None else next(given) for each in forms]


def turned_form(grad: Array) -> Form | None:
    """Return the form of the copy that ``turned`` needs; None where it needs none."""
    return None if lies_inward(grad) else form(channels_first(grad).shape, grad.dtype)


def turned(grad: Array, room: Array | None) -> Array:
    """Return dL/dy as (K, OH, OW, N), row-major; copied where it lies otherwise."""
    if room is None:
        return channels_first(grad)
    xp.copyto(room, channels_first(grad))
    return room


def inputs_of(
    rng: np.random.Generator, shape: Shape, weight: Shape, *, bias: bool = True
) -> tuple[Array, ...]:
    """Draw an image, a weight and perhaps a bias, for ``cases``."""
    shapes = [shape, weight, *([weight[:1]] if bias else [])]
    return tuple(rng.normal(size=each) for each in shapes)
