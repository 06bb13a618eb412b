"""Gradients that vanish or explode on their way back through the layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.look import Look, Signal
from nncli.checking.doctor.remedies import calmer, livelier
from nncli.layers.base import Layer

LOW, HIGH = 1e-3, 1e3
"""Shares of the last layer's gradient that the first one's norm may have.

A sigmoid's slope is at most ¼, so that five of them in a row lose a thousandfold
(Hochreiter 1991; Glorot and Bengio 2010, section 4.2). The shipped configs, four
transformer blocks among them, lie between 0.1 and 12.
"""


class Gradients(Check, name="gradients"):
    """Norms of the loss's derivative by what each layer gives, at first values.

    Of layers one behind the other, those inside a ``sequential`` among them. Where
    a layer begins with zeros, as the last one soundly may, after the first steps.
    """

    stage = "network"

    def run(self) -> Iterator[Finding]:
        known = self._known(self.exam.first)
        if len(known) < 2 or not known[-1].grad:
            return
        if not known[0].grad and self._begins_with_zeros():
            after = self.exam.rehearsal().after
            known = [] if after is None else self._known(after)
            if not known or not known[-1].grad:
                return
        first, last = known[0], known[-1]
        share = (first.grad or 0.0) / (last.grad or 1.0)
        if share < LOW:
            yield self._finding("vanishes", share, first, last)
        elif share > HIGH:
            yield self._finding("explodes", share, first, last)

    def _known(self, look: Look) -> list[Signal]:
        """Return the layers one behind the other that have a gradient."""
        layers = [id(layer) for layer in _trunk(self.exam.network.layers)]
        return [
            signal
            for signal in look.signals
            if signal.grad is not None and id(signal.layer) in layers
        ]

    def _begins_with_zeros(self) -> bool:
        """Whether there are zeros for weights, and first steps to be made."""
        exam = self.exam
        weights = (each for each in exam.network.flat.tensors.values() if each.ndim > 1)
        zeros = any(not each.data.any() for each in weights)
        return zeros and not exam.experiment.optimizer.full_batch

    def _finding(self, how: str, share: float, first: Signal, last: Signal) -> Finding:
        cure = livelier if how == "vanishes" else calmer
        return self.finding(
            f"The gradient {how} on its way back: its norm behind {first.layer.label} "
            f"is {share:.3g} times that behind {last.layer.label} (limits: {LOW:g} and "
            f"{HIGH:g}).",
            *cure(self.exam),
        )


def _trunk(layers: Iterable[Layer]) -> Iterator[Layer]:
    """Yield layers, and those inside blocks that are nothing else than a chain."""
    for layer in layers:
        if layer.type_name == "sequential":
            yield from _trunk(layer.children.values())
        else:
            yield layer
