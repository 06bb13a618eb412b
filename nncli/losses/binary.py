"""Losses between scores or probabilities and yes or no."""

from __future__ import annotations

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array
from nncli.core.errors import ShapeError
from nncli.core.signature import NonNegative, PositiveFloat, UnitInterval
from nncli.losses.base import Targets, zeros_to_ones
from nncli.losses.by_class import ByClass
from nncli.ops import losses_binary
from nncli.ops.elementwise import Sigmoid


class Binary(ByClass, kw_only=True):
    """Base of losses of targets between 0 and 1, in the outputs' shape.

    Two classes with one output (0 and 1), or K classes with K outputs (one against
    the rest).
    """

    def encode(self, targets: Targets) -> Array:
        """Return numbers from 0 to 1 in the outputs' shape."""
        rows = zeros_to_ones(targets, self.type_name)
        self.check_rows(rows)
        return rows

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return probabilities."""
        if self.takes == "probability":
            return outputs
        return apply(Sigmoid(), outputs)


class SigmoidBinaryCrossEntropy(Binary, name="sigmoid_binary_cross_entropy"):
    """−Σ [w·t·ln σ(z) + (1 − t)·ln(1 − σ(z))] / n, from logits z, over all n elements.

    Two classes with one output (0 and 1), or K classes with K outputs (one against
    the rest). PyTorch's ``binary_cross_entropy_with_logits``.

    Args:
        label_smoothing: The share s of ½ in the targets: t·(1 − s) + s/2, as in Keras.
        positive_weight: The factor w of the yeses; PyTorch's ``pos_weight``.
    """

    label_smoothing: UnitInterval = 0.0
    positive_weight: PositiveFloat = 1.0

    op = losses_binary.SigmoidBinaryCrossEntropy
    takes = "logits"


class BinaryCrossEntropy(Binary, name="binary_cross_entropy"):
    """−Σ [w·t·ln p + (1 − t)·ln(1 − p)] / n, from probabilities p, over n elements.

    As in PyTorch, a logarithm counts at least −100. After a sigmoid as the last layer
    both are fused into sigmoid_binary_cross_entropy.

    Args:
        label_smoothing: The share s of ½ in the targets: t·(1 − s) + s/2, as in Keras.
        positive_weight: The factor w of the yeses; PyTorch's ``pos_weight``.
    """

    label_smoothing: UnitInterval = 0.0
    positive_weight: PositiveFloat = 1.0

    op = losses_binary.BinaryCrossEntropy
    takes = "probability"
    fusion = ("sigmoid", "sigmoid_binary_cross_entropy")


class SigmoidFocal(Binary, name="sigmoid_focal"):
    """−Σ [α·t·(1 − p)^γ·ln p + (1 − α)·(1 − t)·p^γ·ln(1 − p)] / n with p = σ(z).

    From logits z: binary cross entropy in which what is right already counts little,
    for classes that are rare. Lin et al. 2017, "Focal Loss for Dense Object
    Detection".

    Args:
        alpha: Factor α of the yeses, 1 − α of the noes; null for none.
        gamma: The exponent γ of focus; 0 is plain cross entropy.
    """

    alpha: UnitInterval | None = 0.25
    gamma: NonNegative = 2.0

    op = losses_binary.SigmoidFocal
    takes = "logits"


class Hinge(Binary, name="hinge"):
    """Σ max(0, margin − y·x) / n, from scores x (N, 1), y = −1 and 1 for two classes.

    Cortes and Vapnik 1995, "Support-vector networks"; Keras's ``hinge``. Predictions
    are σ(x): above ½ where the score is above 0, but no true probability.

    Args:
        margin: How far on its side a score has to be.
    """

    margin: PositiveFloat = 1.0

    op = losses_binary.Hinge
    takes = "logits"

    def encode(self, targets: Targets) -> Array:
        """Return zeros and ones in a column."""
        classes, shape = targets.classes, targets.output_shape
        if shape != (1,) or (classes is not None and len(classes) != 2):
            found = "numbers" if classes is None else f"{len(classes)} classes"
            raise ShapeError(
                f"hinge expects two classes and one output; got {found} and outputs "
                f"of shape {shape}. Set units: 1 in the last layer, or use "
                "multi_class_hinge with one output a class."
            )
        return super().encode(targets)
