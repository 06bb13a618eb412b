"""Losses as PyTorch has them, or as their formula is written there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from nncli.autograd.function import Function
from nncli.core.arrays import Array, Shape
from nncli.ops import losses_binary, losses_categorical, losses_regression
from nncli.ops import losses_vector as vector

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
functional = torch.nn.functional

Oracle = Callable[..., Any]
NONE_IGNORED = -100


def _by_element(loss: Callable[[Any, Any, Any], Any]) -> Oracle:
    """Reduce the losses that ``loss`` gives, one a row or one an element."""

    def oracle(f: Any, x: Any, t: Any, weights: Any = None) -> Any:
        values = loss(f, x, t)
        given = getattr(f, "class_weights", None)
        if given is not None:
            w = torch.tensor(given, dtype=t.dtype)
            one = t.shape[-1] == 1 and len(given) == 2
            factor = (w[0] * (1 - t) + w[1] * t)[:, 0] if one else t @ w
            values = values * factor.reshape(-1, *[1] * (values.ndim - 1))
        if weights is not None:
            values = values * weights.reshape(-1, *[1] * (values.ndim - 1))
        return values.sum() if f.reduction == "sum" else values.mean()

    return oracle


def _smoothed(f: Any, t: Any) -> Any:
    return t * (1 - f.label_smoothing) + f.label_smoothing / 2


def _sigmoid_binary_cross_entropy(f: Any, z: Any, t: Any) -> Any:
    factor = torch.tensor(f.positive_weight, dtype=z.dtype)
    return functional.binary_cross_entropy_with_logits(
        z, _smoothed(f, t), pos_weight=factor, reduction="none"
    )


def _binary_cross_entropy(f: Any, p: Any, t: Any) -> Any:
    t = _smoothed(f, t)
    if f.positive_weight == 1:
        return functional.binary_cross_entropy(p, t, reduction="none")
    yes = f.positive_weight * t * torch.log(p).clamp(min=-100)
    return -yes - (1 - t) * torch.log1p(-p).clamp(min=-100)


def _sigmoid_focal(f: Any, z: Any, t: Any) -> Any:
    yes, no = (1.0, 1.0) if f.alpha is None else (f.alpha, 1 - f.alpha)
    p, q = torch.sigmoid(z), torch.sigmoid(-z)
    right = yes * t * q**f.gamma * functional.logsigmoid(z)
    return -right - no * (1 - t) * p**f.gamma * functional.logsigmoid(-z)


def _poisson(log_input: bool, f: Any, x: Any, t: Any) -> Any:
    return functional.poisson_nll_loss(
        x, t, log_input=log_input, full=False, eps=1e-8, reduction="none"
    )


def _divergence(log_p: Any, t: Any) -> Any:
    return functional.kl_div(log_p, t, reduction="none").sum(-1)


def _rows(loss: Callable[..., Any]) -> Oracle:
    """Reduce losses of rows: ``loss(f, scores, labels, class weights, ignored)``."""

    def oracle(f: Any, scores: Any, labels: Any, weights: Any = None) -> Any:
        if getattr(f, "by_length", False):
            # Of the rows' steps, those that count; none of these calls has weights.
            within = torch.arange(labels.shape[1]) < weights[:, None]
            scores, labels, weights = scores[within], labels[within], None
        z, t = scores.reshape(-1, scores.shape[-1]), labels.reshape(-1).long()
        given = getattr(f, "class_weights", None)
        w = None if given is None else torch.tensor(given, dtype=z.dtype)
        ignored = getattr(f, "ignore_label", None)
        ignored = NONE_IGNORED if ignored is None else ignored
        if (t == ignored).all():
            return (scores * 0.0).sum()  # Where PyTorch gives NaN, we give 0.
        if weights is None:
            return loss(f, z, t, w, ignored, f.reduction)
        values = loss(f, z, t, w, ignored, "none").reshape(labels.shape)
        values = values * weights.reshape(-1, *[1] * (labels.ndim - 1))
        if loss is _multi_margin:
            w = None  # Its mean is over the rows.
        return values.sum() / _divisor(f.reduction, t, w, ignored)

    return oracle


def _divisor(reduction: str, t: Any, w: Any, ignored: int) -> Any:
    if reduction == "sum":
        return 1
    counts = (t != ignored).double()
    return (counts if w is None else counts * w[t]).sum()


def _reduced(values: Any, reduction: str, t: Any, w: Any, ignored: int) -> Any:
    if reduction == "none":
        return values
    return values.sum() / _divisor(reduction, t, w, ignored)


def _cross_entropy(f: Any, z: Any, t: Any, w: Any, ignored: int, kind: str) -> Any:
    smoothing = getattr(f, "label_smoothing", 0.0)
    return functional.cross_entropy(
        z, t, w, ignore_index=ignored, label_smoothing=smoothing, reduction=kind
    )


def _nll(f: Any, p: Any, t: Any, w: Any, ignored: int, kind: str) -> Any:
    log_p = torch.log(p).clamp(min=-100)
    smoothing = getattr(f, "label_smoothing", 0.0)
    if not smoothing:
        return functional.nll_loss(log_p, t, w, ignore_index=ignored, reduction=kind)
    right = functional.nll_loss(log_p, t, w, ignore_index=ignored, reduction="none")
    spread = -(log_p if w is None else log_p * w).mean(-1) * (t != ignored)
    values = (1 - smoothing) * right + smoothing * spread
    return _reduced(values, kind, t, w, ignored)


def _softmax_focal(f: Any, z: Any, t: Any, w: Any, ignored: int, kind: str) -> Any:
    s = functional.cross_entropy(z, t, reduction="none")
    values = (1 - torch.exp(-s)) ** f.gamma * s * (t != ignored)
    return _reduced(values if w is None else values * w[t], kind, t, w, ignored)


def _multi_margin(f: Any, z: Any, t: Any, w: Any, ignored: int, kind: str) -> Any:
    return functional.multi_margin_loss(z, t, margin=f.margin, weight=w, reduction=kind)


# Called with our Function or our Loss, for its arguments, and PyTorch's tensors.
TORCH: dict[str, Oracle] = {
    "mse": _by_element(lambda f, x, t: functional.mse_loss(x, t, reduction="none")),
    "mae": _by_element(lambda f, x, t: functional.l1_loss(x, t, reduction="none")),
    "huber": _by_element(
        lambda f, x, t: functional.huber_loss(x, t, delta=f.delta, reduction="none")
    ),
    "smooth_l1": _by_element(
        lambda f, x, t: functional.smooth_l1_loss(x, t, beta=f.beta, reduction="none")
    ),
    "log_cosh": _by_element(
        lambda f, x, t: torch.logaddexp(x - t, t - x) - float(np.log(2))
    ),
    "poisson": _by_element(partial(_poisson, False)),
    "log_poisson": _by_element(partial(_poisson, True)),
    "cosine": _by_element(
        lambda f, x, t: 1 - functional.cosine_similarity(x, t, dim=-1, eps=1e-8)
    ),
    "kl_divergence": _by_element(
        lambda f, p, t: _divergence(torch.log(p).clamp(min=-100), t)
    ),
    "softmax_kl_divergence": _by_element(
        lambda f, z, t: _divergence(torch.log_softmax(z, -1), t)
    ),
    "sigmoid_binary_cross_entropy": _by_element(_sigmoid_binary_cross_entropy),
    "binary_cross_entropy": _by_element(_binary_cross_entropy),
    "sigmoid_focal": _by_element(_sigmoid_focal),
    "hinge": _by_element(
        lambda f, x, t: functional.relu(f.margin - (2 * t - 1) * x),
    ),
    "softmax_cross_entropy": _rows(_cross_entropy),
    "smoothed_softmax_cross_entropy": _rows(_cross_entropy),
    "categorical_cross_entropy": _rows(_nll),
    "smoothed_categorical_cross_entropy": _rows(_nll),
    "softmax_focal": _rows(_softmax_focal),
    "multi_class_hinge": _rows(_multi_margin),
}
"""The losses, called with ours, for its arguments, and tensors."""


def ctc(f: Any, z: Any, labels: Any, steps: Any = None, sizes: Any = None) -> Any:
    """Return PyTorch's CTC loss of logits (N, T, K) and padded labels."""
    if steps is None:
        steps = torch.full(z.shape[:1], z.shape[1])
    if sizes is None:
        sizes = (labels != f.blank).sum(1)
    logs = z.log_softmax(-1).transpose(0, 1)
    return functional.ctc_loss(
        logs, labels, steps, sizes, f.blank, f.reduction, f.zero_infinity
    )


