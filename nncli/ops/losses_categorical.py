"""Losses between K scores or probabilities a row and one class index."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.ops.losses_cases import vary_classes
from nncli.ops.losses_classes import Categorical


class SoftmaxCrossEntropy(Categorical, name="softmax_cross_entropy"):
    """y = −Σ_i f_i·ln softmax(z_i)[t_i] / n, from the logits z and class indices t.

    z (N, K), t (N,) → y (); dL/dz_ik = dL/dy · f_i·(softmax(z_i)_k − [k = t_i]) / n.
    For f and n see Categorical.
    """

    def values(self, z: Array, labels: Array, work: Array) -> Array:
        return self.surprise(z, labels, work)

    def slopes(self, work: Array, scale: float | Array, out: Array) -> None:
        self.surprise_slopes(work, scale, out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences, scores that are far apart."""
        for shape, scale in (((1, 2), 1.0), ((5, 3), 1.0), ((2, 3, 4), 5.0)):
            yield from vary_classes(
                options(cls, rng, shape), rng, rng.normal(0, scale, shape)
            )


class CategoricalCrossEntropy(Categorical, name="categorical_cross_entropy"):
    """y = −Σ_i f_i·ln p_i[t_i] / n, from probabilities p and class indices t.

    p (N, K), t (N,) → y (); dL/dp_ik = −dL/dy · f_i·[k = t_i] / p_ik / n. As in
    PyTorch's binary cross entropy, a logarithm counts at least −100 and p at least
    1e-12. For f and n see Categorical.
    """

    def values(self, z: Array, labels: Array, work: Array) -> Array:
        """Write −ln p[t]."""
        xp.copyto(work, z)
        self.pick(labels)
        xp.log(self.picked, out=self.row)
        xp.maximum(self.row, -100, out=self.row)
        return xp.negative(self.row, out=self.row)

    def slopes(self, work: Array, scale: float | Array, out: Array) -> None:
        """Write −1 / p[t] at the labels, 0 elsewhere."""
        xp.maximum(self.picked, 1e-12, out=self.row)
        xp.divide(scale, self.row, out=self.row)
        out.fill(0)
        self.subtract_at_labels(self.row)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences; class weights and an ignored label."""
        for shape in ((1, 2), (5, 3), (2, 3, 4)):
            yield from vary_classes(
                options(cls, rng, shape), rng, rng.uniform(0.1, 1.0, shape)
            )


class Smoothed(Categorical):
    """Base of cross entropy with a share ε of the target spread over all classes.

    l_i = −(1 − ε)·w_t·ln p_it − ε/K·Σ_k w_k·ln p_ik with class weights w and the label
    t of row i, as in PyTorch's CrossEntropyLoss. For the sum of l_i see Categorical;
    its f_i is the row's own weight here. Szegedy et al. 2016, "Rethinking the
    Inception Architecture for Computer Vision".

    Args:
        label_smoothing: The share ε.
    """

    label_smoothing: float = 0.1

    weighs_inside = True

    def allocate(self, scores: Array, labels: Array, *weights: Array) -> Array:
        """Spread ε over the classes."""
        out = super().allocate(scores, labels, *weights)
        self.sharp = 1 - self.label_smoothing
        self.shares: Array = self.class_weight * (
            self.label_smoothing / len(self.class_weight)
        )
        # As they broadcast over a matrix.
        self.by_class = self.shares[:, None] if self.axis == 0 else self.shares
        return out

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences; class weights and an ignored label."""
        for shape in ((1, 2), (5, 3), (2, 3, 4)):
            weights = drawn_weights(rng, shape)
            functions = [
                cls(),
                cls(0.3, reduction="sum", class_weights=weights),
                cls(0.2, class_weights=weights, ignore_label=1),
                cls(),
            ]
            yield from vary_classes(functions, rng, rng.uniform(0.1, 1.0, shape))


