"""Transposed convolution: every element of an image adds a window to a larger one."""

from __future__ import annotations

from typing import ClassVar

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape, check_memory
from nncli.core.errors import ShapeError
from nncli.core.randomness import Streams
from nncli.core.signature import NonNegative, Positive
from nncli.initializers.base import Initializer
from nncli.initializers.constant import Zeros
from nncli.layers.base import Layer
from nncli.layers.conv import penalties_of
from nncli.layers.conv_padding import Padding, check_groups
from nncli.layers.parameters import Penalty
from nncli.layers.space import Margins, Sizes, check_space, per_axis
from nncli.ops.conv_transpose import ConvTranspose, transposed_size


class ConvTransposed(Layer):
    """Base of transposed convolutions with some number of axes; see ``conv2d``.

    Class attributes:
        rank: How many axes.

    Args:
        filters: K, the channels of the output.
        kernel: Sizes of a window: one number, or one for each axis.
        stride: Steps from one window to the next, for all axes or each.
        padding: What is cut off the output: ``valid`` is nothing; ``same`` as much as
            makes it stride times as large as the input, as in Keras; or how many
            elements on both sides, for all axes or each, as in PyTorch.
        output_padding: Elements that the output is longer at the far end, for all axes
            or each; less than the stride.
        dilation: Steps from one element of a window to the next, for all axes or each.
        groups: Channels and filters are cut into so many parts that do not meet.
        bias: Whether there is a b.
        init: First values of W; by default those that suit the activation after it:
            he_normal in front of ReLU, else glorot_uniform.
        l1: Penalty on W's absolute values.
        l2: Penalty on W's squares.
        bias_l1: Penalty on b's absolute values.
        bias_l2: Penalty on b's squares.
    """

    filters: Positive
    kernel: Sizes
    stride: Sizes = 1
    padding: Padding = "valid"
    output_padding: Margins = 0
    dilation: Sizes = 1
    groups: Positive = 1
    bias: bool = True
    init: Initializer | None = None
    l1: NonNegative = 0.0
    l2: NonNegative = 0.0
    bias_l1: NonNegative = 0.0
    bias_l2: NonNegative = 0.0

    rank: ClassVar[int] = 0
    suits = "glorot_uniform"
    letters: ClassVar = {"weight": "W", "bias": "b"}

    def __post_init__(self) -> None:
        for name in ("kernel", "stride", "dilation", "padding", "output_padding"):
            self.sizes(name)
        check_groups(self.filters, self.groups)

    def sizes(self, name: str) -> Shape:
        """Return an argument for each axis; nothing where it is a word."""
        value = self.arguments[name]
        return () if isinstance(value, str) else per_axis(value, self.rank, name)

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Make W (C, K/groups, *kernel) and b."""
        channels, image = input_shape[0], check_space(input_shape, self.rank)
        if channels % self.groups:
            raise ShapeError(
                f"expected channels that {self.groups} groups divide, got {channels}."
            )
        kernel, stride, dilation, extra = map(
            self.sizes, ("kernel", "stride", "dilation", "output_padding")
        )
        borders: tuple[tuple[int, int], ...] = ((0, 0),) * self.rank
        if self.padding == "same":
            spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
            # Larger strides than windows leave too little, not too much.
            over = [span - step for span, step in zip(spans, stride, strict=True)]
            cuts = [max(0, each) for each in over]
            borders = tuple((cut // 2, cut - cut // 2) for cut in cuts)
            extra = tuple(max(0, -each) for each in over)
        elif not isinstance(self.padding, str):
            borders = tuple((w, w) for w in self.sizes("padding"))
        sizes = transposed_size(image, kernel, stride, borders, dilation, extra)
        shape = (
            self.filters,
            *(n + sum(b) for n, b in zip(sizes, borders, strict=True)),
        )
        check_memory(shape, self.dtype, "the output")
        self.op_fields = stride, borders, dilation, self.groups, extra
        weight = (channels, self.filters // self.groups, *kernel)
        self.add_parameter("weight", weight, self.init or self.default_init, rng)
        if self.bias:
            self.add_parameter("bias", (self.filters,), Zeros(), rng)
        return (self.filters, *sizes)

    def __call__(self, x: Tensor) -> Tensor:
        function = ConvTranspose(*self.op_fields)
        return apply(function, x, *self.parameters.values())

    def penalties(self) -> list[Penalty]:
        """Return the penalties that are not zero."""
        return penalties_of(self)


class ConvTranspose1d(ConvTransposed, name="conv_transpose1d"):
    """Transposed convolution over sequences: (N, C, L) → (N, filters, OL).

    W (C, filters/groups, kernel); see ``conv_transpose2d``.
    """

    rank = 1
    examples = ((2, 4),)


class ConvTranspose2d(ConvTransposed, name="conv_transpose2d"):
    """y[k, i·stride + a, j·stride + b] += x[c, i, j] · W[c, k, a, b], plus b[k].

    Images (N, C, H, W) → (N, filters, OH, OW), with OH = (H − 1)·stride − padding on
    both sides + dilation·(kernel − 1) + 1 + output_padding; W (C, filters/groups,
    kernel, kernel), as in PyTorch: the adjoint of ``conv2d`` with the same arguments.
    The penalties add l1·Σ|w| + l2·Σw² to the loss, as in Keras (no factor ½).

    Source: Zeiler et al. 2010.
    """

    rank = 2
    examples = ((2, 3, 4),)


class ConvTranspose3d(ConvTransposed, name="conv_transpose3d"):
    """Transposed convolution over volumes, (N, C, D, H, W) → (N, filters, OD, OH, OW).

    W (C, filters/groups, kernel, kernel, kernel); see ``conv_transpose2d``.
    """

    rank = 3
    examples = ((2, 2, 2, 3),)
