"""Activations that are smooth curves, or almost: elu may have a bend at 0."""

from __future__ import annotations

from nncli.autograd.tensor import Tensor, apply
from nncli.core.signature import NonNegative, PositiveFloat
from nncli.layers.base import Layer
from nncli.ops import activations_smooth as smooth
from nncli.ops import gelu

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


class Softsign(Layer, name="softsign"):
    """y = x / (1 + |x|), element by element: like tanh, but slow to saturate.

    Any shape.

    Source: Bergstra et al. 2009, "Quadratic polynomials learn better image features".
    """

    op = smooth.Softsign
    suits = "glorot_uniform"


class Softplus(Layer, name="softplus"):
    """y = ln(1 + e^(beta·x)) / beta, element by element: a smooth ReLU. Any shape.

    y = x where beta·x > threshold, as in PyTorch; at 20 it is 2e-9 / beta too small.

    Source: Dugas et al. 2000, "Incorporating second-order functional knowledge".

    Args:
        beta: The larger, the sharper the bend at 0.
        threshold: Where the straight line begins.
    """

    beta: PositiveFloat = 1.0
    threshold: NonNegative = 20.0

    op = smooth.Softplus
    suits = "he_normal"


class Elu(Layer, name="elu"):
    """y = x where x > 0, else alpha·(e^x − 1), element by element. Any shape.

    Source: Clevert et al. 2016.

    Args:
        alpha: Values do not go below −alpha.
    """

    alpha: PositiveFloat = 1.0

    op = smooth.Elu
    suits = "he_normal"


class Celu(Layer, name="celu"):
    """y = x where x > 0, else alpha·(e^(x/alpha) − 1): an ELU without a bend at 0.

    Element by element; any shape.

    Source: Barron 2017, "Continuously differentiable exponential linear units".

    Args:
        alpha: Values do not go below −alpha.
    """

    alpha: PositiveFloat = 1.0

    suits = "he_normal"

    def __call__(self, x: Tensor) -> Tensor:
        return apply(smooth.Elu(self.alpha, width=self.alpha), x)


class Selu(Layer, name="selu"):
    """y = λ·x where x > 0, else λ·α·(e^x − 1), element by element. Any shape.

    λ = 1.0507009873554805 and α = 1.6732632423543772 keep mean 0 and variance 1 from
    layer to layer, if weights begin with mean 0 and variance 1 / fan_in.

    Source: Klambauer et al. 2017, equation 2 and appendix A1.
    """

    suits = "lecun_normal"

    def __call__(self, x: Tensor) -> Tensor:
        return apply(smooth.Elu(SELU_ALPHA, scale=SELU_SCALE), x)


class Silu(Layer, name="silu"):
    """y = x / (1 + e^−x), element by element; also called swish. Any shape.

    Source: Elfwing et al. 2018; Ramachandran et al. 2017.
    """

    op = smooth.Silu
    suits = "he_normal"


class Mish(Layer, name="mish"):
    """y = x·tanh(ln(1 + e^x)), element by element. Any shape.

    Source: Misra 2019.
    """

    op = smooth.Mish
    suits = "he_normal"


class Gelu(Layer, name="gelu"):
    """y = x·Φ(x) = ½x·(1 + erf(x/√2)), element by element. Any shape.

    The exact one, as PyTorch and Keras have it by default; gelu_tanh is an
    approximation that is 0.0005 away at most.

    Source: Hendrycks and Gimpel 2016.
    """

    op = gelu.Gelu
    suits = "he_normal"


class GeluTanh(Layer, name="gelu_tanh"):
    """y = ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), element by element. Any shape.

    PyTorch's and Keras's GELU with ``approximate``, the one that GPT-2 was trained
    with.

    Source: Hendrycks and Gimpel 2016, section 2.
    """

    op = gelu.GeluTanh
    suits = "he_normal"
