"""Build: a typed config to data, network, loss and optimizer that fit each other."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np

from nncli.autograd.tape import no_grad
from nncli.autograd.tensor import Tensor
from nncli.backend import DTYPES, Array, Shape, xp
from nncli.config.load import Loaded
from nncli.config.schema import Config, Training
from nncli.data.base import Table, Transform
from nncli.data.split import split_table
from nncli.errors import (
    ArgumentError,
    ConfigError,
    DataError,
    Path,
    Problem,
    ShapeError,
)
from nncli.layers.base import Layer, LayerError
from nncli.losses.base import Loss
from nncli.metrics.base import Metric
from nncli.network import Network
from nncli.optimizers.average import WeightAverage
from nncli.optimizers.base import Optimizer
from nncli.schedules.base import Schedule
from nncli.streams import Streams, stream


@dataclass(frozen=True)
class Part:
    """One part of the data, ready to train or to evaluate on.

    Attributes:
        x: (N, ...) transformed inputs in the dtype of the run.
        targets: (N, ...) targets as the loss wants them.
        weights: (N,) how much each row counts in the loss; None for 1.
    """

    x: Array
    targets: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.x)


@dataclass
class Experiment:
    """Everything that a config describes, made and fitted together.

    Attributes:
        config: The typed config.
        parts: train, and validation and test where the config asks for them.
        classes: Names of the classes; None where targets are numbers.
        transforms: Fitted on the training part.
        network: Without a last activation that is fused into the loss.
        loss: What is computed, which may be the fused form of what the config says.
        fused: Name of the activation that is part of the loss, or "".
        data_sha256: Digest of all inputs and targets before the split.
        streams: The generators that the network draws from.
        average: The moving average of the weights, where the config asks for one.
    """

    config: Config
    classes: tuple[str, ...] | None
    transforms: list[Transform]
    network: Network
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    metrics: list[Metric]
    streams: Streams
    fused: str = ""
    data_sha256: str = ""
    parts: dict[str, Part] = field(default_factory=dict)
    average: WeightAverage | None = None

    @property
    def batch_size(self) -> int:
        """Rows a training step; 1 where a loaded model has no rows to train on."""
        size = self.config.training.batch_size
        rows = len(self.parts["train"]) if "train" in self.parts else 1
        return rows if size == "full" else min(size, rows)

    @property
    def steps_per_epoch(self) -> int:
        """Training steps an epoch."""
        batches = math.ceil(len(self.parts["train"]) / self.batch_size)
        return math.ceil(batches / self.config.training.accumulate)

    def in_use(self) -> AbstractContextManager[None]:
        """Let the network have, inside the block, the weights it is to be used with."""
        return nullcontext() if self.average is None else self.average.in_use()

    def prepare(self, table: Table) -> Part:
        """Transform and encode rows as those of the training part were."""
        x = table.x
        for transform in self.transforms:
            x = transform(x)
        dtype = DTYPES[self.config.precision]
        targets = self.loss.encode(
            table.y, table.classes, self.network.shapes[-1], dtype
        )
        weights = None if table.weights is None else table.weights.astype(dtype)
        return Part(np.ascontiguousarray(x, dtype), targets, weights)

    def draw(self, seed: int) -> Table:
        """Draw new rows of the dataset's kind, other than those of any training.

        Raises:
            DataError: The dataset is not drawn but given.
        """
        dataset = self.config.dataset
        if not dataset.drawn:
            raise DataError(
                f"dataset {dataset.type_name}: expected one that is drawn from a "
                "formula, to draw fresh rows; this one is given. Use another split."
            )
        # A second key keeps the draw apart from the training data of every seed.
        return dataset.load(stream(seed, "data", 1))


def build(loaded: Loaded) -> Experiment:
    """Make everything that a config describes, data included.

    Raises:
        ConfigError: Parts of the config do not fit each other or the data.
        DataError: The data cannot be read.
    """
    config = loaded.config
    try:
        # Numbers that are not finite are found by looking, not by warnings.
        with xp.errstate(all="ignore"):
            table = config.dataset.load(stream(config.seed, "data"))
            _check_table(table, config)
            tables = _split(table, config)
            experiment = assemble(config, table.x.shape[1:], table.classes)
            take(experiment, tables)
    except ConfigError as error:
        raise loaded.document.error(error.problems) from None
    experiment.data_sha256 = _digest(table)
    return experiment


def assemble(
    config: Config, input_shape: Shape, classes: tuple[str, ...] | None
) -> Experiment:
    """Make what a config describes for rows of a shape, without the rows.

    Raises:
        ConfigError: The layers do not fit each other.
    """
    streams = Streams(config.seed)
    layers, loss, fused = _fuse(config)
    try:
        network = Network(layers, input_shape, streams, DTYPES[config.precision])
    except LayerError as error:
        problem = Problem(("layers", *error.path), f"{error.name}: {error}")
        raise ConfigError([problem]) from None
    if config.optimizer.full_batch:
        _check_full_batch(config, network, streams)
    config.optimizer.start(network.flat)
    average = config.training.average
    return Experiment(
        config=config,
        classes=classes,
        transforms=config.transforms,
        network=network,
        loss=loss,
        optimizer=config.optimizer,
        schedule=config.schedule,
        metrics=config.metrics,
        streams=streams,
        fused=fused,
        average=WeightAverage(network.flat, average.decay) if average else None,
    )


def train_as(experiment: Experiment, training: Training) -> None:
    """Let a built experiment be trained in another way from here on.

    Raises:
        ConfigError: Its optimizer cannot train in that way.
    """
    config = dataclasses.replace(experiment.config, training=training)
    if config.optimizer.full_batch:
        _check_full_batch(config, experiment.network, experiment.streams)
    average = training.average
    if average != experiment.config.training.average:
        flat = experiment.network.flat
        experiment.average = WeightAverage(flat, average.decay) if average else None
    experiment.config = config


def _check_full_batch(config: Config, network: Network, streams: Streams) -> None:
    """Refuse an optimizer that compares losses where these are not comparable."""
    name, training = config.optimizer.type_name, config.training
    noisy = _drawing_layer(network, streams)
    text = ""
    if training.batch_size != "full":
        text = f"full, got {training.batch_size}. Set training.batch_size=full."
    elif training.clip_norm or training.clip_value:
        text = (
            "full, and gradients as they are. Remove training.clip_norm and clip_value."
        )
    elif noisy:
        text = f"full, and no random numbers; {noisy} draws some. Remove that layer."
    if text:
        text = f"{name} compares the loss at several points: expected batch_size {text}"
        raise ConfigError([Problem(("optimizer",), text)])


def _drawing_layer(network: Network, streams: Streams) -> str:
    """Return the label of the first layer that draws numbers in training, or ""."""
    generator = streams.dropout.bit_generator
    before, state = generator.state, {k: a.copy() for k, a in network.state.items()}
    x = Tensor(xp.zeros((max(2, network.min_rows), *network.shapes[0]), network.dtype))
    network.set_training(True)
    found = ""
    with no_grad(), xp.errstate(all="ignore"):
        for layer in network.layers:
            x = layer(x)
            if not found and generator.state != before:
                found = layer.label
    generator.state = before
    for name, array in state.items():
        xp.copyto(network.state[name], array)
    return found


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
    problems = _misfits(experiment, train)
    if problems:
        raise ConfigError(problems)
    if fit:
        _fit_transforms(experiment.transforms, train)
    experiment.parts = {name: experiment.prepare(t) for name, t in tables.items()}
    lonely = _lonely_row(experiment)
    if lonely:
        raise ConfigError([lonely])


def _split(table: Table, config: Config) -> dict[str, Table]:
    try:
        return split_table(table, config.split, stream(config.seed, "split"))
    except DataError as error:
        text = str(error).removeprefix("split: ")
        raise ConfigError([Problem(("split",), text)]) from None


def _check_table(table: Table, config: Config) -> None:
    name = config.dataset.type_name
    if not len(table):
        raise DataError(f"dataset {name}: expected at least one row, got none.")
    if not np.isfinite(table.x).all() or not np.isfinite(table.y).all():
        raise DataError(
            f"dataset {name}: expected finite numbers, got NaN or infinity."
        )


def _fuse(config: Config) -> tuple[list[Layer], Loss, str]:
    """Leave a last activation to the loss, where the pair has a safer common form."""
    last, loss = config.layers[-1], config.loss
    if loss.fusion and last.type_name == loss.fusion[0] and len(config.layers) > 1:
        cls = Loss.registry.find(loss.fusion[1])
        if cls is not None:
            return config.layers[:-1], cls(**loss.arguments), last.type_name
    return config.layers, loss, ""


def _misfits(experiment: Experiment, table: Table) -> list[Problem]:
    """Find what does not fit between data, network, loss and metrics."""
    config, network, loss = experiment.config, experiment.network, experiment.loss
    problems = []
    refusal = loss.refuses(network.output)
    if refusal:
        problems.append(Problem(("loss",), refusal))
    else:
        try:
            loss.encode(table.y, table.classes, network.shapes[-1], network.dtype)
        except ShapeError as error:
            problems.append(Problem(_last_sized(network), str(error)))
        except ArgumentError as error:
            problems.append(Problem(("loss",), str(error)))
    task = "regression" if table.classes is None else "classification"
    kind = "numbers" if table.classes is None else "classes"
    for i, metric in enumerate(config.metrics):
        if metric.task != task:
            text = (
                f"{metric.type_name} scores {metric.task}; the targets of dataset "
                f"{config.dataset.type_name} are {kind}."
            )
            problems.append(Problem(("metrics", i), text))
    return problems


def _last_sized(network: Network) -> Path:
    """Return the path of the last layer that decides the size of the output."""
    for layer in reversed(network.nested.values()):
        if "units" in layer.arguments:
            return ("layers", *layer.source, "units")
    return ("layers", *network.layers[-1].source)


def _fit_transforms(transforms: list[Transform], train: Table) -> None:
    x = train.x
    for transform in transforms:
        transform.fit(x)
        x = transform(x)


def _lonely_row(experiment: Experiment) -> Problem | None:
    """Find a training batch too small for a layer that needs several rows."""
    rows = len(experiment.parts["train"])
    smallest = rows % experiment.batch_size or experiment.batch_size
    for layer in experiment.network.nested.values():
        if smallest < layer.min_rows:
            text = (
                f"{layer.type_name} needs at least {layer.min_rows} rows in every "
                f"batch; batches of {experiment.batch_size} leave a last one with "
                f"{smallest} of the {rows} training rows. Choose another "
                "training.batch_size."
            )
            return Problem(("layers", *layer.source), text)
    return None


def _digest(table: Table) -> str:
    digest = hashlib.sha256()
    for array in (table.x, table.y):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
