"""Mistakes: the rows that a network is most wrong about."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part
from nncli.experiment.predict import part_predictions


def worst_mistakes(
    experiment: Experiment, part: Part, count: int = 10
) -> list[dict[str, Any]]:
    """Return the rows whose class was given the least probability, the worst first.

    That of the class alone decides: it is the row's cross entropy.

    Args:
        experiment: With classes, one a row; without, there are no mistakes.
        part: The rows.
        count: How many at most.

    Returns:
        Of each row its number among all rows of the data, from 0; its name (a file),
        where rows have names; its class, the class that it was taken for, and the
        probabilities of both.
    """
    if experiment.classes is None or part.rows.fields["y"].shape:
        return []
    values = part_predictions(experiment, part)
    if values.shape[1] == 1:
        values = np.concatenate([1 - values, values], axis=1)
    places = np.arange(len(part.rows)) if part.index is None else part.index
    labels = part.rows.read("y", places)
    taken = values.argmax(axis=1)
    own = values[np.arange(len(values)), labels]
    wrong = np.flatnonzero(taken != labels)
    # Equal ones stay in the order of the rows.
    chosen = wrong[np.argsort(own[wrong], kind="stable")[:count]]
    classes, names = experiment.classes, part.rows.names
    return [
        {
            "row": int(places[i]),
            **({} if names is None else {"name": names[places[i]]}),
            "class": classes[labels[i]],
            "taken_for": classes[taken[i]],
            "probability": float(values[i, taken[i]]),
            "probability_of_class": float(own[i]),
        }
        for i in chosen
    ]
