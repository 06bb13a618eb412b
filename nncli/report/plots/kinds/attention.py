"""Attention: what each step of a sample looks at."""

from __future__ import annotations

import numpy as np

from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array, xp
from nncli.layers.attention import Attention
from nncli.ops import attention
from nncli.ops.matmul import affine
from nncli.report.plots.base import Kind
from nncli.report.plots.panels import Matrix, Panel
from nncli.report.plots.sequences import sample_of
from nncli.report.plots.subject import Subject

MOST_HEADS = 4


class AttentionWeights(Kind, name="attention", title="Attention over a sample"):
    """Where each step of one sample of text looks, as the last attention layer has it.

    The weights after softmax, of the best checkpoint: how much each step (a row) takes
    from each other one (a column); a row adds up to 1. One matrix a head, of the first
    four.
    """

    place = 11
    seen = "How much each step of a sample looks at each other step."

    def panels(self, subject: Subject) -> list[Panel]:
        """Run one sample and watch the layer."""
        nested = subject.experiment.network.nested.values()
        if not any(isinstance(layer, Attention) for layer in nested):
            return []
        sample = sample_of(subject)
        if sample is None:
            return []
        calls = [call for call in sample.calls if isinstance(call.layer, Attention)]
        if not calls or calls[-1].x.shape[1] < len(sample.names):
            return []
        layer = calls[-1].layer
        if not isinstance(layer, Attention):
            return []
        weights = attention_weights(layer, calls[-1].x)[:MOST_HEADS]
        shown = len(sample.shown)
        return [
            Matrix(
                f"{layer.label}, head {head + 1} of {layer.heads}",
                "step that is looked at",
                "step",
                each[:shown, :shown],
                *sample.beside,
            )
            for head, each in enumerate(weights)
        ]


def attention_weights(layer: Attention, x: Tensor) -> Array:
    """Return the weights (H, T, T) by which a layer adds up the values of one row.

    The op itself gives them: of values that are the rows of the identity, a weighted
    sum is the weights. A head has d of these at a time.

    Args:
        layer: With its parameters.
        x: (1, T, F) what it was given.
    """
    bias = layer.parameters["bias"].data if layer.bias else None
    packed = affine(x.data, layer.parameters["weight"].data, bias)
    steps, kv_heads, size = x.shape[1], layer.kv_heads or layer.heads, layer.size
    heads = packed.reshape(1, steps, -1, size).copy()
    values = heads[:, :, layer.heads + kv_heads :]
    identity = xp.eye(steps, dtype=packed.dtype)
    lengths = () if x.lengths is None else (Tensor(x.lengths),)
    found = []
    for start in range(0, steps, size):
        some = identity[:, start : start + size]
        values[:] = 0
        values[..., : some.shape[1]] = some[None, :, None]
        attend = attention.Attention(
            layer.heads, kv_heads, layer.causal, rotary=layer.rotary
        )
        with no_grad():
            y = apply(attend, Tensor(heads.reshape(packed.shape)), *lengths).data
        by_head = y.reshape(steps, layer.heads, size)[..., : some.shape[1]]
        found.append(by_head.swapaxes(0, 1).copy())
    return np.concatenate(found, axis=-1)
