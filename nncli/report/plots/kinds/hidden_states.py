"""Hidden states: what a recurrent layer remembers along a sample."""

from __future__ import annotations

import copy

import numpy as np

from nncli.autograd.tape import no_grad
from nncli.core.arrays import Array
from nncli.layers.recurrent import Recurrent
from nncli.report.plots.base import Kind
from nncli.report.plots.panels import Matrix, Panel
from nncli.report.plots.sequences import sample_of
from nncli.report.plots.subject import Subject

MOST_UNITS = 48


class HiddenStates(Kind, name="hidden_states", title="Hidden states over a sample"):
    """The state of the last recurrent layer after each step of one sample of text.

    A row a unit, a column a step, from the best checkpoint. Of more than 48 units,
    those that change the most.
    """

    place = 12
    seen = "The state of a recurrent layer after each step of a sample."

    def panels(self, subject: Subject) -> list[Panel]:
        """Run one sample and watch the layer."""
        nested = subject.experiment.network.nested.values()
        if not any(isinstance(layer, Recurrent) for layer in nested):
            return []
        sample = sample_of(subject)
        if sample is None:
            return []
        calls = [call for call in sample.calls if isinstance(call.layer, Recurrent)]
        if not calls or calls[-1].x.shape[1] < len(sample.names):
            return []
        layer, x = calls[-1].layer, calls[-1].x
        # One that gives its last state alone has all of them as well. Fields of a layer
        # are fixed, but this copy is nobody else's.
        shown = copy.copy(layer)
        object.__setattr__(shown, "return_sequences", True)
        with no_grad():
            states: Array = shown(x).data[0, : len(sample.shown)]
        states = states.astype(np.float64).T
        moved = np.abs(np.diff(states, axis=1)).sum(axis=1)
        kept = np.sort(np.argsort(-moved, kind="stable")[:MOST_UNITS])
        few = f"{len(kept)} of " if len(kept) < len(states) else ""
        title = f"{layer.label}, {few}{len(states)} units"
        rows, columns = tuple(map(str, kept)), sample.shown
        return [Matrix(title, "step", "unit", states[kept], rows, columns, signed=True)]
