"""Losses between K scores or probabilities a row and one class index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nncli.autograd.function import Case
from nncli.backend import Array, xp
from nncli.ops.losses import Reduction
from nncli.ops.losses_classes import Categorical, vary_classes


class SoftmaxCrossEntropy(Categorical, name="softmax_cross_entropy"):
    """y = −Σ_i f_i·ln softmax(z_i)[t_i] / n, from the logits z and class indices t.

    z (N, K), t (N,) → y (); dL/dz_ik = dL/dy · f_i·(softmax(z_i)_k − [k = t_i]) / n.
    For f and n see Categorical.
    """

    def values(self, z: Array, labels: Array) -> Array:
        """Write ln Σ e^(z − m) − (z[t] − m)."""
        return self.surprise(z, labels)

    def slopes(self, scale: float | Array) -> None:
        """Write softmax(z) − one-hot."""
        self.surprise_slopes(scale)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences, scores that are far apart."""
        for shape, scale in (((1, 2), 1.0), ((5, 3), 1.0), ((2, 3, 4), 5.0)):
            z, weights = rng.normal(0, scale, shape), _weights(rng, shape[-1])
            functions = [cls(), cls("sum", weights), cls("mean", weights, 1), cls()]
            yield from vary_classes(functions, rng, z)


class CategoricalCrossEntropy(Categorical, name="categorical_cross_entropy"):
    """y = −Σ_i f_i·ln p_i[t_i] / n, from probabilities p and class indices t.

    p (N, K), t (N,) → y (); dL/dp_ik = −dL/dy · f_i·[k = t_i] / p_ik / n. As in
    PyTorch's binary cross entropy, a logarithm counts at least −100 and p at least
    1e-12. For f and n see Categorical.
    """

    def values(self, z: Array, labels: Array) -> Array:
        """Write −ln p[t]."""
        xp.copyto(self.work, z)
        self.pick(labels)
        with xp.errstate(divide="ignore"):
            xp.log(self.picked, self.row)
        xp.maximum(self.row, -100, out=self.row)
        return xp.negative(self.row, self.row)

    def slopes(self, scale: float | Array) -> None:
        """Write −1 / p[t] at the labels, 0 elsewhere."""
        xp.maximum(self.picked, 1e-12, out=self.row)
        xp.divide(scale, self.row, out=self.row)
        xp.negative(self.row, self.row)
        self.work.fill(0)
        self.work.reshape(-1).put(self.index, self.row, "clip")

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences; class weights and an ignored label."""
        for shape in ((1, 2), (5, 3), (2, 3, 4)):
            p, weights = rng.uniform(0.1, 1.0, shape), _weights(rng, shape[-1])
            functions = [cls(), cls("sum", weights), cls("mean", weights, 1), cls()]
            yield from vary_classes(functions, rng, p)


class Smoothed(Categorical):
    """Base of cross entropy with a share ε of the target spread over all classes.

    l_i = −(1 − ε)·w_t·ln p_it − ε/K·Σ_k w_k·ln p_ik with class weights w and the label
    t of row i, as in PyTorch's CrossEntropyLoss. Szegedy et al. 2016, "Rethinking the
    Inception Architecture for Computer Vision".

    Args:
        label_smoothing: The share ε.
        reduction: See Categorical.
        class_weights: See Categorical.
        ignore_label: See Categorical.
    """

    weighs_inside = True

    def __init__(
        self,
        label_smoothing: float = 0.1,
        reduction: Reduction = "mean",
        class_weights: Sequence[float] | None = None,
        ignore_label: int | None = None,
    ) -> None:
        self.label_smoothing = label_smoothing
        super().__init__(reduction, class_weights, ignore_label)

    def allocate(self, scores: Array, labels: Array, *weights: Array) -> Array:
        """Spread ε over the classes."""
        out = super().allocate(scores, labels, *weights)
        self.kept = 1 - self.label_smoothing
        self.shares: Array = self.class_weight * (self.label_smoothing / len(self.ones))
        return out

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences; class weights and an ignored label."""
        for shape in ((1, 2), (5, 3), (2, 3, 4)):
            p, weights = rng.uniform(0.1, 1.0, shape), _weights(rng, shape[-1])
            sums, means = cls(0.3, "sum", weights), cls(0.2, "mean", weights, 1)
            yield from vary_classes([cls(), sums, means, cls()], rng, p)


