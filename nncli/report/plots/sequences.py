"""Sequences: one sample of text or steps on its way through a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncli.autograd.tape import no_grad
from nncli.core.arrays import Array, xp
from nncli.data.vocabulary import PADDING
from nncli.layers.chain import Call, watch
from nncli.report.plots.subject import Subject

MOST_STEPS = 48
"""Steps of a sample that are drawn; names beside them can then be read."""

LONGEST = 16
"""Letters of a name that columns have room for."""

MOST_CELLS = 2_048
"""Steps up to which a sample is run at all."""


@dataclass(frozen=True)
class Sample:
    """A sample's way through the layers.

    Attributes:
        names: What stands at each step that counts.
        calls: Of the layers, in the order in which they ended.
    """

    names: tuple[str, ...]
    calls: list[Call]

    @property
    def shown(self) -> tuple[str, ...]:
        """The names of the steps that are drawn, at most some."""
        return self.names[:MOST_STEPS]

    @property
    def beside(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What stands at rows and above columns: of long names, there their number."""
        if max(map(len, self.shown)) <= LONGEST:
            return self.shown, self.shown
        numbers = tuple(str(i + 1) for i in range(len(self.shown)))
        pairs = zip(numbers, self.shown, strict=True)
        return tuple(f"{number} {name}" for number, name in pairs), numbers


def sample_of(subject: Subject) -> Sample | None:
    """Return the first row of the part that has steps worth a look; None for none.

    Of text, a row of tokens, or of steps that have tokens each.
    """
    experiment, part = subject.experiment, subject.part
    vocabulary = experiment.vocabulary
    if vocabulary is None or not 1 <= len(part.shape) <= 2:
        return None
    if not 2 <= part.shape[0] <= MOST_CELLS:
        return None
    batch = part.batch(np.arange(min(len(part), 64)))
    lengths = batch.lengths
    counts = np.full(batch.rows, part.shape[0]) if lengths is None else lengths
    fitting = np.flatnonzero((counts >= 2) & (counts <= MOST_STEPS))
    row = int(fitting[0]) if len(fitting) else int(counts.argmax())
    tokens, count = batch.x.data[row], int(counts[row])
    if tokens.ndim == 1 and PADDING in vocabulary.numbers:
        # Where rows have no lengths, shorter ones are filled.
        real = np.flatnonzero(tokens[:count] != vocabulary.numbers[PADDING])
        count = int(real[-1]) + 1 if len(real) else count
    names = tuple(_named(step, vocabulary.tokens) for step in tokens[:count])
    one = part.batch(np.array([row]))
    network = experiment.network
    network.set_training(False)
    with no_grad(), experiment.in_use(), xp.errstate(all="ignore"), watch() as calls:
        network(one.x)
    return Sample(names, list(calls))


def _named(step: Array, tokens: tuple[str, ...]) -> str:
    """Return the text of a step: its token, or its tokens without padding."""
    if step.ndim == 0:
        text = tokens[int(step)]
        return text if text.strip() and text.isprintable() else repr(text)[1:-1]
    words = [tokens[int(token)] for token in step]
    return " ".join(word for word in words if word != PADDING)
