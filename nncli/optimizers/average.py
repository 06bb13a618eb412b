"""WeightAverage: a moving average of all parameters, to be used in their place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nncli.autograd.flat import Flat
from nncli.core.arrays import Array, aligned_zeros, xp
from nncli.optimizers.base import CHUNK


class WeightAverage:
    """a ← decay·a + (1 − decay)·p after each step, a = p after the first one.

    As PyTorch's AveragedModel with get_ema_multi_avg_fn. Source: Polyak and Juditsky
    1992; in this form, for instance, Izmailov et al. 2018.

    Args:
        flat: The parameters p.
        decay: Share of the average that stays, 0 <= decay < 1.

    Attributes:
        values: (P,) the average of every element.
    """

    def __init__(self, flat: Flat, decay: float) -> None:
        self.flat = flat
        size, dtype = flat.values.size, flat.values.dtype
        self.values = aligned_zeros(size, dtype)
        xp.copyto(self.values, flat.values)
        self._new = xp.asarray(1 - decay, dtype)
        self.take_only(slice(0, size))

    def take_only(self, part: slice) -> None:
        """Let ``update`` take in a part of the parameters, and no others.

        To be called again when the arrays are others.
        """
        work = aligned_zeros(min(CHUNK, part.stop - part.start), self.values.dtype)
        self._chunks: list[tuple[Array, Array, Array]] = []
        for begin in range(part.start, part.stop, CHUNK):
            chunk = slice(begin, min(begin + CHUNK, part.stop))
            mine = self.values[chunk]
            self._chunks.append((mine, self.flat.values[chunk], work[: mine.size]))

    @property
    def arrays(self) -> dict[str, Array]:
        """The average of each parameter by the parameter's name."""
        return self.flat.views(self.values)

    def update(self, steps: int) -> None:
        """Take in the parameters as they are after so many steps."""
        for average, values, work in self._chunks:
            if steps == 1:
                xp.copyto(average, values)
                continue
            xp.subtract(values, average, out=work)
            xp.multiply(work, self._new, out=work)
            xp.add(average, work, out=average)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let the network have the averages inside the block, its own weights after."""
        own = self.flat.values.copy()
        xp.copyto(self.flat.values, self.values)
        try:
            yield
        finally:
            xp.copyto(self.flat.values, own)
