"""Build: a typed config to data, network, loss and optimizer that fit each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from nncli.config.load import Loaded
from nncli.config.schema import Config, Training
from nncli.core.arrays import DTYPES, Shape
from nncli.core.errors import ConfigError, Problem
from nncli.core.randomness import Streams, stream
from nncli.data.base import Rows
from nncli.data.labels import Labels
from nncli.data.table import Table
from nncli.experiment.crosschecks import check_full_batch, check_rows
from nncli.experiment.experiment import Experiment
from nncli.experiment.fit import encoded_parts, split_parts, take, token_parts
from nncli.layers.base import InputSpec, Layer, LayerError
from nncli.layers.embed_columns import EmbedColumns
from nncli.losses.base import Loss
from nncli.network.network import Network
from nncli.optimizers.average import WeightAverage
from nncli.tables.encoder import Encoder


def build(loaded: Loaded, *, files: bool = True) -> Experiment:
    """Make everything that a config describes, data included.

    Args:
        loaded: The config.
        files: Whether first values of weights are read from the files that it names; a
            checkpoint has later ones.

    Raises:
        ConfigError: Parts of the config do not fit each other or the data.
        DataError: The data cannot be read.
    """
    config = loaded.config
    try:
        if config.dataset is None:
            text = "expected a dataset to load rows from, got nothing (null)."
            raise ConfigError([Problem(("dataset",), text)])
        rows = config.dataset.load(stream(config.seed, "data"))
        rows = numbered(rows, config.loss)
        parts, encoder = encoded_parts(split_parts(rows, config))
        parts, vocabulary = token_parts(parts)
        rows, _ = parts["train"]
        check_rows(rows, config)
        config = with_embeddings(config, encoder)
        experiment = assemble(config, input_of(rows), labels_of(rows), files=files)
        experiment.encoder, experiment.vocabulary = encoder, vocabulary
        take(experiment, parts)
    except ConfigError as error:
        more = len(config.layers) - len(loaded.config.layers)
        problems = [_as_given(problem, more) for problem in error.problems]
        raise loaded.document.error(problems) from None
    experiment.data_sha256 = rows.digest()
    return experiment


def with_embeddings(config: Config, encoder: Encoder | None) -> Config:
    """Return a config whose network begins with the embeddings of a table.

    Raises:
        ConfigError: It begins with other ones.
    """
    if encoder is None or not encoder.embedded:
        return config
    layer = EmbedColumns([list(size) for size in encoder.embedded])
    if not config.layers or not isinstance(config.layers[0], EmbedColumns):
        return config.changed(layers=[layer, *config.layers])
    if config.layers[0].sizes != layer.sizes:
        text = f"expected {layer.sizes}, as the data has it, or no such layer."
        raise ConfigError([Problem(("layers", 0, "sizes"), text)])
    return config


def _as_given(problem: Problem, more: int) -> Problem:
    """Return a problem with its place in layers that some were put in front of."""
    path = problem.path
    if more and path[:1] == ("layers",) and isinstance(path[1], int):
        place = (path[0], max(path[1] - more, 0), *path[2:])
        return dataclasses.replace(problem, path=place)
    return problem


def numbered(rows: Rows, loss: Loss) -> Rows:
    """Return rows whose targets are classes' indices, where they are classes.

    Raises:
        DataError: Their values cannot be classes.
    """
    if not isinstance(rows, Table) or rows.targets == "numbers" or rows.y is None:
        return rows
    if rows.targets == "auto" and not loss.names_classes(rows.y):
        return dataclasses.replace(rows, targets="numbers")
    labels = Labels.of(rows.y)
    classes = tuple(labels.values.tolist())
    return dataclasses.replace(rows, y=labels.encode(rows.y), classes=classes)


def input_of(rows: Rows) -> InputSpec:
    """Return what rows give to a network."""
    return InputSpec(rows.fields["x"].shape, rows.below)


def labels_of(rows: Rows) -> Labels | None:
    """Return the classes of rows, if they have some."""
    return None if rows.classes is None else Labels(np.asarray(rows.classes))


def assemble(
    config: Config,
    inputs: Shape | InputSpec | Mapping[str, InputSpec],
    labels: Labels | None,
    *,
    files: bool = True,
) -> Experiment:
    """Make what a config describes for rows of a kind, without the rows.

    All that lives (parameters, what an optimizer or a schedule remembers) is on copies:
    the config may be assembled any number of times.

    Args:
        config: What is made.
        inputs: What the rows hold.
        labels: Their classes.
        files: As of ``build``.

    Raises:
        ConfigError: The layers do not fit each other.
    """
    layers, loss, fused = _fuse(config)
    streams, dtype = Streams(config.seed), DTYPES[config.precision]
    size = config.training.batch_size
    try:
        rows = 0 if size == "full" else size
        network = Network(layers, inputs, streams, dtype, rows, files=files)
    except LayerError as error:
        problem = Problem(("layers", *error.path), f"{error.name}: {error}")
        raise ConfigError([problem]) from None
    check_full_batch(config, network)
    average = config.training.average
    return Experiment(
        config=_settled(config, network),
        labels=labels,
        transforms=[transform.live() for transform in config.transforms],
        network=network,
        loss=loss,
        optimizer=config.optimizer.over(network.flat),
        schedule=config.schedule.live(),
        metrics=[metric.live() for metric in config.metrics],
        fused=fused,
        average=WeightAverage(network.flat, average.decay) if average else None,
    )


def train_as(experiment: Experiment, training: Training) -> None:
    """Let a built experiment be trained in another way from here on.

    Raises:
        ConfigError: Its optimizer cannot train in that way.
    """
    config = experiment.config.changed(training=training)
    check_full_batch(config, experiment.network)
    average = training.average
    if average != experiment.config.training.average:
        flat = experiment.network.flat
        experiment.average = WeightAverage(flat, average.decay) if average else None
    experiment.config = config


def _settled(config: Config, network: Network) -> Config:
    """Return the config with what the network's layers settled by their shapes."""
    layers = network.settled(config.layers)
    return config if layers == config.layers else config.changed(layers=layers)


def _fuse(config: Config) -> tuple[Sequence[Layer], Loss, str]:
    """Leave a last activation to the loss, where the pair has a safer common form."""
    last, loss = config.layers[-1], config.loss
    # Along another axis, a softmax is none over what the loss takes for classes.
    usual = last.output_kind() == last.output and len(config.layers) > 1
    if loss.fusion and usual and last.type_name == loss.fusion[0]:
        cls = Loss.registry.find(loss.fusion[1])
        if cls is not None:
            return config.layers[:-1], cls(**loss.arguments), last.type_name
    return config.layers, loss, ""
