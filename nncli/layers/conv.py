"""Convolution: the same weighted sum of a window, everywhere in an image."""

from __future__ import annotations

from typing import Any, ClassVar

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape, check_memory
from nncli.core.randomness import Streams
from nncli.core.signature import NonNegative, Positive
from nncli.initializers.base import Initializer
from nncli.initializers.constant import Zeros
from nncli.layers.base import Layer
from nncli.layers.conv_padding import Padding, PaddingMode, borders_of, check_groups
from nncli.layers.parameters import Penalty
from nncli.layers.space import Sizes, check_space, per_axis
from nncli.ops.conv_choice import ALGORITHMS, Algorithm, settle
from nncli.ops.conv_geometry import Geometry
from nncli.ops.edge_pad import EdgePad


class Conv(Layer):
    """Base of convolutions over images with some number of axes; see ``Conv2d``.

    Class attributes:
        rank: How many axes.

    Args:
        filters: K, the channels of the output.
        kernel: Sizes of a window: one number, or one for each axis.
        stride: Steps from one window to the next, for all axes or each.
        padding: What is put around the image: ``valid`` is nothing; ``same`` as much
            as makes the output as large as the input (with a stride, size / stride
            rounded up, as in Keras), the odd element last; or how many elements on
            both sides, for all axes or each.
        dilation: Steps from one element of a window to the next, for all axes or each.
        groups: Channels and filters are cut into so many parts, each filter seeing the
            channels of its part alone; as many as there are channels is depthwise.
        padding_mode: What the padding holds: zeros, or elements of the image, as in
            PyTorch.
        algorithm: How it is computed. ``im2col`` copies windows, ``winograd`` (3 × 3
            kernels) and ``fft`` multiply less, ``direct`` adds shifted images, and
            ``depthwise`` lines of them, for one channel a group; ``auto`` goes by
            shapes and dtype, and its choice is written into resolved.yaml.
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
    dilation: Sizes = 1
    groups: Positive = 1
    padding_mode: PaddingMode = "zeros"
    algorithm: Algorithm = "auto"
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
        for name in ("kernel", "stride", "dilation", "padding"):
            self.sizes(name)
        check_groups(self.filters, self.groups)

    def sizes(self, name: str) -> Shape:
        """Return an argument for each axis; nothing where it is a word."""
        value = self.arguments[name]
        return () if isinstance(value, str) else per_axis(value, self.rank, name)

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Make W and b, and settle how they are applied."""
        channels, image = input_shape[0], check_space(input_shape, self.rank)
        kernel, stride, dilation = map(self.sizes, ("kernel", "stride", "dilation"))
        reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
        borders = borders_of(self.padding, image, reach, stride)
        geometry = Geometry(
            channels,
            self.filters,
            image,
            kernel,
            stride,
            dilation,
            borders,
            self.groups,
        )
        geometry.check(self.type_name)
        check_memory((channels, *geometry.padded), self.dtype, "the padded image")
        check_memory((self.filters, *geometry.out), self.dtype, "the output")
        self.widths = borders if self.padding_mode != "zeros" else ()
        self.geometry = geometry.bordered() if self.widths else geometry
        self.choice = settle(self.algorithm, self.geometry)
        weight = (self.filters, geometry.group_channels, *kernel)
        self.add_parameter("weight", weight, self.init or self.default_init, rng)
        if self.bias:
            self.add_parameter("bias", (self.filters,), Zeros(), rng)
        return (self.filters, *geometry.out)

    def __call__(self, x: Tensor) -> Tensor:
        """Continue the image beyond its edges, if so asked, and convolve."""
        if self.padding_mode != "zeros":
            x = apply(EdgePad(self.widths, self.padding_mode), x)
        g, op = self.geometry, ALGORITHMS[self.choice.algorithm]
        function = op(g.stride, g.borders, g.dilation, g.groups)
        return apply(function, x, *self.parameters.values())

    def penalties(self) -> list[Penalty]:
        """Return the penalties that are not zero."""
        return penalties_of(self)

    def settled(self) -> dict[str, Any]:
        return {"algorithm": self.choice.algorithm}

    def remark(self) -> str:
        return f"{self.choice.algorithm} ({self.choice.why})"


def penalties_of(layer: Any) -> list[Penalty]:
    """Return the penalties on W and b that are not zero."""
    penalties = [Penalty(layer.parameters["weight"], layer.l1, layer.l2)]
    if layer.bias:
        bias = layer.parameters["bias"]
        penalties.append(Penalty(bias, layer.bias_l1, layer.bias_l2))
    return [penalty for penalty in penalties if penalty.l1 or penalty.l2]


class Conv1d(Conv, name="conv1d"):
    """Convolution over sequences: (N, C, L) → (N, filters, OL); see ``conv2d``.

    W (filters, C/groups, kernel). Channels come before time, as in PyTorch.
    """

    rank = 1
    examples = ((2, 5),)


class Conv2d(Conv, name="conv2d"):
    """y[k, i, j] = b[k] + Σ x[c, i·stride + a, j·stride + b] · W[k, c, a, b].

    Images (N, C, H, W) → (N, filters, OH, OW), with OH = ⌊(H + padding on both sides −
    dilation·(kernel − 1) − 1) / stride⌋ + 1; W (filters, C/groups, kernel, kernel). The
    cross-correlation that PyTorch and Keras call convolution, channels first as in
    PyTorch. The penalties add l1·Σ|w| + l2·Σw² to the loss, as in Keras (no factor ½).
    A kernel larger than the padded image is an error.

    Source: LeCun et al. 1998.
    """

    rank = 2
    examples = ((2, 4, 5),)


class Conv3d(Conv, name="conv3d"):
    """Convolution over volumes, (N, C, D, H, W) → (N, filters, OD, OH, OW).

    W (filters, C/groups, kernel, kernel, kernel); see ``conv2d``.
    """

    rank = 3
    examples = ((2, 2, 3, 3),)
