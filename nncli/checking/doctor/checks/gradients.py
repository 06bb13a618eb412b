"""Gradients that vanish or explode on their way back through the layers."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.look import Signal
from nncli.checking.doctor.remedies import calmer, livelier

LOW, HIGH = 1e-3, 1e3
"""Shares of the last layer's gradient that the first one's norm may have.

A sigmoid's slope is at most ¼, so that five of them in a row lose a thousandfold
(Hochreiter 1991; Glorot and Bengio 2010, section 4.2). The shipped configs, four
transformer blocks among them, lie between 0.1 and 12.
"""


class Gradients(Check, name="gradients"):
    """Norms of the loss's derivative by what each layer gives, at first values."""

    stage = "network"

    def run(self) -> Iterator[Finding]:
        layers = self.exam.network.layers
        known = [
            signal
            for signal in self.exam.first.signals
            if signal.grad is not None and any(signal.layer is each for each in layers)
        ]
        if len(known) < 2 or not known[-1].grad:
            return
        first, last = known[0], known[-1]
        share = (first.grad or 0.0) / (last.grad or 1.0)
        if share < LOW:
            yield self._finding("vanishes", share, first, last)
        elif share > HIGH:
            yield self._finding("explodes", share, first, last)

    def _finding(self, how: str, share: float, first: Signal, last: Signal) -> Finding:
        cure = livelier if how == "vanishes" else calmer
        return self.finding(
            f"The gradient {how} on its way back: its norm behind {first.layer.label} "
            f"is {share:.3g} times that behind {last.layer.label} (limits: {LOW:g} and "
            f"{HIGH:g}).",
            *cure(self.exam),
        )
