"""Inputs that are much larger, or smaller, than first values of weights expect."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.look import Signal, rms
from nncli.config.write import to_flow
from nncli.core.registry import spec_of

HIGH, LOW = 3.0, 0.05
"""Root mean squares beyond which inputs count as not scaled.

First values of weights (Glorot and Bengio 2010, He et al. 2015) keep the size of what
passes for inputs of mean square 1; LeCun et al. 1998, "Efficient BackProp", section
4.3, ask for that. Pixels between 0 and 1, mostly dark, have 0.3, so that what is small
has more room than what is large.
"""


class InputScale(Check, name="input_scale"):
    """Root mean square of the inputs; silent where the first layer normalizes them.

    A recurrent layer does not: what it gives is bounded because its gates are shut or
    open for good.
    """

    stage = "data"

    def run(self) -> Iterator[Finding]:
        inputs = self.exam.inputs
        if inputs is None:
            return
        size = rms(inputs)
        passed = [each for each in self.exam.first.signals if each.layer.parameters]
        if not (_off(size) and any(map(_keeps, passed[:1]))):
            return
        yield self.finding(
            f"The inputs have a root mean square of {size:.3g}, expected about 1: "
            f"first values of weights are made for that (limits: {LOW:g} and "
            f"{HIGH:g}).",
            "Let each input be scaled to mean 0 and deviation 1 over the training "
            "rows.",
            self._override(inputs.ndim > 3),
        )

    def _override(self, images: bool) -> str:
        config = self.exam.config
        arguments = config.dataset.arguments if config.dataset else {}
        if arguments.get("scaling", "standard") != "standard":
            return "dataset.scaling=standard"
        wanted = "standardize_channels" if images else "standardize"
        return f"transforms={to_flow([*map(spec_of, config.transforms), wanted])}"


def _off(size: float) -> bool:
    return not LOW <= size <= HIGH


def _keeps(signal: Signal) -> bool:
    """Whether a layer passes on a wrong size, or is spoilt by it."""
    return _off(signal.size) or "return_sequences" in signal.layer.arguments
