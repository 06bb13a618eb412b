"""Decisions: of each class or label, how sure a network was and what was right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nncli.core.arrays import Array
from nncli.metrics.ranking import levels
from nncli.report.plots.panels import Series, Style
from nncli.report.plots.subject import Subject

FEW = 6
"""Classes that have a colour each; of more, the worst."""

WORST = 3

STYLES: tuple[Style, ...] = ("solid", "dashed", "dashdotted", "dotted")
"""One after another, so that lines show where they lie over each other."""


@dataclass(frozen=True)
class Decision:
    """One class against the rest, or one label.

    Attributes:
        name: The class.
        positive: Rows of the class at each distinct probability, the highest first.
        negative: The other rows there.
    """

    name: str
    positive: Array
    negative: Array


def decisions(subject: Subject) -> list[Decision]:
    """Return each class that has rows, and other rows beside them; none of numbers."""
    experiment = subject.experiment
    if subject.one_class:
        names = experiment.classes or ()
        scores = subject.probabilities
        truths = subject.predicted.targets.ravel()[:, None] == np.arange(len(names))
        # Of two classes, one says all.
        chosen = [1] if len(names) == 2 else range(len(names))
    elif experiment.yes_or_no and experiment.loss.aligned:
        scores = subject.predicted.predictions
        scores = scores.reshape(len(scores), -1)
        truths = subject.predicted.targets.reshape(len(scores), -1) > 0.5
        names = experiment.target_names or tuple(map(str, range(scores.shape[1])))
        chosen = range(scores.shape[1])
    else:
        return []
    found = []
    for k in chosen:
        if 0 < truths[:, k].sum() < len(truths):
            counts = levels(scores[:, k], truths[:, k])
            found.append(Decision(str(names[k]), *counts))
    return found


Found = tuple[Decision, float, Array, Array]
"""A decision, its score, x and y."""


def titled(shown: str, score: str, found: Sequence[Found]) -> str:
    """Return a title that says what the scores are, and of one decision its own.

    Args:
        shown: Which rows are drawn.
        score: Name of the score.
        found: Of which lines are drawn.
    """
    if len(found) == 1:
        ((decision, value, *_),) = found
        return f"{shown}; {score} {value:.3f} for {decision.name}"
    some = f"; the {WORST} worst of {len(found)} in colour"
    return f"{shown}; {score} in brackets{some if len(found) > FEW else ''}"


def drawn(found: Sequence[Found]) -> tuple[Series, ...]:
    """Return a line of each decision, its score in the legend; the worst in colour."""
    order = sorted(range(len(found)), key=lambda i: found[i][1])
    coloured = order if len(found) <= FEW else order[:WORST]
    lines = []
    for place, (decision, score, x, y) in enumerate(found):
        if place in coloured:
            colour = sorted(coloured).index(place)
            name = f"{decision.name} ({score:.3f})"
            style = STYLES[colour % len(STYLES)]
            lines.append(Series(name, x, y, style, colour=colour))
        else:
            lines.append(Series("", x, y, "thin"))
    # Those in colour lie over the others.
    return tuple(sorted(lines, key=lambda each: bool(each.name)))


def thinned(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the corners of a line, and of very many not all."""
    if len(x) > 2:
        a, b = np.diff(x), np.diff(y)
        turns = np.flatnonzero(a[:-1] * b[1:] != a[1:] * b[:-1]) + 1
        kept = np.concatenate([[0], turns, [len(x) - 1]])
        x, y = x[kept], y[kept]
    if len(x) > 1_000:
        kept = np.linspace(0, len(x) - 1, 1_000).astype(int)
        x, y = x[kept], y[kept]
    return x, y
