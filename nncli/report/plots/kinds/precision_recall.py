"""Precision and recall: how clean what is found of a class is, against how much is."""

from __future__ import annotations

import numpy as np

from nncli.core.arrays import Array
from nncli.report.plots.base import Kind
from nncli.report.plots.decisions import Decision, decisions, drawn, thinned, titled
from nncli.report.plots.panels import Lines, Panel
from nncli.report.plots.subject import Subject


class PrecisionRecall(Kind, name="precision_recall", title="Precision and recall"):
    """How clean what is found of a class is, against how much of it is found.

    Over all thresholds, the share of what is taken for a class that is right
    (precision) against the share of the class that is found (recall), from the best
    checkpoint's predictions.

    Lines as of ``roc``. The number is the average precision, the sum of precision ·
    change of recall; a class that is drawn at random has its share of the rows.
    """

    place = 6
    seen = "Precision against recall of each class."

    def panels(self, subject: Subject) -> list[Panel]:
        """Draw a line for each class or label."""
        found = [(each, *_curve(each)) for each in decisions(subject)]
        if not found:
            return []
        title = titled(subject.shown, "average precision", found)
        return [Lines(title, "recall", "precision", drawn(found), unit=True)]


def _curve(each: Decision) -> tuple[float, Array, Array]:
    """Return the average precision, recall and precision."""
    right = np.cumsum(each.positive)
    precision = right / np.cumsum(each.positive + each.negative)
    recall = right / right[-1]
    average = float((np.diff(recall, prepend=0) * precision).sum())
    # The curve begins at the precision of the highest threshold.
    x, y = np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision])
    return average, *thinned(x, y)
