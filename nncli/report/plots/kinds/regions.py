"""Regions: what a network of two inputs says everywhere in their plane."""

from __future__ import annotations

import numpy as np

from nncli.core.arrays import Array
from nncli.data.table import Table
from nncli.experiment.predict import part_predictions
from nncli.report.plots.base import Kind
from nncli.report.plots.panels import Panel, Regions
from nncli.report.plots.subject import Subject
from nncli.training.threads import threads_of, using

SIDE, LEAST_SIDE = 200, 40
"""Places across the plane, and of a costly network at least."""

MARGIN = 0.08
MOST_POINTS = 1_500
MOST_CLASSES = 8


class DecisionRegions(Kind, name="regions", title="Decision regions"):
    """What a network of two inputs says at each place of their plane.

    The class decided for, the paler the less sure, with the points of the data in the
    colours of their own classes; of one number, its value. From the best checkpoint,
    over the range of the points. Both inputs are in the units of the data: columns of
    a table in their own, but for one that a logarithm or its quantiles bend.
    """

    place = 3
    seen = (
        "The plane of both inputs, coloured by what the network says there, "
        "with the points of the data."
    )

    def panels(self, subject: Subject) -> list[Panel]:
        """Run the network over a grid."""
        experiment, part = subject.experiment, subject.part
        classes = experiment.classes
        single = experiment.network.shapes[-1][-1:] == (1,)
        if part.shape != (2,) or experiment.input_dtype.kind != "f":
            return []
        if not subject.one_class and not (subject.numbers and single):
            return []
        if classes is not None and len(classes) > MOST_CLASSES:
            return []
        count = min(len(part), MOST_POINTS)
        chosen = np.linspace(0, len(part) - 1, count).astype(int)
        where = chosen if part.index is None else part.index[chosen]
        points = part.rows.read("x", where).astype(np.float64)
        side = int(subject.within(SIDE**2, LEAST_SIDE**2) ** 0.5)
        x, y = (_places(points[:, axis], side) for axis in range(2))
        grid = np.stack([each.ravel() for each in np.meshgrid(x, y)], axis=1)
        with using(threads_of(experiment)):
            found = part_predictions(experiment, experiment.prepare(Table(grid)))
        found = found.reshape(len(grid), -1).astype(np.float64)
        targets = subject.predicted.targets[chosen].reshape(count, -1)[:, 0]
        values, sure = (found[:, 0], None) if classes is None else _decided(found)
        form, (first, second) = (side, side), subject.inputs
        scales, centers = (first.scale, second.scale), (first.center, second.center)
        return [
            Regions(
                subject.shown,
                first.name,
                second.name,
                x * first.scale + first.center,
                y * second.scale + second.center,
                values.reshape(form),
                None if sure is None else sure.reshape(form),
                classes,
                points * scales + centers,
                targets,
            )
        ]


def _places(values: Array, side: int) -> Array:
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * ((high - low) or 1.0)
    return np.linspace(low - margin, high + margin, side)


def _decided(found: Array) -> tuple[Array, Array]:
    """Return the class decided for, and its probability."""
    if found.shape[1] == 1:
        found = np.concatenate([1 - found, found], axis=1)
    return found.argmax(axis=1), found.max(axis=1)
