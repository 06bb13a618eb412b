"""Curves: how loss and scores of both parts went."""

from __future__ import annotations

import numpy as np

from nncli.report.plots.base import Kind
from nncli.report.plots.logs import MOST_POINTS, axis, column, suits_log
from nncli.report.plots.panels import Lines, Panel, Series
from nncli.report.plots.subject import Subject
from nncli.report.thinned import places
from nncli.runs.untrusted import scores

PARTS = ("train", "validation")


class Curves(Kind, name="curves", title="Loss and scores"):
    """Loss and every score of both parts, evaluation by evaluation.

    Of the training and of the validation part, from metrics.jsonl. The evaluation of
    the best checkpoint is marked on the part that decided. A loss whose values are far
    apart is drawn by its logarithm.
    """

    place = 0
    overlays = True
    needs_network = False
    needs_rows = False

    def panels(self, subject: Subject) -> list[Panel]:
        """Draw one panel for each score, the loss first."""
        rows = subject.rows
        label, x = axis(rows)
        names = dict.fromkeys(
            name for row in rows for part in PARTS for name in scores(row.get(part))
        )
        steps = column(rows, "step")
        found = np.flatnonzero(steps == (subject.entry.best_step or -1))
        best = int(found[0]) if len(found) else None
        panels: list[Panel] = []
        for name in sorted(names, key=lambda name: name != "loss"):
            lines = {part: column(rows, part, name) for part in PARTS}
            known = {k: y for k, y in lines.items() if np.isfinite(y).any()}
            if not known:
                continue
            kept = places(len(x), MOST_POINTS, best)
            mark = None if best is None else int(np.searchsorted(kept, best))
            decided = list(known)[-1]
            series = tuple(
                Series(
                    part,
                    x[kept],
                    y[kept],
                    "dashed" if part != decided else "solid",
                    mark if part == decided else None,
                    PARTS.index(part),
                )
                for part, y in known.items()
            )
            log = suits_log(*known.values())
            title = name.replace("_", " ")
            panels.append(Lines(title, label, "", series, log=log, marked="best"))
        return panels

    def alt(self, panels: list[Panel]) -> str:
        """Name the scores."""
        names = ", ".join(panel.title for panel in panels)
        return f"Curves of {names} over the training, for each part of the data."
