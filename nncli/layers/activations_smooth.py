"""Activations that are smooth curves, or almost: elu may have a bend at 0."""

from __future__ import annotations

from nncli.autograd.tensor import Tensor, apply
from nncli.layers.base import Layer
from nncli.ops import activations_smooth as smooth
from nncli.ops import gelu
from nncli.signature import NonNegative, PositiveFloat

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


class Softsign(Layer, name="softsign"):
    """y = x / (1 + |x|), element by element: like tanh, but slow to saturate.

    Any shape.

    Source: Bergstra et al. 2009, "Quadratic polynomials learn better image features".
    """

    suits = "glorot_uniform"

    def __call__(self, x: Tensor) -> Tensor:
        """Return x / (1 + |x|)."""
        return apply(smooth.Softsign(), x)


class Softplus(Layer, name="softplus"):
    """y = ln(1 + e^(beta·x)) / beta, element by element: a smooth ReLU. Any shape.

    y = x where beta·x > threshold, as in PyTorch; at 20 it is 2e-9 / beta too small.

    Source: Dugas et al. 2000, "Incorporating second-order functional knowledge".

    Args:
        beta: The larger, the sharper the bend at 0.
        threshold: Where the straight line begins.
    """

    suits = "he_normal"

    def __init__(
        self, beta: PositiveFloat = 1.0, threshold: NonNegative = 20.0
    ) -> None:
        self.beta = beta
        self.threshold = threshold

    def __call__(self, x: Tensor) -> Tensor:
        """Return ln(1 + e^(beta·x)) / beta, or x."""
        return apply(smooth.Softplus(self.beta, self.threshold), x)


class Elu(Layer, name="elu"):
    """y = x where x > 0, else alpha·(e^x − 1), element by element. Any shape.

    Source: Clevert et al. 2016.

    Args:
        alpha: Values do not go below −alpha.
    """

    suits = "he_normal"

    def __init__(self, alpha: PositiveFloat = 1.0) -> None:
        self.alpha = alpha

    def __call__(self, x: Tensor) -> Tensor:
        """Return x or alpha·(e^x − 1)."""
        return apply(smooth.Elu(self.alpha), x)


class Celu(Layer, name="celu"):
    """y = x where x > 0, else alpha·(e^(x/alpha) − 1): an ELU without a bend at 0.

    Element by element; any shape.

    Source: Barron 2017, "Continuously differentiable exponential linear units".

    Args:
        alpha: Values do not go below −alpha.
    """

    suits = "he_normal"

    def __init__(self, alpha: PositiveFloat = 1.0) -> None:
        self.alpha = alpha

    def __call__(self, x: Tensor) -> Tensor:
        """Return x or alpha·(e^(x/alpha) − 1)."""
        return apply(smooth.Elu(self.alpha, width=self.alpha), x)


class Selu(Layer, name="selu"):
    """y = λ·x where x > 0, else λ·α·(e^x − 1), element by element. Any shape.

    λ = 1.0507009873554805 and α = 1.6732632423543772 keep mean 0 and variance 1 from
    layer to layer, if weights begin with mean 0 and variance 1 / fan_in.

    Source: Klambauer et al. 2017, equation 2 and appendix A1.
    """

    suits = "lecun_normal"

    def __call__(self, x: Tensor) -> Tensor:
        """Return λ times the ELU with this α."""
        return apply(smooth.Elu(SELU_ALPHA, scale=SELU_SCALE), x)


class Silu(Layer, name="silu"):
    """y = x / (1 + e^−x), element by element; also called swish. Any shape.

    Source: Elfwing et al. 2018; Ramachandran et al. 2017.
    """

    suits = "he_normal"

    def __call__(self, x: Tensor) -> Tensor:
        """Return x times the sigmoid of x."""
        return apply(smooth.Silu(), x)


class Mish(Layer, name="mish"):
    """y = x·tanh(ln(1 + e^x)), element by element. Any shape.

    Source: Misra 2019.
    """

    suits = "he_normal"

    def __call__(self, x: Tensor) -> Tensor:
        """Return x times tanh of the softplus of x."""
        return apply(smooth.Mish(), x)


class Gelu(Layer, name="gelu"):
    """y = x·Φ(x) = ½x·(1 + erf(x/√2)), element by element. Any shape.

    The exact one, as PyTorch and Keras have it by default; gelu_tanh is an
    approximation that is 0.0005 away at most, and faster.

    Source: Hendrycks and Gimpel 2016.
    """

    suits = "he_normal"

    def __call__(self, x: Tensor) -> Tensor:
        """Return x·Φ(x)."""
        return apply(gelu.Gelu(), x)


class GeluTanh(Layer, name="gelu_tanh"):
    """y = ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), element by element. Any shape.

    PyTorch's and Keras's GELU with ``approximate``, the one that GPT-2 was trained
    with.

    Source: Hendrycks and Gimpel 2016, section 2.
    """

    suits = "he_normal"

    def __call__(self, x: Tensor) -> Tensor:
        """Return the approximation of x·Φ(x)."""
        return apply(gelu.GeluTanh(), x)
