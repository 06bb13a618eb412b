"""Transposed convolution: the adjoint of a convolution, which makes images larger."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, Shape, batch_innermost, xp
from nncli.core.errors import ShapeError
from nncli.ops.conv import Views
from nncli.ops.conv_geometry import Borders, lies_inward
from nncli.ops.conv_im2col import Im2colConv
from nncli.ops.images import channels_first


class ConvTranspose(Function, name="conv_transpose"):
    """y = b + Wᵀ x, where x = W y is a convolution with the same arguments.

    Each element of x adds W times itself to a window of y. x (N, C, H, W), W (C,
    K/groups, kh, kw), b (K,), optional → y (N, K, OH, OW) with OH = (H − 1)·stride −
    borders + dilation·(kh − 1) + 1 + extra, or as many axes as the fields have. The
    value is what the convolution writes as its image's gradient, the gradient of x
    its value, and that of W its weight's. PyTorch's conv_transpose; Zeiler et al. 2010.

    Args:
        stride: Steps from one window to the next.
        borders: Elements of y that are cut off before and after, for each axis.
        dilation: Steps from one element of a window to the next.
        groups: Channels are cut into so many parts that do not meet.
        extra: Elements that y is longer, at the far end of each axis: a convolution
            with a stride makes the same of several sizes. Less than the stride.
    """

    stride: Shape
    borders: Borders
    dilation: Shape
    groups: int
    extra: Shape

    layout = "any"
    saves_inputs = (True, True, False)
    saves_output = False

    def allocate(self, x: Array, weight: Array, *bias: Array) -> Array:
        rank = len(self.stride)
        if x.ndim != rank + 2 or weight.ndim != rank + 2:
            raise ShapeError(
                f"conv_transpose: expected x (N, C, ...) and W (C, K, ...) with {rank} "
                f"axes of an image, got shapes {x.shape} and {weight.shape}."
            )
        if x.shape[1] != weight.shape[0]:
            raise ShapeError(
                f"conv_transpose: expected an image with {weight.shape[0]} channels, "
                f"got shape {x.shape}."
            )
        filters = weight.shape[1] * self.groups
        if bias and bias[0].shape != (filters,):
            raise ShapeError(
                f"conv_transpose: expected a bias of shape ({filters},), got "
                f"{bias[0].shape}."
            )
        sizes = transposed_size(
            x.shape[2:],
            weight.shape[2:],
            self.stride,
            self.borders,
            self.dilation,
            self.extra,
        )
        out = batch_innermost((len(x), filters, *sizes), x.dtype)
        self.conv = Im2colConv(self.stride, self.borders, self.dilation, self.groups)
        self.conv.differentiated = self.differentiated
        self.conv.allocate(out, weight)
        self.conv.x = out
        # Its two backward passes, for y and for dL/dW, are over different arrays.
        self.value_views, self.weight_views = Views(), Views()
        self.has_bias = bool(bias)
        # What the convolution writes lies batch innermost.
        self.room = None if lies_inward(x) else batch_innermost(x.shape, x.dtype)
        return out

    def forward(self, x: Array, weight: Array, *rest: Array) -> None:
        """Write Wᵀ x + b: called as (x, weight, bias, out) or (x, weight, out)."""
        self.x, self.weight, out = x, weight, rest[-1]
        self.conv.take_weight(weight)
        self.conv.backward_views = self.value_views
        self.conv.backward(x, out, None)
        if self.has_bias:
            y = channels_first(out)
            xp.add(y, rest[0].reshape(-1, *(1,) * (y.ndim - 1)), out=y)

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dweight: Array | None,
        dbias: Array | None = None,
    ) -> None:
        if dbias is not None:
            y = channels_first(grad)
            xp.add.reduce(y, axis=tuple(range(1, y.ndim)), out=dbias)
        if dx is not None:
            into = dx if self.room is None else self.room
            self.conv.forward(grad, self.weight, into)
            if self.room is not None:
                xp.copyto(dx, self.room)
        if dweight is not None:
            self.conv.image(grad)
            self.conv.backward_views = self.weight_views
            self.conv.backward(self.x, None, dweight)

    def flops(self, *arrays: Sized) -> int:
        """Count two operations for each product, and the bias's."""
        x, weight, out = arrays[0], arrays[1], arrays[-1]
        bias = out.size if len(arrays) == 4 else 0
        return int(2 * x.size * (weight.size // weight.shape[0]) + bias)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One to three axes; strides, borders, dilation, groups, extra elements."""
        none = ((0, 0), (0, 0))
        plain = cls((1, 1), none, (1, 1), 1, (0, 0))
        yield Case(plain, _inputs(rng, (2, 2, 3, 4), (2, 3, 3, 2), 3))
        mixed = cls((2, 3), ((1, 1), (2, 0)), (1, 2), 2, (1, 2))
        yield Case(mixed, _inputs(rng, (2, 2, 3, 2), (2, 2, 3, 2), 4))
        line = cls((2,), ((0, 1),), (1,), 1, (0,))
        yield Case(line, _inputs(rng, (2, 2, 3), (2, 1, 3), 0))
        solid = cls((1, 1, 2), ((0, 0), (1, 0), (0, 0)), (1, 1, 1), 1, (0, 0, 1))
        yield Case(solid, _inputs(rng, (1, 1, 2, 2, 2), (1, 2, 2, 2, 2), 2))


def transposed_size(
    image: Shape,
    kernel: Shape,
    stride: Shape,
    borders: Borders,
    dilation: Shape,
    extra: Shape,
) -> Shape:
    """Return the sizes of a transposed convolution's output.

    Raises:
        ShapeError: Nothing is left, or there is more extra than a stride makes up for.
    """
    if any(more >= step for more, step in zip(extra, stride, strict=True)):
        raise ShapeError(
            f"conv_transpose: expected output_padding below the stride {stride}, got "
            f"{extra}."
        )
    axes = zip(image, kernel, stride, borders, dilation, extra, strict=True)
    sizes = tuple(
        (size - 1) * step - sum(cut) + spread * (side - 1) + 1 + more
        for size, side, step, cut, spread, more in axes
    )
    if min(sizes) < 1 or min(image) < 1:
        raise ShapeError(
            f"conv_transpose: expected padding that leaves some of the output, got "
            f"sizes {sizes} of an image of size {image}. Make the padding smaller."
        )
    return sizes


def _inputs(
    rng: np.random.Generator, shape: Shape, weight: Shape, bias: int
) -> tuple[Array, ...]:
    x, w = rng.normal(size=shape), rng.normal(size=weight)
    return (x, w, rng.normal(size=bias)) if bias else (x, w)
