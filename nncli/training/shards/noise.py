"""ShardNoise: random numbers of a shard, a pure function of the seed and its place."""

from __future__ import annotations

from typing import Any

from nncli.core.randomness import stream
from nncli.network.network import Network

MAX_SHARDS = 1024
"""Shards of a batch, at most, each with numbers of its own; see the config's schema."""

APART = 64
"""log₂ of how many numbers lie between two shards of PCG64's 2¹²⁸."""


class ShardNoise:
    """Moves a network's generator of noise to where the numbers of a shard begin.

    Who draws them, and what was drawn before, makes no difference.

    Args:
        network: Whose layers draw.
        seed: The config's seed.
    """

    def __init__(self, network: Network, seed: int) -> None:
        self._generator: Any = network.streams.noise.bit_generator
        self._origin = stream(seed, "noise").bit_generator.state
        self._drawn: bool | None = None

    def begin(self, batch: int, shard: int) -> None:
        """Go to the numbers of a shard of a batch, counted from the first of all."""
        if self._drawn is False:
            return
        if self._drawn is None:
            self.reset()
        self._generator.state = self._origin
        self._generator.advance((batch * MAX_SHARDS + shard) << APART)
        self._before = self._generator.state if self._drawn is None else None

    def end(self) -> None:
        """See, after the first shard, whether anything is drawn at all."""
        if self._drawn is None:
            self._drawn = self._generator.state != self._before

    def reset(self) -> None:
        """Go back to the beginning, so that checkpoints do not depend on workers."""
        self._generator.state = self._origin
