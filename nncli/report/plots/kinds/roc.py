"""ROC: what is found of a class, against what is wrongly taken for it."""

from __future__ import annotations

import numpy as np

from nncli.core.arrays import Array
from nncli.report.plots.base import Kind
from nncli.report.plots.decisions import Decision, decisions, drawn, thinned, titled
from nncli.report.plots.panels import Lines, Panel
from nncli.report.plots.subject import Subject


class Roc(Kind, name="roc", title="ROC"):
    """The receiver operating characteristic.

    Over all thresholds, the share of a class that is found (true positives) against the
    share of the others that is taken for it (false positives), from the best
    checkpoint's predictions.

    Of two classes one line, of more one each against the rest, of more than six the
    three worst in colour. The number is the area below: ½ is chance, 1 perfect.
    """

    place = 5
    seen = "ROC curves: true against false positive rate of each class."

    def panels(self, subject: Subject) -> list[Panel]:
        """Draw a line for each class or label."""
        found = [(each, *_curve(each)) for each in decisions(subject)]
        if not found:
            return []
        title = titled(subject.shown, "area", found)
        labels = "false positive rate", "true positive rate"
        return [Lines(title, *labels, drawn(found), diagonal=True, unit=True)]


def _curve(each: Decision) -> tuple[float, Array, Array]:
    """Return the area, and both rates."""
    right, wrong = (
        np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
        for counts in (each.positive, each.negative)
    )
    return float(np.trapezoid(right, wrong)), *thinned(wrong, right)
