"""Cross-checks: what does not fit between parts that are right alone."""

from __future__ import annotations

from collections.abc import Sequence

from nncli.autograd.tape import no_grad
from nncli.config.schema import Config
from nncli.core.errors import (
    ArgumentError,
    ConfigError,
    DataError,
    Path,
    Problem,
    ShapeError,
)
from nncli.core.registry import Component
from nncli.core.text import show
from nncli.data.base import Field, Rows
from nncli.data.rows import not_finite
from nncli.experiment.experiment import Experiment
from nncli.network.network import Network
from nncli.network.trial import trial


def check_full_batch(config: Config, network: Network) -> None:
    """Refuse an optimizer that compares losses where these are not comparable.

    Raises:
        ConfigError: Batches, clipping or noise make them so.
    """
    if not config.optimizer.full_batch:
        return
    name, training = config.optimizer.type_name, config.training
    noisy = _drawing_layer(network)
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


def _drawing_layer(network: Network) -> str:
    """Return the label of the first layer that draws numbers in training, or ""."""
    generator = network.streams.noise.bit_generator
    before = generator.state
    with trial(network, training=True), no_grad():
        network(network.zeros(max(2, network.min_rows)))
        drew = generator.state != before
    if not drew:
        return ""
    noise = network.streams.noise
    holding = [
        layer.label
        for layer in network.nested.values()
        if any(part is noise for part in vars(layer).values())
    ]
    return holding[0] if holding else "a layer"


def check_rows(rows: Rows, config: Config) -> None:
    """Refuse rows that no network can be trained on.

    Raises:
        DataError: There are none, or some are not finite.
    """
    name = config.dataset.type_name if config.dataset else ""
    if not len(rows):
        raise DataError(f"dataset {name}: expected at least one row, got none.")
    for field, what in (("x", "inputs"), ("y", "targets")):
        fault = not_finite(rows, field, rows.columns if field == "x" else None)
        if fault:
            raise DataError(f"dataset {name}: expected finite {what}: {fault}.")


def misfits(experiment: Experiment, rows: Rows) -> list[Problem]:
    """Find what does not fit between data, network, loss and metrics."""
    config, network, loss = experiment.config, experiment.network, experiment.loss
    problems = _one_token(rows)
    refusal = loss.refuses(network.output)
    if refusal:
        problems.append(Problem(("loss",), refusal))
    else:
        try:
            for (block,) in rows.blocks("y", index=rows.without_overlap(None)):
                experiment.encode(rows, block)
        except ShapeError as error:
            problems.append(
                _one_class(rows) or Problem(_last_sized(network), str(error))
            )
        except ArgumentError as error:
            problems.append(Problem(("loss",), str(error)))
    task = "regression" if rows.classes is None else "classification"
    kind = "numbers" if rows.classes is None else "classes"
    for i, metric in enumerate(config.metrics):
        if metric.task != task:
            where = f" of dataset {config.dataset.type_name}" if config.dataset else ""
            text = (
                f"{metric.type_name} scores {metric.task}; the targets{where} are "
                f"{kind}."
            )
            problems.append(Problem(("metrics", i), text))
        elif not loss.aligned:
            text = (
                f"{metric.type_name} compares each prediction with its target; which "
                f"these are, loss {loss.type_name} leaves open. Remove it."
            )
            problems.append(Problem(("metrics", i), text))
    return problems


def _one_class(rows: Rows) -> Problem | None:
    """Find targets that are all of one class: the outputs are not to blame."""
    if rows.classes is None or len(rows.classes) > 1:
        return None
    text = f"expected targets of at least two classes, got {show(rows.classes[0])} in "
    return Problem(("dataset",), f"{text}all {len(rows):,} rows.")


def _one_token(rows: Rows) -> list[Problem]:
    """Find texts in which there is nothing to learn."""
    if rows.below != 1 or rows.classes is None:
        return []
    text = f"expected at least two different tokens, got {show(rows.classes[0])} only."
    return [Problem(("dataset",), text)]


def unfit_for_tokens(experiment: Experiment, rows: Rows) -> list[Problem]:
    """Find what changes numbers, where inputs are tokens."""
    if rows.below is None:
        return []
    config = experiment.config
    named: dict[str, Sequence[Component]] = {
        "transforms": config.transforms,
        "augmentations": config.augmentations,
    }
    return [
        Problem(
            (key, i),
            f"{each.type_name} changes numbers; the inputs of dataset "
            f"{config.dataset.type_name if config.dataset else ''} are tokens. Remove "
            "it.",
        )
        for key, members in named.items()
        for i, each in enumerate(members)
    ]


def stateful_without_stream(experiment: Experiment, rows: Rows) -> list[Problem]:
    """Find layers that go on from batch to batch, where rows do not.

    Neither windows that are drawn do so nor rows that are sequences of their own.
    """
    if rows.stream:
        return []
    got = "rows of their own in drawn order. Leave stateful out."
    if rows.per_epoch is not None:
        got = "windows that are drawn. Set dataset.stream: true."
    return [
        Problem(
            ("layers", *layer.source, "stateful"),
            f"expected rows that go on from batch to batch, got {got}",
        )
        for layer in experiment.network.nested.values()
        if getattr(layer, "stateful", False)
    ]


def unsuited(experiment: Experiment) -> list[Problem]:
    """Find augmentations that cannot change such rows."""
    train = experiment.parts["train"]
    inputs = Field(train.dtype, train.shape)
    return [
        Problem(("augmentations", i), f"{augmentation.type_name}: {refusal}")
        for i, augmentation in enumerate(experiment.config.augmentations)
        if (refusal := augmentation.refuses(inputs, train.target))
    ]


def _last_sized(network: Network) -> Path:
    """Return the path of the last layer that decides the size of the output."""
    for layer in reversed(network.nested.values()):
        if "units" in layer.arguments:
            return ("layers", *layer.source, "units")
    return ("layers", *network.layers[-1].source)


def unfit_batches(experiment: Experiment) -> list[Problem]:
    """Find training batches that are too small for a layer, or for their shards."""
    problems = []
    shards, size = experiment.config.training.shards, experiment.batch_size
    if shards != "auto" and shards > size:
        text = (
            f"expected at most one shard for each of the {size} rows of a batch, got "
            f"{shards}. Choose fewer shards, or a larger training.batch_size."
        )
        problems.append(Problem(("training", "shards"), text))
    lonely = _lonely_row(experiment)
    return problems if lonely is None else [*problems, lonely]


def _lonely_row(experiment: Experiment) -> Problem | None:
    """Find a training batch too small for a layer that needs several rows."""
    rows = experiment.epoch_rows
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
