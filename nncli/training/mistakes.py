"""Mistakes: the rows that a network is most wrong about."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part


def has_mistakes(experiment: Experiment, part: Part) -> bool:
    """Whether rows have one class each, so that one can be taken for another."""
    return experiment.classes is not None and not part.rows.fields["y"].shape


class Mistakes:
    """Watches predictions of a part for rows whose class is given little probability.

    That of the class alone decides: it is the row's cross entropy.

    Args:
        experiment: With classes, one a row.
        part: The rows.
        count: How many to remember.
    """

    def __init__(self, experiment: Experiment, part: Part, count: int) -> None:
        self._classes = experiment.classes or ()
        self._part = part
        self._count = count
        self.reset()

    def reset(self) -> None:
        """Begin with the first row."""
        self._rows = 0
        # Of each mistake: row, class, what it was taken for, and the probability of
        # that and of the class.
        self._worst: tuple[Array, ...] = (
            *(np.empty(0, int) for _ in range(3)),
            *(np.empty(0) for _ in range(2)),
        )

    def score(self, predictions: Array, targets: Array, lengths: Array | None) -> None:
        """Look at the rows of a batch."""
        values = predictions
        if values.shape[1] == 1:
            values = np.concatenate([1 - values, values], axis=1)
        taken = values.argmax(axis=1)
        wrong = np.flatnonzero(taken != targets)
        labels, taken = targets[wrong], taken[wrong]
        new = (
            wrong + self._rows,
            labels,
            taken,
            values[wrong, taken],
            values[wrong, labels],
        )
        self._rows += len(values)
        pairs = zip(self._worst, new, strict=True)
        known = tuple(np.concatenate(pair) for pair in pairs)
        # Equal ones stay in the order of the rows.
        chosen = np.argsort(known[-1], kind="stable")[: self._count]
        self._worst = tuple(each[chosen] for each in known)

    def result(self) -> list[dict[str, Any]]:
        """Return the mistakes, the worst first.

        Of each row its number among all rows of the data, from 0; its name (a file),
        where rows have names; its class, the class that it was taken for, and the
        probabilities of both.
        """
        part, classes, names = self._part, self._classes, self._part.rows.names
        found = []
        for row, label, taken, high, low in zip(*self._worst, strict=True):
            place = int(row if part.index is None else part.index[row])
            found.append(
                {
                    "row": place,
                    **({} if names is None else {"name": names[place]}),
                    "class": classes[label],
                    "taken_for": classes[taken],
                    "probability": float(high),
                    "probability_of_class": float(low),
                }
            )
        return found