class SmoothedSoftmaxCrossEntropy(Smoothed, name="smoothed_softmax_cross_entropy"):
    """Smoothed cross entropy with p = softmax(z), from the logits z.

    dl/dz_k = p_k·((1 − ε)·w_t + ε/K·Σ_j w_j) − (1 − ε)·w_t·[k = t] − ε/K·w_k; see
    Smoothed.
    """

    def values(self, z: Array, labels: Array, work: Array) -> Array:
        """Write l, with −ln p_k = ln Σ e^(z − m) − (z_k − m)."""
        self.shift(z, labels, work)
        self.weighted_sum(self.shares, work, self.spare)
        self.exponentiate(work)
        xp.subtract(self.row, self.picked, out=self.picked)
        xp.multiply(self.picked, self.label_weight, out=self.picked)
        xp.multiply(self.picked, self.sharp, out=self.picked)
        xp.multiply(self.row, self.shares.sum(), out=self.row)
        xp.add(self.row, self.picked, out=self.row)
        return xp.subtract(self.row, self.spare, out=self.row)

    def slopes(self, work: Array, scale: float | Array, out: Array) -> None:
        """Write the slope of both shares."""
        xp.multiply(self.label_weight, self.sharp, out=self.picked)
        xp.add(self.picked, self.shares.sum(), out=self.row)
        xp.divide(self.row, self.total, out=self.row)
        xp.multiply(work, self.wide_row, out=out)
        xp.subtract(out, self.by_class, out=out)
        self.subtract_at_labels(self.picked)
        xp.multiply(out, self.along(scale), out=out)


class SmoothedCategoricalCrossEntropy(
    Smoothed, name="smoothed_categorical_cross_entropy"
):
    """Smoothed cross entropy from probabilities p.

    dl/dp_k = −((1 − ε)·w_t·[k = t] + ε/K·w_k) / p_k. A logarithm counts at least −100
    and p at least 1e-12; see Smoothed.
    """

    def values(self, z: Array, labels: Array, work: Array) -> Array:
        xp.log(z, out=work)
        xp.maximum(work, -100, out=work)
        self.pick(labels)
        self.weighted_sum(self.shares, work, self.spare)
        xp.multiply(self.picked, self.label_weight, out=self.row)
        xp.multiply(self.row, self.sharp, out=self.row)
        xp.add(self.row, self.spare, out=self.row)
        xp.copyto(work, z)
        return xp.negative(self.row, out=self.row)

    def slopes(self, work: Array, scale: float | Array, out: Array) -> None:
        xp.multiply(self.label_weight, self.sharp, out=self.picked)
        xp.copyto(out, self.by_class)
        xp.negative(out, out=out)
        self.subtract_at_labels(self.picked)
        # Only ever raised to the same bound: a second call finds the same.
        xp.maximum(work, 1e-12, out=work)
        xp.divide(out, work, out=out)
        xp.multiply(out, self.along(scale), out=out)


