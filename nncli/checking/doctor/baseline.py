"""Baseline: what a loss is for outputs that are not a network's."""

from __future__ import annotations

import math

from numpy.random import Generator

from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, Shape, xp
from nncli.data.batches import Batch
from nncli.losses.base import Loss
from nncli.optimizers.adam import Adam

STEPS, RATE = 200, 0.1
"""Steps of Adam: the best constant of a loss of scores is a few units away."""


def constant_loss(loss: Loss, batch: Batch, outputs: Array) -> float:
    """Return the least loss of outputs that are the same for every row.

    For classes that is the entropy of their shares, for numbers and mse their variance.
    """
    return _least(loss, batch, outputs, outputs.shape[-1:])


def free_loss(loss: Loss, batch: Batch, outputs: Array) -> float:
    """Return the least loss that any outputs have: 0 for most losses."""
    return _least(loss, batch, outputs, outputs.shape)


def drawn_loss(
    loss: Loss, batch: Batch, outputs: Array, deviation: float, rng: Generator
) -> float:
    """Return the loss of outputs that are drawn, of some deviation."""
    drawn = rng.normal(0.0, deviation, outputs.shape).astype(outputs.dtype)
    with no_grad(), xp.errstate(all="ignore"):
        return loss(_as_taken(loss, Tensor(drawn)), batch.targets, batch.weights).item()


def _least(loss: Loss, batch: Batch, outputs: Array, shape: Shape) -> float:
    """Minimize the loss over scores of a shape that is spread over the outputs'."""
    scores = Tensor(xp.zeros(shape, outputs.dtype), requires_grad=True)
    spread = Tensor(xp.zeros_like(outputs))
    adam = Adam(lr=RATE).over([scores])
    least = math.inf
    for _ in range(STEPS):
        value = loss(_as_taken(loss, spread + scores), batch.targets, batch.weights)
        adam.zero_grad()
        value.backward()
        adam.step()
        least = min(least, value.item())
    return least


def _as_taken(loss: Loss, scores: Tensor) -> Tensor:
    """Make of any numbers what the loss takes."""
    if loss.takes == "probability":
        return scores.sigmoid()
    if loss.takes == "distribution":
        return scores.softmax()
    return scores.exp() if loss.positive else scores
