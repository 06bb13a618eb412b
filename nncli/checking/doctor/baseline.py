"""Baseline: what a loss is for outputs that are not a network's."""

from __future__ import annotations

from numpy.random import Generator

from nncli.autograd.replay import Replay
from nncli.autograd.tape import no_grad, record
from nncli.autograd.tensor import Tensor
from nncli.checking.doctor.look import rms
from nncli.core.arrays import Array, xp
from nncli.data.batches import Batch
from nncli.losses.base import Loss
from nncli.optimizers.adam import Adam

STEPS, RATE = 200, 0.1
"""Steps of Adam: the best constant of a loss of scores is a few units away.

Of a loss between numbers it is a few deviations of the targets from their mean.
"""


DRAWS = 8
"""How often outputs are drawn, so that few rows have a mean, too."""


def constant_loss(loss: Loss, batch: Batch, outputs: Array) -> float:
    """Return the least loss of outputs that are the same for every row.

    For classes that is the entropy of their shares, for numbers and mse their variance.
    """
    zeros = xp.zeros(outputs.shape[-1:], outputs.dtype)
    if not _measures(loss, batch, outputs):
        return _least(loss, batch, outputs, zeros)
    targets = batch.targets.data
    mean = targets.mean(axis=tuple(range(targets.ndim - 1)))
    return _least(loss, batch, outputs, mean, float(targets.std()))


def free_loss(loss: Loss, batch: Batch, outputs: Array) -> float:
    """Return the least loss that any outputs have: 0 for most losses."""
    exact = _measures(loss, batch, outputs)
    begin = batch.targets.data if exact else xp.zeros_like(outputs)
    return _least(loss, batch, outputs, begin)


def drawn_loss(
    loss: Loss, batch: Batch, outputs: Array, deviation: float, rng: Generator
) -> float:
    """Return the mean loss of outputs that are drawn, of some deviation.

    Of a loss between numbers, the deviation is in units of the targets' size, or of 1
    where they are smaller.
    """
    total = 0.0
    if _measures(loss, batch, outputs):
        deviation *= max(1.0, rms(batch.targets.data))
    for _ in range(DRAWS):
        drawn = rng.normal(0.0, deviation, outputs.shape).astype(outputs.dtype)
        with no_grad(), xp.errstate(all="ignore"):
            given = _as_taken(loss, Tensor(drawn))
            total += loss(given, batch.targets, batch.weights).item()
    return total / DRAWS


def _measures(loss: Loss, batch: Batch, outputs: Array) -> bool:
    """Say whether outputs are compared with targets number by number."""
    return loss.distance and batch.targets.data.shape == outputs.shape


def _least(
    loss: Loss, batch: Batch, outputs: Array, begin: Array, unit: float = 1.0
) -> float:
    """Minimize the loss over scores that are spread over the outputs' shape.

    From where they begin; a step is RATE of a unit.
    """
    scores = Tensor(begin.astype(outputs.dtype), requires_grad=True)
    spread = Tensor(xp.zeros_like(outputs))
    adam = Adam(lr=RATE * (unit or 1.0)).over([scores])
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