class SoftmaxFocal(Categorical, name="softmax_focal"):
    """Cross entropy from logits in which what is right already counts little.

    l_i = −(1 − p_i)^γ·ln p_i with p_i = softmax(z_i)[t_i]; see Categorical. With
    s = −ln p and u = 1 − p: dl/ds = u^γ·(1 + γ·p·s/u), where s/u tends to 1, and
    ds/dz_k = p_k − [k = t]. Lin et al. 2017, "Focal Loss for Dense Object Detection";
    class weights are its α.

    Args:
        gamma: The exponent γ of focus; 0 is plain cross entropy.
    """

    gamma: float = 2.0

    def allocate(self, scores: Array, labels: Array, *weights: Array) -> Array:
        """Make room for s, u and dl/ds."""
        self.s, self.u, self.pull = xp.empty((3, labels.size), scores.dtype)
        return super().allocate(scores, labels, *weights)

    def values(self, z: Array, labels: Array, work: Array) -> Array:
        """Write u^γ·s with u = 1 − e^−s."""
        xp.copyto(self.s, self.surprise(z, labels, work))
        xp.negative(self.s, out=self.u)
        xp.expm1(self.u, out=self.u)
        xp.negative(self.u, out=self.u)
        xp.power(self.u, self.gamma, out=self.row)
        return xp.multiply(self.row, self.s, out=self.row)

    def slopes(self, work: Array, scale: float | Array, out: Array) -> None:
        """Write dl/ds·ds/dz."""
        # Where u is 0, so is s: any divisor but 0 will do, since u^γ is 0 or γ is.
        xp.maximum(self.u, xp.finfo(self.u.dtype).tiny, out=self.row)
        xp.divide(self.s, self.row, out=self.pull)
        xp.subtract(1, self.u, out=self.row)
        xp.multiply(self.pull, self.row, out=self.pull)
        xp.multiply(self.pull, self.gamma, out=self.pull)
        xp.add(self.pull, 1, out=self.pull)
        xp.power(self.u, self.gamma, out=self.row)
        xp.multiply(self.pull, self.row, out=self.pull)
        xp.multiply(self.pull, scale, out=self.pull)
        self.surprise_slopes(work, self.pull, out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Exponents on both sides of 1, class weights, an ignored label."""
        for shape in ((1, 2), (5, 3), (2, 3, 4)):
            z, weights = rng.normal(0, 2, shape), drawn_weights(rng, shape)
            summed = cls(0.5, reduction="sum", class_weights=weights)
            yield from vary_classes([cls(), cls(0.0), summed, cls(3.0)], rng, z)
            ignoring = cls(1.0, class_weights=weights, ignore_label=1)
            yield from vary_classes([ignoring], rng, z)


class MultiClassHinge(Categorical, name="multi_class_hinge"):
    """l_i = Σ_{k ≠ t} max(0, m − z_it + z_ik) / K, from scores z and class indices t.

    dl/dz_k = [m − z_t + z_k > 0] / K for k ≠ t; dl/dz_t is minus their sum. PyTorch's
    MultiMarginLoss with p=1. Crammer and Singer 2001 take the largest term alone;
    the sum is from Weston and Watkins 1999.

    Args:
        margin: How far m the right score has to be above the others.
    """

    margin: float = 1.0

    def values(self, z: Array, labels: Array, work: Array) -> Array:
        """Write Σ max(0, m − z_t + z_k) / K: the term of k = t is m, and taken off."""
        xp.copyto(work, z)
        self.pick(labels)
        xp.subtract(work, self.along(self.picked), out=work)
        xp.add(work, self.margin, out=work)
        xp.maximum(work, 0, out=work)
        self.weighted_sum(self.ones, work, self.row)
        xp.subtract(self.row, self.margin, out=self.row)
        return xp.divide(self.row, len(self.ones), out=self.row)

    def slopes(self, work: Array, scale: float | Array, out: Array) -> None:
        """Write [m − z_t + z_k > 0] / K; at the label, minus the others' sum."""
        xp.greater(work, 0, out=out)
        # At the label stands 1 as well: 1 − total is what is wanted there.
        self.weighted_sum(self.ones, out, self.total)
        self.subtract_at_labels(self.total)
        xp.divide(out, len(self.ones), out=out)
        xp.multiply(out, self.along(scale), out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Both sides of several margins."""
        for shape in ((1, 2), (5, 3), (2, 3, 4)):
            summed = cls(2.0, reduction="sum")
            functions = [cls(), cls(0.3), summed, cls(0.5)]
            yield from vary_classes(functions, rng, rng.normal(0, 2, shape))


def options(
    cls: type[Categorical], rng: np.random.Generator, shape: tuple[int, ...]
) -> list[Categorical]:
    """Return a loss in each of its ways to count rows."""
    weights = drawn_weights(rng, shape)
    return [
        cls(),
        cls(reduction="sum", class_weights=weights),
        cls(class_weights=weights, ignore_label=1),
        cls(),
    ]


def drawn_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> list[float]:
    """Draw a factor for each class."""
    weights: list[float] = rng.uniform(0.1, 2.0, shape[-1]).tolist()
    return weights
