"""Trial: a network is run to learn something, and left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nncli.core.arrays import xp
from nncli.network.network import Network


@contextmanager
def trial(network: Network, *, training: bool) -> Iterator[None]:
    """Let a network run inside the block, and put everything back afterwards.

    Parameters, gradients, states of layers (running statistics), the generator of
    noise, and the mode.

    Args:
        network: What is run.
        training: Whether its layers act as in training inside the block.
    """
    arrays = [network.flat.values, network.flat.grads, *network.state.values()]
    saved = [array.copy() for array in arrays]
    generator = network.streams.noise.bit_generator
    state, before = generator.state, network.training
    network.set_training(training)
    try:
        yield
    finally:
        for array, copy in zip(arrays, saved, strict=True):
            xp.copyto(array, copy)
        generator.state = state
        network.set_training(before)
