"""Fit: an experiment takes its rows."""

from __future__ import annotations

import hashlib

import numpy as np

from nncli.config.schema import Config
from nncli.core.errors import ArgumentError, ConfigError, DataError, Problem
from nncli.core.randomness import stream
from nncli.data.base import Table, Transform
from nncli.data.split import split_table
from nncli.experiment.crosschecks import lonely_row, misfits
from nncli.experiment.experiment import Experiment


def take(experiment: Experiment, tables: dict[str, Table], *, fit: bool = True) -> None:
    """Give an experiment its rows.

    Args:
        experiment: What shall train or score them.
        tables: The parts by name; ``train`` among them.
        fit: Fit the transforms on the training part, rather than use them as they are.

    Raises:
        ConfigError: The rows do not fit the network, the loss or the metrics.
    """
    train = tables["train"]
    problems = misfits(experiment, train)
    if problems:
        raise ConfigError(problems)
    if fit:
        _fit_transforms(experiment.transforms, train)
    _fit_loss(experiment, train)
    experiment.parts = {name: experiment.prepare(t) for name, t in tables.items()}
    lonely = lonely_row(experiment)
    if lonely:
        raise ConfigError([lonely])


def split_parts(table: Table, config: Config) -> dict[str, Table]:
    """Return the parts that a config asks for.

    Raises:
        ConfigError: A part would be empty.
    """
    try:
        return split_table(table, config.split, stream(config.seed, "split"))
    except DataError as error:
        text = str(error).removeprefix("split: ")
        raise ConfigError([Problem(("split",), text)]) from None


def _fit_loss(experiment: Experiment, train: Table) -> None:
    """Let the loss take what it wants from the training part, into the config too."""
    targets, config = experiment.targets(train), experiment.config
    try:
        fitted = experiment.loss.fitted(targets)
        if fitted is not experiment.loss:
            experiment.config = config.changed(loss=config.loss.fitted(targets))
    except ArgumentError as error:
        raise ConfigError([Problem(("loss",), str(error))]) from None
    experiment.loss = fitted


def _fit_transforms(transforms: list[Transform], train: Table) -> None:
    x = train.x
    for transform in transforms:
        transform.fit(x)
        x = transform(x)


def digest(table: Table) -> str:
    """Return the SHA-256 of inputs and targets, with their types and shapes."""
    total = hashlib.sha256()
    for array in (table.x, table.y):
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()
