"""Numbers to be predicted that are much larger, or smaller, than a network begins."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.checking.doctor.look import rms

HIGH, LOW = 10.0, 0.05
"""Root mean squares of targets beyond which they count as not scaled.

First outputs are about 1 (see ``input_scale``); to come to 10 or more takes each step
of an optimizer such as Adam, which moves a weight by about lr, that many times as long,
and the gradient of a squared error is larger in the same proportion.
"""


class TargetScale(Check, name="target_scale"):
    """Root mean square of the targets, where the loss is one between numbers."""

    stage = "data"

    def run(self) -> Iterator[Finding]:
        experiment = self.exam.experiment
        if not experiment.loss.distance or experiment.classes is not None:
            return
        targets = self.exam.batch.targets.data
        size = rms(targets)
        if LOW <= size <= HIGH:
            return
        dataset = experiment.config.dataset
        able = dataset is not None and "scale_target" in dataset.arguments
        yield self.finding(
            f"The targets have a root mean square of {size:.4g}, expected about 1: "
            f"a network's first outputs are (limits: {LOW:g} and {HIGH:g}).",
            "Scale them to mean 0 and deviation 1 over the training rows"
            + ("." if able else " before they are stored."),
            *(["dataset.scale_target=true"] if able else []),
        )
