"""Fit: an experiment takes its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nncli.config.schema import Config
from nncli.core.arrays import Array, counted
from nncli.core.errors import ArgumentError, ConfigError, DataError, Problem
from nncli.data.base import Rows, Transform
from nncli.data.columns import RawRows, encoded
from nncli.data.sequences import StepTable
from nncli.data.split import Split, split_rows
from nncli.data.token_table import TokenTable
from nncli.data.vocabulary import Vocabulary
from nncli.data.windows import Windows
from nncli.experiment.crosschecks import (
    misfits,
    stateful_without_stream,
    unfit_batches,
    unfit_for_tokens,
    unsuited,
)
from nncli.experiment.experiment import Experiment
from nncli.experiment.target_scale import TargetScale
from nncli.losses.binary import Binary
from nncli.tables.encoder import Encoder

Places = tuple[Rows, Array | None]
"""Rows, and which of them; None for all."""


def take(
    experiment: Experiment, parts: Mapping[str, Places], *, fit: bool = True
) -> None:
    """Give an experiment its rows.

    Args:
        experiment: What shall train or score them.
        parts: The parts by name; ``train`` among them.
        fit: Fit the transforms on the training part, rather than use them as they are.

    Raises:
        ConfigError: The rows do not fit the network, the loss or the metrics.
    """
    rows, index = parts["train"]
    problems = [
        *misfits(experiment, rows),
        *unfit_for_tokens(experiment, rows),
        *stateful_without_stream(experiment, rows),
    ]
    if problems:
        raise ConfigError(problems)
    if fit:
        _fit_transforms(experiment.transforms, rows, index)
    _fit_loss(experiment, rows, index)
    experiment.parts = {name: experiment.prepare(*part) for name, part in parts.items()}
    problems = unsuited(experiment)
    if problems:
        raise ConfigError(problems)
    problems = unfit_batches(experiment)
    if problems:
        raise ConfigError(problems)


def encoded_parts(
    parts: Mapping[str, Places], encoder: Encoder | None = None
) -> tuple[dict[str, Places], Encoder | None]:
    """Return parts whose columns of a table, where they are some, became inputs.

    Args:
        parts: The parts by name; ``train`` among them.
        encoder: What was learned of the columns; None to learn it from ``train``.
    """
    train, index = parts["train"]
    if not isinstance(train, RawRows):
        return dict(parts), encoder
    if encoder is None:
        encoder = train.fit(index)
    made: dict[int, Rows] = {}
    for rows, _ in parts.values():
        if isinstance(rows, RawRows) and id(rows) not in made:
            made[id(rows)] = encoded(rows, encoder)
    return {n: (made[id(rows)], i) for n, (rows, i) in parts.items()}, encoder


def split_parts(rows: Rows, config: Config) -> dict[str, Places]:
    """Return the parts that a config asks for: places of rows, or stretches of a text.

    Raises:
        ConfigError: A part would be empty.
    """
    try:
        if isinstance(rows, Windows):
            cut = rows.split(*_shares(config.split))
            return {name: (stretch, None) for name, stretch in cut.items()}
        parts = split_rows(rows, config.split, config.seed)
    except DataError as error:
        text = str(error).removeprefix("split: ")
        raise ConfigError([Problem(("split",), text)]) from None
    return {name: (rows, index) for name, index in parts.items()}


def _shares(split: Split) -> tuple[float, float]:
    """Return the shares of a text that are kept from training, in its order.

    Raises:
        DataError: Its tokens cannot be split so.
    """
    named = {"column": split.column, "time": split.time, "group": split.group}
    named["fold"] = None if split.fold is None else "a fold"
    for name, value in named.items():
        if value is not None:
            raise DataError(
                f"split: expected shares of a text, whose first tokens train, got "
                f"{name}. Leave split.{name} out."
            )
    return split.validation, split.test


def token_parts(
    parts: Mapping[str, Places],
) -> tuple[dict[str, Places], Vocabulary | None]:
    """Return parts whose tokens, where they hold some, are those of a vocabulary.

    Args:
        parts: The parts by name; the vocabulary is that of ``train``.

    Raises:
        DataError: Another part holds characters that ``train`` does not have.
    """
    train, index = parts["train"]
    if not isinstance(train, Windows | TokenTable):
        return dict(parts), None
    vocabulary = train.fit(index)
    made: dict[int, Rows] = {}
    for rows, _ in parts.values():
        if isinstance(rows, Windows | TokenTable) and id(rows) not in made:
            made[id(rows)] = rows.encoded(vocabulary)
    return {n: (made[id(rows)], i) for n, (rows, i) in parts.items()}, vocabulary


def _fit_loss(experiment: Experiment, rows: Rows, index: Array | None) -> None:
    """Let the loss take what it wants from the training part, into the config too."""
    config = experiment.config
    index = rows.without_overlap(index)
    places = slice(0, len(rows)) if index is None else index
    values = rows.read("y", places)
    experiment.target_names = rows.target_names
    if isinstance(rows, StepTable):
        experiment.step_columns = rows.step_columns
    if isinstance(config.loss, Binary) and rows.classes is None:
        experiment.yes_or_no = bool(((values == 0) | (values == 1)).all())
    if rows.scale_targets and config.loss.distance and rows.classes is None:
        experiment.target_scale = TargetScale.of(values)
    stepwise = values.shape[1:2] == rows.fields["x"].shape[:1]
    if "lengths" in rows.fields and stepwise:
        # Padding is no target.
        values = counted(values, rows.read("lengths", places))
    targets = experiment.targets(rows, values)
    try:
        fitted = experiment.loss.fitted(targets)
        if fitted is not experiment.loss:
            experiment.config = config.changed(loss=config.loss.fitted(targets))
    except ArgumentError as error:
        raise ConfigError([Problem(("loss",), str(error))]) from None
    experiment.loss = fitted


def _fit_transforms(
    transforms: Sequence[Transform], rows: Rows, index: Array | None
) -> None:
    for count, transform in enumerate(transforms):
        transform.fit(_changed(rows, index, transforms[:count]))


def _changed(
    rows: Rows, index: Array | None, transforms: Sequence[Transform]
) -> Iterator[Array]:
    """Yield inputs in float64, as the transforms before the one to be fitted do."""
    sized = "lengths" in rows.fields
    for x, *lengths in rows.blocks("x", *["lengths"] * sized, index=index):
        # Of sequences, each step that is there is a row of its own.
        x = counted(x.astype(np.float64), lengths[0] if sized else None)
        for transform in transforms:
            transform.apply(x)
        yield x