class SmoothedSoftmaxCrossEntropy(Smoothed, name="smoothed_softmax_cross_entropy"):
    """Smoothed cross entropy with p = softmax(z), from the logits z.

    dl/dz_k = p_k·((1 − ε)·w_t + ε/K·Σ_j w_j) − (1 − ε)·w_t·[k = t] − ε/K·w_k; see
    Smoothed.
    """

    def values(self, z: Array, labels: Array) -> Array:
        """Write l, with −ln p_k = ln Σ e^(z − m) − (z_k − m)."""
        self.surprise(z, labels)
        xp.add(self.row, self.picked, self.picked)
        xp.multiply(self.picked, self.shares.sum(), out=self.picked)
        xp.dot(self.shares, self.work, self.spare)
        xp.subtract(self.picked, self.spare, self.picked)
        xp.multiply(self.row, self.label_weight, self.row)
        xp.multiply(self.row, self.kept, out=self.row)
        return xp.add(self.row, self.picked, self.row)

    def slopes(self, scale: float | Array) -> None:
        """Write the slope of both shares."""
        xp.multiply(self.label_weight, self.kept, out=self.spare)
        xp.add(self.spare, self.shares.sum(), out=self.row)
        xp.divide(self.row, self.total, self.row)
        xp.multiply(self.work2, self.row, self.work)
        xp.subtract(self.work, self.shares[:, None], self.work)
        self.subtract_at_labels(self.spare)
        xp.multiply(self.work, scale, out=self.work)


class SmoothedCategoricalCrossEntropy(
    Smoothed, name="smoothed_categorical_cross_entropy"
):
    """Smoothed cross entropy from probabilities p.

    dl/dp_k = −((1 − ε)·w_t·[k = t] + ε/K·w_k) / p_k. A logarithm counts at least −100
    and p at least 1e-12; see Smoothed.
    """

    def values(self, z: Array, labels: Array) -> Array:
        """Write l."""
        self.probabilities = z
        with xp.errstate(divide="ignore"):
            xp.log(z, self.work)
        xp.maximum(self.work, -100, out=self.work)
        self.pick(labels)
        xp.dot(self.shares, self.work, self.spare)
        xp.multiply(self.picked, self.label_weight, self.row)
        xp.multiply(self.row, self.kept, out=self.row)
        xp.add(self.row, self.spare, self.row)
        return xp.negative(self.row, self.row)

    def slopes(self, scale: float | Array) -> None:
        """Write −((1 − ε)·w_t·[k = t] + ε/K·w_k) / p_k."""
        xp.multiply(self.label_weight, self.kept, out=self.spare)
        xp.copyto(self.work, -self.shares[:, None])
        self.subtract_at_labels(self.spare)
        xp.maximum(self.probabilities, 1e-12, out=self.work2)
        xp.divide(self.work, self.work2, self.work)
        xp.multiply(self.work, scale, out=self.work)