SHAPES: tuple[Shape, ...] = ((1, 1), (1, 3), (7, 1), (33, 11), (2, 3, 5))


def cases() -> Iterator[tuple[str, Callable[[], Function], tuple[Array, ...]]]:
    """Yield name, how to make the Function, and its inputs."""
    rng = np.random.default_rng(8)
    for shape in SHAPES:
        for name, make, (outputs, targets) in _calls(rng, shape):
            weights = rng.uniform(0, 2, shape[0])
            yield name, make, (outputs, targets)
            yield name, make, (outputs, targets, weights)


def _calls(
    rng: np.random.Generator, shape: Shape
) -> Iterator[tuple[str, Callable[[], Function], tuple[Array, Array]]]:
    x, t = rng.normal(0, 2, (2, *shape))
    for kind in ("mean", "sum"):
        for cls in (losses_regression.LogCosh, losses_regression.MeanAbsoluteError):
            yield cls.type_name, partial(cls, reduction=kind), (x, t)
        yield "huber", partial(losses_regression.Huber, 0.7, reduction=kind), (x, t)
        yield (
            "smooth_l1",
            partial(losses_regression.SmoothL1, 0.7, reduction=kind),
            (x, t),
        )
        yield "cosine", partial(vector.Cosine, reduction=kind), (x, t)
        counts = rng.poisson(2, shape).astype(float)
        yield (
            "log_poisson",
            partial(losses_regression.LogPoisson, reduction=kind),
            (x, counts),
        )
        rates = rng.uniform(1e-3, 5, shape)
        yield (
            "poisson",
            partial(losses_regression.Poisson, reduction=kind),
            (rates, counts),
        )
        p, soft = rng.dirichlet(np.ones(shape[-1]), (2, *shape[:-1])) + 1e-6
        yield "kl_divergence", partial(vector.KLDivergence, reduction=kind), (p, soft)
        kl = vector.SoftmaxKLDivergence
        yield "softmax_kl_divergence", partial(kl, reduction=kind), (x, soft)
        yield from _binary(rng, shape, kind)
        yield from _categorical(rng, shape, kind)


