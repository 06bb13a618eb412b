"""Mistakes: the images that a network is most wrong about."""

from __future__ import annotations

import numpy as np

from nncli.report.plots.base import Kind
from nncli.report.plots.panels import Images, Panel
from nncli.report.plots.subject import Subject


class WorstMistakes(Kind, name="mistakes", title="Worst mistakes"):
    """The images that the network is most wrong about, the worst first.

    Those of images taken for another class whose own got the least probability, at most
    twelve, from the best checkpoint's predictions. Below each: the class, what it was
    taken for, and the probabilities of both.
    """

    place = 10
    seen = "The images that the network is most wrong about."

    def panels(self, subject: Subject) -> list[Panel]:
        """Read the images as the data has them."""
        if not (subject.of_images and subject.one_class):
            return []
        worst = subject.predicted.mistakes
        if not worst:
            return []
        places = np.array([each["row"] for each in worst])
        images = subject.part.rows.read("x", places).astype(np.float64)
        captions = tuple(
            f"{each['class']}\n→ {each['taken_for']}\n"
            f"{each['probability_of_class']:.2f} → {each['probability']:.2f}"
            for each in worst
        )
        title = f"{subject.shown}; class → taken for, with the probability of each"
        return [Images(title, images, captions)]
