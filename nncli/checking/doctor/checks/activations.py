"""Activations that grow from layer to layer."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.look import Signal, rms
from nncli.checking.doctor.remedies import calmer

LIMIT = 100.0
"""How many times the inputs' size (or 1) activations may have.

First values are chosen so that the size stays (He et al. 2015). A residual block adds
the variance of its branch to that of its input, √2 in size: 14 blocks without a
normalization come to 100 (Zhang et al. 2019, "Fixup initialization", section 2). The
shipped configs stay below 3.
"""


class Activations(Check, name="activations"):
    """Root mean square of what each layer gives, at first values."""

    stage = "network"

    def run(self) -> Iterator[Finding]:
        exam = self.exam
        given = 1.0
        if exam.inputs is not None:
            given = max(1.0, rms(exam.inputs))
        beyond = [s for s in exam.first.signals if not s.size <= LIMIT * given]
        if not beyond:
            return
        largest = max(beyond, key=_size)
        yield self.finding(
            f"Activations grow with depth: beyond {LIMIT * given:.3g} from "
            f"{beyond[0].layer.label} on, up to {_shown(largest)} behind "
            f"{largest.layer.label}, where inputs have {given:.3g} (root mean "
            f"squares; limit: {LIMIT:g} times the inputs').",
            *calmer(exam),
        )


def _size(signal: Signal) -> float:
    return signal.size if math.isfinite(signal.size) else math.inf


def _shown(signal: Signal) -> str:
    return f"{signal.size:.3g}" if math.isfinite(signal.size) else "infinity"
