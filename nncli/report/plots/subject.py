"""Subject: a run as pictures see it: its logs, and what its network gives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.core.errors import DivergedError, RunError, UsageError
from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part
from nncli.report.image_grid import drawable
from nncli.report.plots.logs import some_rows
from nncli.runs.checkpoint import load_checkpoint
from nncli.runs.directory import RunDirectory
from nncli.runs.entry import Entry, entry_of
from nncli.runs.sources import find_checkpoint
from nncli.tables.units import Unit, units_of
from nncli.training.cost import layer_facts
from nncli.training.evaluate import Evaluator, Watcher
from nncli.training.mistakes import Mistakes, has_mistakes
from nncli.training.session import restore_checkpoint
from nncli.training.state import restore
from nncli.training.threads import threads_of, using

MOST_ROWS = 5_000
OPERATIONS = 2e10
"""Rows that one picture is of at most, and operations that their forward pass takes: a
few seconds of one core."""

MOST_NUMBERS = 2**22
"""Predicted numbers that are kept at most."""

LEAST_ROWS = 16
WORST = 12
"""Mistakes that are remembered."""


@dataclass(frozen=True)
class Predicted:
    """What a network gives for rows of a part.

    Attributes:
        predictions: (n, ...) probabilities, or numbers in the units of the data.
        targets: (n, ...) classes, or numbers likewise.
        mistakes: The worst ones; see ``Mistakes``.
    """

    predictions: Array
    targets: Array
    mistakes: list[dict[str, Any]]


class Subject:
    """A run, and what is computed of it once for all pictures.

    The network is that of the best checkpoint, or of the last where there is no best.
    It sees rows of the validation part, or where there is none of the training part: a
    test part that is looked at after every training is none any more.

    Args:
        run: Its directory.
        experiment: That of the run where it is in memory; it gets the parameters of the
            checkpoint. None to build it.
        split: Another part of the data.
        allow_plugins: Whether its config may run the Python files it names.
    """

    def __init__(
        self,
        run: RunDirectory,
        experiment: Experiment | None = None,
        split: str | None = None,
        *,
        allow_plugins: bool = False,
    ) -> None:
        self.run = run
        self.name = run.path.resolve().name
        self._given = experiment
        self._split = split
        self._allow_plugins = allow_plugins
        self._failed: Exception | None = None

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The evaluations, as metrics.jsonl has them; of very many some."""
        return some_rows(self.run.metrics, self.entry.best_step)

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The recorded steps, likewise from records.jsonl; none where there is none."""
        return some_rows(self.run.records)

    @cached_property
    def entry(self) -> Entry:
        """How the run is getting on."""
        return entry_of(self.run.path)

    @property
    def experiment(self) -> Experiment:
        """The experiment with the parameters of the checkpoint.

        Raises:
            NncliError: It cannot be built here.
        """
        if self._failed is not None:
            raise self._failed
        try:
            return self._experiment
        except Exception as error:
            self._failed = error
            raise

    @cached_property
    def _experiment(self) -> Experiment:
        checkpoint = find_checkpoint(self.run.path)
        if self._given is not None:
            restore(self._given, load_checkpoint(checkpoint))
            return self._given
        restored = restore_checkpoint(checkpoint, allow_plugins=self._allow_plugins)
        return restored.experiment

    @property
    def split(self) -> str:
        """The part whose rows are drawn.

        Raises:
            UsageError: The run has no such part.
        """
        parts = self.experiment.parts
        if self._split is None:
            return "validation" if "validation" in parts else "train"
        if self._split not in parts:
            raise UsageError(
                f"{self.run.path}: expected one of the run's parts "
                f"({', '.join(parts)}), got {self._split}."
            )
        return self._split

    @cached_property
    def part(self) -> Part:
        """Rows of that part, evenly spaced where there are too many."""
        part = self.experiment.parts[self.split].without_overlap()
        wanted = self.within(MOST_ROWS, LEAST_ROWS)
        numbers = math.prod(self.experiment.network.shapes[-1])
        wanted = max(1, min(wanted, MOST_NUMBERS // max(1, numbers)))
        if len(part) <= wanted:
            return part
        return part.some(np.linspace(0, len(part) - 1, wanted).astype(int))

    @property
    def shown(self) -> str:
        """What is drawn: ``validation part``, ``5,000 of 60,000 rows``."""
        rows = len(self.part)
        whole = len(self.experiment.parts[self.split].without_overlap())
        few = "" if rows == whole else f", {rows:,} of {whole:,} rows"
        return f"{self.split} part{few}"

    def within(self, most: int, least: int) -> int:
        """Return how many rows the network is run for, by what one of them takes."""
        each = sum(facts["flops"] for facts in layer_facts(self.experiment.network))
        return max(least, min(most, int(OPERATIONS // max(1, each))))

    @property
    def one_class(self) -> bool:
        """Whether each row has one class."""
        experiment = self.experiment
        return experiment.loss.aligned and has_mistakes(experiment, self.part)

    @property
    def numbers(self) -> bool:
        """Whether targets are numbers in the shape of the predictions."""
        experiment = self.experiment
        plain = experiment.classes is None and experiment.vocabulary is None
        return plain and experiment.loss.aligned and not experiment.yes_or_no

    @property
    def of_images(self) -> bool:
        """Whether inputs are images that can be drawn."""
        return drawable(self.part.shape)

    @cached_property
    def predicted(self) -> Predicted:
        """What the network gives for the rows of the part."""
        experiment, part = self.experiment, self.part
        seen = _Seen()
        worst = Mistakes(experiment, part, WORST) if self.one_class else None
        watchers: list[Watcher] = [seen] if worst is None else [seen, worst]
        with using(threads_of(experiment)):
            try:
                Evaluator(experiment, part, metrics=(), watchers=watchers).run()
            except DivergedError as error:
                raise RunError(f"{self.run.path}: {error}") from None
        found = [] if worst is None else worst.result()
        return Predicted(*seen.arrays(), found)

    @cached_property
    def probabilities(self) -> Array:
        """(n, K) of the classes, also where the network gives that of one."""
        values = self.predicted.predictions
        values = values.reshape(len(values), -1).astype(np.float64)
        if values.shape[1] == 1:
            return np.concatenate([1 - values, values], axis=1)
        return values

    @property
    def inputs(self) -> tuple[Unit, ...]:
        """What each number in a row stands for."""
        encoder = self.experiment.encoder
        count = math.prod(self.experiment.network.shapes[0])
        if encoder is not None and len(encoder.features) == count:
            return units_of(encoder)
        return tuple(Unit(f"x{i + 1}") for i in range(count))


class _Seen:
    """Keeps what metrics see."""

    def reset(self) -> None:
        self._kept: list[tuple[Array, Array]] = []

    def score(self, predictions: Array, targets: Array, lengths: Array | None) -> None:
        # The buffers of a batch are written over by the next one.
        self._kept.append((predictions.copy(), targets.copy()))

    def arrays(self) -> tuple[Array, Array]:
        predictions, targets = zip(*self._kept, strict=True)
        return np.concatenate(predictions), np.concatenate(targets)
