"""Confusion: which class was taken for which."""

from __future__ import annotations

import numpy as np

from nncli.report.plots.base import Kind
from nncli.report.plots.panels import Matrix, Panel
from nncli.report.plots.subject import Subject

MOST_CLASSES = 40


class Confusion(Kind, name="confusion", title="Confusion matrix"):
    """How many rows of each class were taken for each class.

    From the best checkpoint's predictions. A row of the matrix is a class, coloured by
    the share of its rows; what is off the diagonal is wrong. Of more than 40 classes,
    those with the most mistakes.
    """

    place = 4

    def panels(self, subject: Subject) -> list[Panel]:
        """Count."""
        if not subject.one_class:
            return []
        names = subject.experiment.classes or ()
        true = subject.predicted.targets.ravel()
        taken = subject.probabilities.argmax(axis=1)
        counts = np.zeros((len(names), len(names)), int)
        np.add.at(counts, (true, taken), 1)
        title = subject.shown
        if len(names) > MOST_CLASSES:
            wrong = counts - np.diag(np.diag(counts))
            worst = np.argsort(-(wrong.sum(0) + wrong.sum(1)), kind="stable")
            kept = np.sort(worst[:MOST_CLASSES])
            counts, names = counts[np.ix_(kept, kept)], tuple(names[k] for k in kept)
            title += f"; {MOST_CLASSES} classes with the most mistakes"
        return [Matrix(title, "taken for", "class", counts, names, names, written=True)]

    def alt(self, panels: list[Panel]) -> str:
        """Say how many are right."""
        counts = [panel.values for panel in panels if isinstance(panel, Matrix)]
        right, rows = (sum(int(f(each)) for each in counts) for f in (np.trace, np.sum))
        return f"Confusion matrix: {right:,} of {rows:,} rows are right."
