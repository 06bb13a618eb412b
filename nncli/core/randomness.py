"""Randomness: one independent stream for each purpose, all from one seed."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

Purpose = Literal[
    "data",
    "split",
    "initialization",
    "shuffling",
    "noise",
    "augmentation",
    "check",
    "evaluation",
    "generation",
]

# The position is part of the stream: append, never reorder.
_PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


def stream(seed: int, purpose: Purpose, *keys: int) -> np.random.Generator:
    """Return the PCG64 generator of one purpose, a pure function of its arguments.

    Args:
        seed: The config's seed.
        purpose: What the numbers are for; other purposes never share numbers.
        keys: Further counters, such as the epoch whose order is drawn.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(_PURPOSES.index(purpose), *keys))
    return np.random.Generator(np.random.PCG64(sequence))


class Streams:
    """The generators that building and running a network draw from.

    Args:
        seed: The config's seed.

    Attributes:
        initialization: For first values of weights.
        noise: For everything that draws while the network runs, such as dropout; its
            state is part of a checkpoint.
    """

    def __init__(self, seed: int) -> None:
        self.initialization = stream(seed, "initialization")
        self.noise = stream(seed, "noise")