def _binary(
    rng: np.random.Generator, shape: Shape, kind: Any
) -> Iterator[tuple[str, Callable[[], Function], tuple[Array, Array]]]:
    z, p = rng.normal(0, 6, shape), rng.uniform(1e-6, 1 - 1e-6, shape)
    hard = rng.integers(0, 2, shape).astype(float)
    for t in (hard, rng.uniform(size=shape)):
        for smoothing, weight in ((0.0, 1.0), (0.1, 1.0), (0.3, 4.0)):
            options = (smoothing, weight)
            cls = losses_binary.SigmoidBinaryCrossEntropy
            yield cls.type_name, partial(cls, *options, reduction=kind), (z, t)
            other = losses_binary.BinaryCrossEntropy
            yield other.type_name, partial(other, *options, reduction=kind), (p, t)
        for alpha, gamma in ((0.25, 2.0), (None, 0.0), (0.9, 0.5)):
            focal = partial(losses_binary.SigmoidFocal, alpha, gamma, reduction=kind)
            yield "sigmoid_focal", focal, (z, t)
    for margin in (1.0, 0.2):
        yield "hinge", partial(losses_binary.Hinge, margin, reduction=kind), (z, hard)


def _categorical(
    rng: np.random.Generator, shape: Shape, kind: Any
) -> Iterator[tuple[str, Callable[[], Function], tuple[Array, Array]]]:
    ops, classes = losses_categorical, shape[-1]
    z = rng.normal(0, 4, shape)
    p = rng.dirichlet(np.ones(classes), shape[:-1]) + 1e-9
    labels = rng.integers(0, classes, shape[:-1])
    labels.flat[0] = 0
    weights = rng.uniform(0.1, 3, classes).tolist()
    for w, ignored in ((None, None), (weights, None), (weights, classes - 1)):
        if classes == 1 and ignored is not None:
            continue  # All rows ignored: PyTorch gives NaN.
        rest = {"reduction": kind, "class_weights": w, "ignore_label": ignored}
        yield (
            "softmax_cross_entropy",
            partial(ops.SoftmaxCrossEntropy, **rest),
            (
                z,
                labels,
            ),
        )
        cce = ops.CategoricalCrossEntropy
        yield cce.type_name, partial(cce, **rest), (p, labels)
        smoothed = ops.SmoothedSoftmaxCrossEntropy
        yield smoothed.type_name, partial(smoothed, 0.2, **rest), (z, labels)
        other = ops.SmoothedCategoricalCrossEntropy
        yield other.type_name, partial(other, 0.2, **rest), (p, labels)
        for gamma in (2.0, 0.0, 0.7):
            # Of one class, u = 0, where PyTorch's slope of u^0.7 is infinite.
            if classes > 1:
                focal = partial(ops.SoftmaxFocal, gamma, **rest)
                yield "softmax_focal", focal, (z, labels)
    for margin in (1.0, 3.0):
        hinge = partial(ops.MultiClassHinge, margin, reduction=kind)
        yield "multi_class_hinge", hinge, (z, labels)
