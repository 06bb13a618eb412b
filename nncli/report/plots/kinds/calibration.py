"""Calibration: how often a network is right when it is so sure."""

from __future__ import annotations

import numpy as np

from nncli.metrics.calibration import CalibrationError
from nncli.report.plots.base import Kind
from nncli.report.plots.panels import Bars, Lines, Panel, Series
from nncli.report.plots.subject import Subject


class Calibration(Kind, name="calibration", title="Calibration"):
    """A reliability diagram: how often the network is right where it is so sure.

    The share of rows that are right against the mean confidence, over 15 bins of
    confidence, and how many rows each bin has, from the best checkpoint's predictions.
    Below the diagonal the network is too sure. Confidence is the probability of the
    class that is decided for. Guo et al. 2017.
    """

    place = 8
    seen = "The share of rows that are right against the network's confidence."

    def panels(self, subject: Subject) -> list[Panel]:
        """Draw the bins that have rows."""
        if not subject.one_class:
            return []
        metric = CalibrationError().live()
        metric.update(subject.predicted.predictions, subject.predicted.targets)
        full = metric.rows > 0
        rows = metric.rows[full]
        x, y = metric.confidence[full] / rows, metric.right[full] / rows
        error = f"calibration error {metric.result():.3f}"
        edges = np.linspace(0, 1, metric.bins + 1)
        return [
            Lines(
                f"{subject.shown}; {error}",
                "confidence",
                "share that is right",
                (Series("network", x, y, "joined"),),
                diagonal=True,
                unit=True,
            ),
            Bars("rows", "confidence", edges, metric.rows),
        ]
