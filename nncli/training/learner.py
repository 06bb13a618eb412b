"""Learner: the network of a config, trained on rows that a program hands over."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nncli.config.schema import Recording, Training
from nncli.config.validate import component_from
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError
from nncli.data.base import Rows
from nncli.data.columns import RawRows, notes_of
from nncli.data.frames import columns_of, numeric_columns
from nncli.data.labels import Labels
from nncli.data.rows import (
    ClassWeight,
    check_paired,
    class_weighted,
    finite,
    paired,
    shaped,
    weighted,
)
from nncli.data.split import Split
from nncli.data.table import Table
from nncli.experiment.build import (
    assemble,
    input_of,
    labels_of,
    train_as,
    with_embeddings,
)
from nncli.experiment.experiment import Experiment
from nncli.experiment.fit import Places, encoded_parts, split_parts, take
from nncli.tables.encoder import Encoder
from nncli.tables.frames import raw_of
from nncli.tables.settings import Scaling
from nncli.training.arguments import callbacks_of, check_fit
from nncli.training.callbacks import Callback, History
from nncli.training.evaluate import Evaluator
from nncli.training.predictor import Predictor
from nncli.training.progress import progress_in_text
from nncli.training.step import TrainingStep
from nncli.training.threads import keep_whole, threads_of, using
from nncli.training.trainer import Trainer

# What single steps tell a schedule that wants to know the length of the training.
ENDLESS = 2**62


class Learner(Predictor):
    """Builds the network of a config when it sees rows, trains it, and uses it."""

    def fit(
        self,
        x: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        validation_split: float = 0.0,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        callbacks: Sequence[Callback] = (),
        verbose: int = 0,
        record: Recording | dict[str, Any] | None = None,
        **training: Any,
    ) -> History:
        """Train; called again, it goes on from where it is.

        Epochs, the order of their batches, the optimizer's memory and the schedule go
        on, so that three calls with ``epochs=1`` make the steps of one with
        ``epochs=3``, to the bit. Only a schedule that asks for the length of the
        training sees the end of each call. Early stopping begins anew.

        Args:
            x: (N, ...) inputs; None for the dataset of ``from_config``, which then
                trains as its config says. Columns of a frame (pandas, polars) go by
                name from then on, may hold texts and dates, and may miss cells; their
                numbers are standardized where there are any such columns.
            y: (N,) classes (integers, texts), or (N, ...) numbers.
            validation_data: Inputs and targets to evaluate on.
            validation_split: Share of the rows to evaluate on instead.
            sample_weight: (N,) how much each row counts in the loss.
            class_weight: How much the training rows of each class count in the loss, 1
                where not said; ``"balanced"`` counts all classes the same.
            callbacks: Who hears of it.
            verbose: 0 prints nothing; 1 prints progress to stdout: one line that is
                written over in a terminal, a small display in a notebook, a table of
                lines elsewhere.
            record: Which steps are recorded in the history's ``records``:
                ``{"every": 50}``, or ``{}`` for some 200; None for none.
            training: What ``training`` takes in a config: ``epochs`` (1 by default),
                ``batch_size`` (32, or ``"full"``), ``evaluate_every``, ``monitor``,
                ``clip_norm``, ``early_stopping={"patience": 10}`` and the others.

        Returns:
            The evaluations.

        Raises:
            ArgumentError: A setting is wrong, or is the config's to say.
            ConfigError: The rows do not fit the network or the loss.
            DataError: The rows are not what they should be.
            DivergedError: A loss or gradient is not finite.
        """
        self._check_compiled()
        check_fit(verbose, validation_data, validation_split)
        callbacks = callbacks_of(callbacks)
        recording = None
        if record is not None:
            recording = component_from(Recording, record, ("record",))
        if x is not None:
            length = {} if "steps" in training else {"epochs": 1}
            made = component_from(Training, {**length, **training})
            table = weighted(self._table(x, y), sample_weight)
            parts = self._parts(table, validation_data, validation_split)
            if class_weight is not None:
                _, index = parts["train"]
                heavier = class_weighted(table, class_weight, self._labels, index)
                parts["train"] = heavier, index
            experiment = self._take(parts, made)
        elif (
            training
            or validation_data
            or validation_split
            or sample_weight is not None
            or class_weight is not None
        ):
            raise ArgumentError(
                "fit: without rows the config says how to train. Give overrides to "
                "from_config, for example training.epochs=3."
            )
        else:
            experiment = self._experiment  # type: ignore[assignment]
            if experiment is None or not experiment.parts:
                raise ArgumentError("fit: expected inputs x and targets y, got none.")
        history, at = History(), self._progress
        at.go_on()
        more = experiment.total_steps
        keep_whole(experiment)
        views = [progress_in_text()] if verbose else []
        callbacks = [history, *views, *callbacks]
        Trainer(experiment, None, callbacks, at, more, recording=recording).fit()
        return history

    def train_on_batch(
        self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Make one step on one batch and return its loss before the step.

        The step is recorded once for each size of batch and then replayed. A schedule
        that depends on the length of the training sees one without an end.

        Raises:
            DivergedError: The loss or a gradient is not finite.
        """
        self._check_compiled()
        table = weighted(self._table(x, y), sample_weight)
        if self._experiment is None:
            parts, encoder = encoded_parts({"train": (table, None)})
            self._assemble(parts["train"][0], encoder)
        experiment, at = self._built, self._progress
        if self._step is None:
            self._step = TrainingStep(
                experiment.network, experiment.loss, experiment.optimizer
            )
        part = experiment.prepare(self._encoded(table))
        key = len(part), part.weighted
        if key not in self._buffers:
            self._buffers[key] = part.room(len(part))
        batch = self._buffers[key]
        part.fill(slice(0, len(part)), batch)
        lr = experiment.optimizer.lr
        rate = experiment.schedule.rate(lr, at.step, at.epoch, ENDLESS)
        at.step += 1
        with using(threads_of(experiment)):
            return self._step.run(batch, rate, at.step)

    def evaluate(self, x: ArrayLike, y: ArrayLike) -> dict[str, float | None]:
        """Return the loss and every metric on some rows."""
        part = self._built.prepare(self._encoded(self._table(x, y)))
        with using(threads_of(self._built)):
            return Evaluator(self._built, part).run()

    def _take(self, parts: dict[str, Places], training: Training) -> Experiment:
        first = self._experiment is None
        known = None if first else self._built.encoder
        parts, encoder = encoded_parts(parts, known)
        train, _ = parts["train"]
        if first:
            self.config = self.config.changed(training=training)
            self._assemble(train, encoder)
        experiment = self._built
        experiment.labels = labels_of(train)
        train_as(experiment, training)
        unfitted = any(not transform.state for transform in experiment.transforms)
        take(experiment, parts, fit=first or unfitted)
        return experiment

    def _assemble(self, rows: Rows, encoder: Encoder | None) -> None:
        config = with_embeddings(self.config, encoder)
        self._experiment = assemble(config, input_of(rows), labels_of(rows))
        self._experiment.encoder = encoder

    def _encoded(self, rows: Rows) -> Rows:
        """Return rows as inputs, where they are those of a table."""
        parts, _ = encoded_parts({"train": (rows, None)}, self._built.encoder)
        return parts["train"][0]

    def _parts(
        self,
        table: Table,
        validation: tuple[ArrayLike, ArrayLike] | None,
        share: float,
    ) -> dict[str, Places]:
        if validation is not None:
            return {
                "train": (table, None),
                "validation": (self._table(*validation), None),
            }
        config = self.config.changed(split=Split(validation=share))
        return split_parts(table, config)

    def _table(self, x: ArrayLike, y: ArrayLike | None) -> Table:
        """Check rows; name the classes where the loss wants classes."""
        if y is None:
            raise ArgumentError("fit: expected targets y, got none.")
        rows, targets = self._inputs(x, y)
        if not self.config.loss.names_classes(targets):
            return dataclasses.replace(rows, y=finite(targets, "targets"))
        if self._labels is None:
            # The first rows decide the classes, or the checkpoint did.
            known = self._experiment.labels if self._experiment else None
            self._labels = known or Labels.of(targets)
        index = self._labels.encode(targets)
        classes = tuple(self._labels.values.tolist())
        return dataclasses.replace(rows, y=index, classes=classes)

    def _inputs(self, x: Any, y: ArrayLike) -> tuple[Table, Array]:
        """Return inputs, columns of a table among them, and targets as they are."""
        encoder = None if self._experiment is None else self._experiment.encoder
        framed = encoder is not None or columns_of(x) is not None
        if not framed or (self._experiment is not None and encoder is None):
            inputs, targets = paired(x, y)
            if self._experiment is not None:
                shaped(inputs, self.network.shapes[0])
            return Table(inputs), targets
        known = {} if encoder is None else encoder.formats
        wanted, kept = (encoder.wanted, ()) if encoder else (None, numeric_columns(x))
        table = raw_of(x, wanted, formats=known, keep=kept)
        for note in notes_of(table):
            warnings.warn(f"fit: {note}", UserWarning, stacklevel=4)
        targets = np.asarray(y)
        check_paired(table.values, targets)
        # A frame of numbers alone trains the model that an array of them does.
        plain = all(column.kind == "number" for column in table.columns)
        scaling: Scaling = "none" if plain else "standard"
        names = table.names
        rows = RawRows(table.values, table=table, inputs=names, scaling=scaling)
        return rows, targets