class SoftmaxFocal(Categorical, name="softmax_focal"):
    """Cross entropy from logits in which what is right already counts little.

    l_i = −(1 − p_i)^γ·ln p_i with p_i = softmax(z_i)[t_i]. With s = −ln p and
    u = 1 − p: dl/ds = u^γ·(1 + γ·p·s/u), where s/u tends to 1, and ds/dz as for cross
    entropy. Lin et al. 2017, "Focal Loss for Dense Object Detection"; class weights
    are its α.

    Args:
        gamma: The exponent γ of focus; 0 is plain cross entropy.
        reduction: See Categorical.
        class_weights: See Categorical.
        ignore_label: See Categorical.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        reduction: Reduction = "mean",
        class_weights: Sequence[float] | None = None,
        ignore_label: int | None = None,
    ) -> None:
        self.gamma = gamma
        super().__init__(reduction, class_weights, ignore_label)

    def allocate(self, scores: Array, labels: Array, *weights: Array) -> Array:
        """Make room for s, u and dl/ds."""
        self.s, self.u, self.pull = xp.empty((3, labels.size), scores.dtype)
        return super().allocate(scores, labels, *weights)

    def values(self, z: Array, labels: Array) -> Array:
        """Write u^γ·s with u = 1 − e^−s."""
        xp.copyto(self.s, self.surprise(z, labels))
        xp.negative(self.s, self.u)
        xp.expm1(self.u, self.u)
        xp.negative(self.u, self.u)
        xp.power(self.u, self.gamma, out=self.row)
        return xp.multiply(self.row, self.s, self.row)

    def slopes(self, scale: float | Array) -> None:
        """Write dl/ds·ds/dz."""
        # Where u is 0, so is s: any divisor but 0 will do, since u^γ is 0 or γ is.
        xp.maximum(self.u, xp.finfo(self.u.dtype).tiny, out=self.row)
        xp.divide(self.s, self.row, self.pull)
        xp.subtract(1, self.u, out=self.row)
        xp.multiply(self.pull, self.row, self.pull)
        xp.multiply(self.pull, self.gamma, out=self.pull)
        xp.add(self.pull, 1, out=self.pull)
        xp.power(self.u, self.gamma, out=self.row)
        xp.multiply(self.pull, self.row, self.pull)
        xp.multiply(self.pull, scale, out=self.pull)
        self.surprise_slopes(self.pull)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Exponents on both sides of 1, class weights, an ignored label."""
        for shape in ((1, 2), (5, 3), (2, 3, 4)):
            z, weights = rng.normal(0, 2, shape), _weights(rng, shape[-1])
            functions = [cls(), cls(0.0), cls(0.5, "sum", weights), cls(3.0)]
            yield from vary_classes(functions, rng, z)
            yield from vary_classes([cls(1.0, "mean", weights, 1)], rng, z)


class MultiClassHinge(Categorical, name="multi_class_hinge"):
    """l_i = Σ_{k ≠ t} max(0, m − z_it + z_ik) / K, from scores z and class indices t.

    dl/dz_k = [m − z_t + z_k > 0] / K for k ≠ t; dl/dz_t is minus their sum. PyTorch's
    MultiMarginLoss with p=1. Crammer and Singer 2001 take the largest term alone;
    the sum is from Weston and Watkins 1999.

    Args:
        margin: How far m the right score has to be above the others.
        reduction: See Categorical.
    """

    def __init__(self, margin: float = 1.0, reduction: Reduction = "mean") -> None:
        self.margin = margin
        super().__init__(reduction)

    def values(self, z: Array, labels: Array) -> Array:
        """Write Σ max(0, m − z_t + z_k) / K: the term of k = t is m, and taken off."""
        xp.copyto(self.work, z)
        self.pick(labels)
        xp.subtract(self.work, self.picked, self.work)
        xp.add(self.work, self.margin, out=self.work2)
        xp.maximum(self.work2, 0, out=self.work2)
        xp.dot(self.ones, self.work2, self.row)
        xp.subtract(self.row, self.margin, out=self.row)
        return xp.divide(self.row, len(self.ones), out=self.row)

    def slopes(self, scale: float | Array) -> None:
        """Write [m − z_t + z_k > 0] / K; at the label, minus the others' sum."""
        xp.greater(self.work2, 0, out=self.work)
        # At the label stands 1 as well: 1 − total is what is wanted there.
        xp.dot(self.ones, self.work, self.total)
        self.subtract_at_labels(self.total)
        xp.divide(self.work, len(self.ones), out=self.work)
        xp.multiply(self.work, scale, out=self.work)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Both sides of several margins."""
        for shape in ((1, 2), (5, 3), (2, 3, 4)):
            functions = [cls(), cls(0.3), cls(2.0, "sum"), cls(0.5)]
            yield from vary_classes(functions, rng, rng.normal(0, 2, shape))


def _weights(rng: np.random.Generator, classes: int) -> list[float]:
    weights: list[float] = rng.uniform(0.1, 2.0, classes).tolist()
    return weights
