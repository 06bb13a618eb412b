"""Gradients: how long they were, and how far they moved the parameters."""

from __future__ import annotations

import numpy as np

from nncli.report.plots.base import Kind
from nncli.report.plots.logs import axis, column, in_bins, suits_log
from nncli.report.plots.panels import Lines, Panel, Series
from nncli.report.plots.subject import Subject

SHOWN = {
    "gradient_norm": "norm of the gradient",
    "update_ratio": "norm of update / norm of parameters",
}


class Gradients(Kind, name="gradients", title="Gradients and updates"):
    """How long the gradient was, and how far it moved the parameters.

    The norm of the gradient of all parameters, and the norm of their update over their
    own, at each recorded step, from records.jsonl. Of more than 500 steps, the median
    and the largest value of each 1/500 of them. Around 0.001 is a usual ratio; far less
    learns nothing, far more is noise.
    """

    place = 2
    overlays = True
    needs_network = False
    needs_rows = False

    def panels(self, subject: Subject) -> list[Panel]:
        """Draw a panel for each of the two that was recorded."""
        rows = subject.records
        label, x = axis(rows)
        panels: list[Panel] = []
        for name, title in SHOWN.items():
            values = column(rows, name)
            if np.isfinite(values).sum() < 2:
                continue
            places, medians, largest = in_bins(values)
            binned = len(places) < len(values)
            name = "median" if binned else "recorded"
            series = [Series(name, x[places], medians)]
            if binned:
                series.append(Series("largest", x[places], largest, "dashed", colour=1))
            log = suits_log(medians, largest)
            panels.append(Lines(title, label, "", tuple(series), log=log))
        return panels

    def alt(self, panels: list[Panel]) -> str:
        """Name what is seen."""
        names = " and ".join(panel.title for panel in panels)
        return f"The {names} over the training."
