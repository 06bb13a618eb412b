"""Samples: a few of the values and gradients that layers have in one training step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from nncli.autograd.plan import Call
from nncli.autograd.replay import Replay
from nncli.autograd.tape import Step
from nncli.core.arrays import Array, xp

AT_MOST = 1024
"""How many elements of an array are looked at."""

BINS = 32

LAYERS = 64
"""How many layers of a network are looked at."""


class Samples:
    """Copies evenly spread elements out of a replay while it runs.

    Nothing is computed for it, and nothing but these elements is copied: the arrays are
    read at the moment at which they hold what is wanted.

    Args:
        replay: Of a training step.
        outputs: Labels of layers, and the steps that give their outputs.

    Attributes:
        values: The sample of each layer's outputs, by its label.
        grads: That of the loss's derivative by them; none where there is no such.
        forward: The calls of the forward pass, the copies among them.
        backward: The same of the backward pass.
    """

    def __init__(self, replay: Replay, outputs: Mapping[str, Step]) -> None:
        labels: dict[Step, str] = {}
        for label, step in outputs.items():
            # What a layer hands on as it is belongs to the one that it comes from.
            labels.setdefault(step, label)
        chosen = set(_chosen(list(labels.values())))
        self._labels = {s: label for s, label in labels.items() if label in chosen}
        self.values: dict[str, Array] = {}
        self.grads: dict[str, Array] = {}
        self.forward, self.backward = replay.tapped(
            partial(self._tap, self.values), partial(self._tap, self.grads)
        )

    def _tap(self, kept: dict[str, Array], step: Step, array: Array) -> Call | None:
        label = self._labels.get(step)
        if label is None or array.dtype.kind != "f" or not array.size:
            return None
        part = sample(array)
        kept[label] = copy = xp.empty(part.shape, part.dtype)
        if xp.may_share_memory(part, array):
            return partial(xp.copyto, copy, part)
        # Its elements lie so that they cannot be seen as one row.
        return lambda: xp.copyto(copy, sample(array))


def _chosen(labels: list[str]) -> list[str]:
    """Return the labels of at most so many layers: of many, the outermost ones."""
    if len(labels) > LAYERS:
        labels = [label for label in labels if "." not in label.split()[0]]
    count = min(LAYERS, len(labels))
    return [labels[i * len(labels) // count] for i in range(count)]


def sample(array: Array) -> Array:
    """Return evenly spread elements in the order of memory, as a view where possible.

    The distance between two of them has no factor in common with a size of the array,
    so that they come from all of its rows and units.
    """
    apart = -(-array.size // AT_MOST)
    while apart > 1 and any(math.gcd(apart, size) > 1 for size in array.shape):
        apart += 1
    return array.ravel("K")[::apart]


def described(samples: Sequence[Array]) -> list[dict[str, Any]]:
    """Return mean, deviation, share of zeros and histogram of each sample.

    Samples are described together: many short ones cost little more than one. What is
    not finite is None.

    Args:
        samples: (n,) each, none of them empty.
    """
    sizes = xp.array([each.size for each in samples])
    starts = xp.cumsum(sizes) - sizes
    owner = xp.repeat(xp.arange(len(sizes)), sizes)
    every = xp.concatenate(samples, dtype=xp.float64)
    with xp.errstate(all="ignore"):
        low, high = (f.reduceat(every, starts) for f in (xp.minimum, xp.maximum))
        zeros = xp.add.reduceat(every == 0, starts, dtype=xp.float64) / sizes
        # From the smallest element on, all are at least 0: sums of the same sign.
        every -= low[owner]
        offset = xp.add.reduceat(every, starts) / sizes
        scale = BINS / (high - low)
        scale[~xp.isfinite(scale)] = 0
        counts = _counts(every * scale[owner], owner, len(sizes))
        every -= offset[owner]
        xp.square(every, out=every)
        std = xp.sqrt(xp.add.reduceat(every, starts) / sizes)
    columns = (low + offset, std, zeros, low, high, counts)
    told = zip(*(column.tolist() for column in columns), strict=True)
    return [_facts(*numbers) for numbers in told]


def _counts(places: Array, owner: Array, samples: int) -> Array:
    """Return how many elements of each sample fall into each of its bins.

    Args:
        places: In which bin each element is, with a fraction.
        owner: Of which sample it is.
        samples: How many these are.
    """
    bins = places.astype(xp.int32)
    # The largest element belongs to the last bin; what is no number is not told.
    xp.clip(bins, 0, BINS - 1, out=bins)
    bins += owner.astype(xp.int32) * BINS
    return xp.bincount(bins, minlength=samples * BINS).reshape(-1, BINS)


def _facts(
    mean: float, std: float, zeros: float, low: float, high: float, counts: list[int]
) -> dict[str, Any]:
    if not math.isfinite(std):
        return dict.fromkeys(("mean", "std", "zeros", "histogram"))
    histogram = {"low": low, "high": high, "counts": counts}
    return {"mean": mean, "std": std, "zeros": zeros, "histogram": histogram}
