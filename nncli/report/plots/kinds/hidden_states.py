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
    """The state of the last recurrent layer after each step of one sample of text: a
    row a unit, a column a step. From the best checkpoint.

    Of more than 48 units, those that change the most.
    """

    place = 12

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
        # A layer that gives its last state alone shows all of them as well.
        shown = copy.copy(layer)
        shown.return_sequences = True
        with no_grad():
            states: Array = shown(x).data[0, : sample.steps].astype(np.float64).T
        moved = np.abs(np.diff(states, axis=1)).sum(axis=1)
        kept = np.sort(np.argsort(-moved, kind="stable")[:MOST_UNITS])
        few = "" if len(kept) == len(states) else f", {len(kept)} of {len(states)}"
        title = f"{layer.label}{few} units"
        rows, columns = tuple(map(str, kept)), sample.names[: sample.steps]
        return [Matrix(title, "step", "unit", states[kept], rows, columns, signed=True)]

    def alt(self, panels: list[Panel]) -> str:
        """Say what it is."""
        return "The state of a recurrent layer after each step of a sample."
