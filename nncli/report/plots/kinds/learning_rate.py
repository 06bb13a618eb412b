"""Learning rate: how large the steps were."""

from __future__ import annotations

import numpy as np

from nncli.report.plots.base import Kind
from nncli.report.plots.logs import MOST_POINTS, axis, column, suits_log
from nncli.report.plots.panels import Lines, Panel, Series
from nncli.report.plots.subject import Subject
from nncli.report.thinned import places


class LearningRate(Kind, name="learning_rate", title="Learning rate"):
    """The learning rate over the training, where it changes.

    At each recorded step, from records.jsonl; where there is none, at each evaluation,
    from metrics.jsonl.
    """

    place = 1
    seen = "The learning rate over the training."
    overlays = True
    needs_network = False
    needs_rows = False

    def panels(self, subject: Subject) -> list[Panel]:
        """Draw one line."""
        for rows in (subject.records, subject.rows):
            rates = column(rows, "lr")
            if len(np.unique(rates[np.isfinite(rates)])) > 1:
                label, x = axis(rows)
                kept = places(len(x), MOST_POINTS)
                series = Series("learning rate", x[kept], rates[kept])
                log = suits_log(rates)
                return [Lines("learning rate", label, "", (series,), log=log)]
        return []
