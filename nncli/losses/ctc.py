"""CTC: the loss of sequences of labels whose places in time are not known."""

from __future__ import annotations

import numpy as np

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.signature import Count
from nncli.losses.base import Loss, Targets
from nncli.ops import ctc
from nncli.ops.softmax import Softmax


class Ctc(Loss, name="ctc", kw_only=True):
    """−ln p(labels) of each row over its number of labels, from logits (N, T, K).

    p adds up every way to stretch the labels (N, S) over the row's steps, with blanks
    between: equal neighbours are one label, blanks are none. Outputs with lengths end
    there; labels end at their lengths, and before the first blank: blanks pad. The
    mean is over rows. PyTorch's CTCLoss, with log-softmax inside. Source: Graves et al.
    2006.

    Args:
        blank: The class that stands for no label.
        zero_infinity: Rows with more labels than their steps can hold count nothing;
            else their loss is infinite.
    """

    blank: Count = 0
    zero_infinity: bool = False

    op = ctc.Ctc
    takes = "logits"
    aligned = False

    def __call__(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        given = () if weights is None else (weights,)
        ends = (_lengths(outputs), _lengths(targets))
        return apply(self.function(), outputs, targets, *ends, *given)

    def encode(self, targets: Targets) -> Array:
        """Return labels, where the blank stands at the end of rows only."""
        values, shape = targets.values, targets.output_shape
        if targets.classes is None or values.ndim != 2:
            raise ArgumentError(
                "ctc expects sequences of classes as targets, (N, S), got "
                f"{'numbers' if targets.classes is None else f'shape {values.shape}'}."
            )
        count = max(len(targets.classes), self.blank + 1)
        if len(shape) != 2 or shape[1] < count:
            raise ShapeError(
                f"ctc expects outputs (T, K) with K of at least {count}, for "
                f"{len(targets.classes)} classes and the blank {self.blank}; the "
                f"network gives {shape}. Set units: {count} in the last layer."
            )
        labels = values.astype(np.int64)
        padding = np.logical_or.accumulate(labels == self.blank, axis=1)
        if (padding & (labels != self.blank)).any():
            raise ArgumentError(
                f"ctc expects blanks ({self.blank}) only at the end of rows, as "
                f"padding; got one between labels. Set blank: {len(targets.classes)} "
                "and one more unit in the last layer, if it is a class."
            )
        repeated = (labels[:, 1:] == labels[:, :-1]) & ~padding[:, 1:]
        needed = (~padding).sum(axis=1) + repeated.sum(axis=1)
        longest = int(needed.max(initial=0))
        if longest > shape[0] and not self.zero_infinity:
            raise ArgumentError(
                f"ctc expects outputs of at least {longest} steps, which row "
                f"{int(needed.argmax())} needs for its labels; the network gives "
                f"{int(shape[0])}. Set zero_infinity: true to leave such rows out."
            )
        return labels

    def names_classes(self, targets: Array) -> bool:
        return targets.dtype.kind not in "f"

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return probabilities of classes at each step."""
        return apply(Softmax(), outputs)


def _lengths(tensor: Tensor) -> Tensor:
    """Return how many steps of each row count."""
    if tensor.lengths is not None:
        return Tensor(tensor.lengths)
    every = np.full(len(tensor), tensor.shape[1])
    every.flags.writeable = False
    return Tensor(every)
