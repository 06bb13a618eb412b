"""Layers that are not trained although their weights were drawn at random."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.checking.doctor.base import Check, Finding
from nncli.core.text import count


class FrozenLayers(Check, name="frozen_layers"):
    """Frozen weights that do not come from a file: there is nothing in them to keep.

    There is no threshold. Values that are all alike, as those of a normalization at
    first, were not drawn. What was read from a file (``weights``) may well be frozen.
    """

    stage = "network"

    def run(self) -> Iterator[Finding]:
        seen: set[str] = set()
        for layer in self.exam.network.nested.values():
            inside = [each for _, each in layer.walk("")]
            drawn = sum(
                tensor.size
                for each in inside
                if each.arguments.get("weights") is None
                for tensor in each.parameters.values()
                if tensor.data.min() < tensor.data.max()
            )
            place = self.exam.place(layer, "trainable")
            if layer.trainable or not drawn or place in seen:
                continue
            seen.add(place)
            yield self.finding(
                f"{layer.label} is frozen (trainable: false) with "
                f"{count(drawn, 'parameter')} that were drawn at random and come from "
                "no file: what it computes stays arbitrary.",
                "Let it be trained.",
                f"{place}=true",
            )
