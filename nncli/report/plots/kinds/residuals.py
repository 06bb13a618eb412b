"""Residuals: how far predicted numbers are from the targets."""

from __future__ import annotations

import numpy as np

from nncli.report.plots.base import Kind
from nncli.report.plots.panels import Bars, Lines, Panel, Series
from nncli.report.plots.subject import Subject

MOST_POINTS = 2_000
LEAST_BINS, MOST_BINS = 8, 40


class Residuals(Kind, name="residuals", title="Residuals"):
    """Predicted against true numbers, and a histogram of prediction − target.

    In the units of the data, beside the line where both are equal, from the best
    checkpoint's predictions. Of several numbers a row, all of them.
    """

    place = 7
    seen = "Predicted against true numbers, and a histogram of their differences."

    def panels(self, subject: Subject) -> list[Panel]:
        """Draw both."""
        if not subject.numbers:
            return []
        true = subject.predicted.targets.astype(np.float64).ravel()
        given = subject.predicted.predictions.astype(np.float64).ravel()
        if len(true) != len(given):
            return []
        names = subject.experiment.target_names or ()
        name = str(names[0]) if len(names) == 1 else "target"
        residuals = given - true
        kept = np.linspace(0, len(true) - 1, min(len(true), MOST_POINTS)).astype(int)
        order = kept[np.argsort(true[kept], kind="stable")]
        points = Series("", true[order], given[order], "dots")
        bins = min(MOST_BINS, max(LEAST_BINS, int(len(true) ** 0.5)))
        counts, edges = np.histogram(residuals, bins)
        error = f"RMSE {np.sqrt((residuals**2).mean()):.4g}"
        return [
            Lines(subject.shown, name, f"predicted {name}", (points,), diagonal=True),
            Bars(f"residuals, {error}", "prediction − target", edges, counts),
        ]
