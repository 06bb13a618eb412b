"""Baseline: what a loss is for outputs that are not a network's."""

from __future__ import annotations

from numpy.random import Generator

from nncli.autograd.replay import Replay
from nncli.autograd.tape import no_grad, record
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, Shape, xp
from nncli.data.batches import Batch
from nncli.losses.base import Loss
from nncli.optimizers.adam import Adam

STEPS, RATE = 200, 0.1
"""Steps of Adam: the best constant of a loss of scores is a few units away."""


DRAWS = 8
"""How often outputs are drawn, so that few rows have a mean, too."""


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
    """Return the mean loss of outputs that are drawn, of some deviation."""
    total = 0.0
    for _ in range(DRAWS):
        drawn = rng.normal(0.0, deviation, outputs.shape).astype(outputs.dtype)
        with no_grad(), xp.errstate(all="ignore"):
            given = _as_taken(loss, Tensor(drawn))
            total += loss(given, batch.targets, batch.weights).item()
    return total / DRAWS


def _least(loss: Loss, batch: Batch, outputs: Array, shape: Shape) -> float:
    """Minimize the loss over scores of a shape that is spread over the outputs'."""
    scores = Tensor(xp.zeros(shape, outputs.dtype), requires_grad=True)
    spread = Tensor(xp.zeros_like(outputs))
    adam = Adam(lr=RATE).over([scores])
    with record() as steps:
        value = loss(_as_taken(loss, spread + scores), batch.targets, batch.weights)
    replay = Replay(steps, [value], value, [scores])
    least: float = value.item()
    with xp.errstate(all="ignore"):
        for _ in range(STEPS):
            replay.backward()
            adam.step()
            replay.forward()
            least = min(least, replay.values[0].item())
    return least


def _as_taken(loss: Loss, scores: Tensor) -> Tensor:
    """Make of any numbers what the loss takes."""
    if loss.takes == "probability":
        return scores.sigmoid()
    if loss.takes == "distribution":
        return scores.softmax()
    return scores.exp() if loss.positive else scores
