"""Filters: the weights of the first layer that sees an image."""

from __future__ import annotations

import numpy as np

from nncli.core.arrays import Array
from nncli.report.plots.base import Kind
from nncli.report.plots.panels import Images, Panel
from nncli.report.plots.subject import Subject

MOST = 32


class Filters(Kind, name="filters", title="First-layer filters"):
    """The weights of the first layer, as images.

    A convolution's filters, or what each unit of a dense layer multiplies the pixels
    by, of the best checkpoint. Each is scaled by its own largest weight. Of more than
    32, those with the largest norms.
    """

    place = 9
    needs_rows = False
    seen = "The weights of the first layer, drawn as small images."

    def panels(self, subject: Subject) -> list[Panel]:
        """Take the first layer with parameters, if its weights lie over the image."""
        if not subject.of_images:
            return []
        shape = subject.experiment.network.shapes[0]
        for layer in subject.experiment.network.nested.values():
            weight = layer.parameters.get("weight")
            if weight is None:
                if layer.parameters:
                    return []
                continue
            found = _images(weight.data, shape)
            if found is None:
                return []
            norms = (found**2).reshape(len(found), -1).sum(axis=1)
            kept = np.sort(np.argsort(-norms, kind="stable")[:MOST])
            few = "" if len(kept) == len(found) else f", {len(kept)} of {len(found)}"
            title = f"{layer.label}{few}"
            return [Images(title, found[kept], signed=True)]
        return []


def _images(weight: Array, shape: tuple[int, ...]) -> Array | None:
    """Return (n, C, h, w) weights that lie over an image; None where they do not."""
    channels = shape[0]
    values = weight.astype(np.float64)
    if values.ndim == 4 and values.shape[1] == channels and values.shape[2] > 1:
        return values
    if values.ndim == 2 and values.shape[1] == np.prod(shape):
        return values.reshape(-1, *shape)
    return None
