"""Schema: the typed config, and the walk that makes it from plain values."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import Field

from nncli.config.read import Document
from nncli.core.errors import ArgumentError, Path, Problem
from nncli.core.registry import Component, spec_of
from nncli.core.signature import (
    Description,
    Fraction,
    NonNegative,
    Positive,
    PositiveFloat,
    Section,
    signature_of,
)
from nncli.core.text import nearest, show, with_article
from nncli.data.base import Dataset, Transform
from nncli.data.split import Split
from nncli.layers.base import Layer
from nncli.losses.base import Loss
from nncli.metrics.base import Metric
from nncli.optimizers.base import Optimizer
from nncli.schedules.base import Schedule
from nncli.schedules.decay import Constant

Seed = Annotated[int, Ge(0), Le(2**63 - 1)]


class EarlyStopping(Section):
    """Stop when the monitored value has not improved for a while.

    Attributes:
        patience: Epochs to go on without an improvement.
        min_delta: By how much a value must be better to count as an improvement.
    """

    patience: Positive
    min_delta: NonNegative = 0.0


class Averaging(Section):
    """Evaluate and use a moving average of the weights instead of the last ones.

    Attributes:
        decay: Share of the average that stays at each step.
    """

    decay: Fraction = 0.999


class Training(Section):
    """How long and in which portions.

    Attributes:
        epochs: Passes over the training part.
        batch_size: Rows a step; ``full`` for all of them.
        evaluate_every: Epochs between two evaluations; the last one always counts.
        monitor: ``loss`` or a metric: decides which checkpoint is the best one. Of
            the validation part, where there is one, else of the training part.
        clip_norm: Scale a gradient down to at most this Euclidean norm; null for never.
        clip_value: Cut each element of a gradient to at most this size, before
            clip_norm; null for never.
        accumulate: Batches a step: their gradients are averaged as if they were one
            batch. What is left at the end of an epoch makes a step of its own.
        average: A moving average of the weights, for evaluations and all use of the
            network; null for none. Checkpoints hold both.
        early_stopping: When to stop before the last epoch; null for never.
        checkpoint_seconds: Seconds that lie at least between two checkpoints while
            training; 0 writes one at every evaluation.
    """

    epochs: Positive
    batch_size: Positive | Literal["full"] = 32
    evaluate_every: Positive = 1
    monitor: str = "loss"
    clip_norm: PositiveFloat | None = None
    clip_value: PositiveFloat | None = None
    accumulate: Positive = 1
    average: Averaging | None = None
    early_stopping: EarlyStopping | None = None
    checkpoint_seconds: NonNegative = 10.0

    def __post_init__(self) -> None:
        """Refuse to gather batches where there is only one."""
        if self.accumulate > 1 and self.batch_size == "full":
            raise ArgumentError(
                f"expected accumulate 1 with batch_size full, got {self.accumulate}: "
                "an epoch then has one batch. Set batch_size to a number."
            )


class Config(Section):
    """One experiment.

    Attributes:
        dataset: Where the rows come from; null where a program hands them over.
        layers: The network, from input to output.
        loss: What training makes small.
        optimizer: How parameters move.
        training: How long and in which portions.
        name: Name of the run directory; by default the file's name.
        seed: Seed of everything random.
        precision: Element type of the whole run.
        split: Which rows are kept from training.
        transforms: Changes of the inputs, in order, fitted on the training part.
        schedule: How the learning rate changes.
        metrics: What is scored beside the loss.
        plugins: Python files with components of your own; relative to this file.
    """

    dataset: Dataset | None
    # A model that is made in Python may begin without layers; a file may not.
    layers: Annotated[list[Layer], Field(json_schema_extra={"minItems": 1})]
    loss: Loss
    optimizer: Optimizer
    training: Training
    name: str = "run"
    seed: Seed = 0
    precision: Literal["float32", "float64"] = "float32"
    split: Split = field(default_factory=Split)
    transforms: list[Transform] = field(default_factory=list)
    schedule: Schedule = field(default_factory=Constant)
    metrics: list[Metric] = field(default_factory=list)
    plugins: list[str] = field(default_factory=list)

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The config as plain values, every default filled in; not to be changed."""
        spec: dict[str, Any] = spec_of(self)
        return spec


@dataclass
class _Walk:
    """Makes components and sections, and collects what is wrong on the way."""

    problems: list[Problem]

    def value(self, annotation: Any, value: Any, path: Path) -> Any:
        """Make what ``annotation`` wants where that is something of ours.

        Other values are handed back as they are: the constructor they go to checks
        them. ``_FAILED`` stands for what could not be made and was reported.
        """
        if value is None:
            return value
        wanted = _ours(annotation)
        if wanted is not None and not isinstance(value, list):
            if issubclass(wanted, Component):
                return self.component(wanted, value, path)
            return self.section(wanted, value, path)
        item = _item_of_ours(annotation)
        if item is not None and isinstance(value, list):
            made = [self.value(item, v, (*path, i)) for i, v in enumerate(value)]
            return _FAILED if _FAILED in made else made
        return value

    def component(self, family: type[Component], value: Any, path: Path) -> Any:
        if isinstance(value, family):
            return value
        if isinstance(value, str):
            value = {"type": value}
        if not isinstance(value, dict):
            names = ", ".join(family.registry.names())
            kind = with_article(family.kind)
            text = f"expected {kind} ({names}), got {show(value)}."
            return self.fail(path, text)
        if "type" not in value:
            names = ", ".join(family.registry.names())
            text = f"type is missing: expected {{type: ...}} with one of {names}."
            return self.fail(path, text)
        cls = family.registry.find(value["type"]) if _is_text(value["type"]) else None
        if cls is None:
            name = value["type"]
            text = (
                family.registry.unknown(name)
                if _is_text(name)
                else f"expected the name of {with_article(family.kind)}, "
                f"got {show(name)}."
            )
            place = (*path, "type")
            return self.fail(place, text)
        rest = {key: v for key, v in value.items() if key != "type"}
        return self.construct(cls, rest, path)

    def section(self, cls: type[Description], value: Any, path: Path) -> Any:
        if isinstance(value, cls):
            return value
        if not isinstance(value, dict):
            names = ", ".join(signature_of(cls).arguments)
            text = f"expected a mapping ({names}), got {show(value)}."
            return self.fail(path, text)
        return self.construct(cls, value, path)

    def construct(
        self, cls: type[Description], given: dict[str, Any], path: Path
    ) -> Any:
        signature = signature_of(cls)
        before = len(self.problems)
        made = {
            key: self.value(signature.arguments[key].annotation, value, (*path, key))
            if key in signature.arguments
            else value
            for key, value in given.items()
        }
        failed = [key for key, part in made.items() if part is _FAILED]
        self.problems.extend(
            Problem((*path, *fault.path), fault.message, fault.at_key)
            for fault in signature.faults(made, skip=failed)
        )
        if len(self.problems) > before:
            return _FAILED
        try:
            return cls(**made)
        except ArgumentError as error:
            return self.fail(path, str(error))

    def fail(self, path: Path, message: str) -> Any:
        self.problems.append(Problem(path, message))
        return _FAILED


_FAILED = object()


def validate(document: Document) -> Config:
    """Turn plain values into a typed config.

    Raises:
        ConfigError: With every problem at once.
    """
    problems: list[Problem] = []
    config = _Walk(problems).section(Config, document.value, ())
    if not problems:
        problems.extend(_across(config))
    if problems:
        raise document.error(problems)
    assert isinstance(config, Config)  # noqa: S101 - for the type checker
    return config


def component_from(family: Any, value: Any) -> Any:
    """Make a component or section from what YAML would say, or hand one back as it is.

    Args:
        family: The base class, for example Layer, or the section, for example Training.
        value: ``"relu"``, ``{"type": "dense", "units": 3}`` or a component.

    Raises:
        ArgumentError: With everything that is wrong.
    """
    problems: list[Problem] = []
    made = _Walk(problems).value(family, value, ())
    if not isinstance(made, family):
        text = "\n".join(map(str, problems))
        raise ArgumentError(text or f"expected a {family.kind}, got {show(value)}.")
    return made


def _across(config: Config) -> list[Problem]:
    """Find what is wrong between parts that are right alone."""
    problems = []
    if not config.layers:
        text = "expected a list of layers (at least 1), got a list []."
        problems.append(Problem(("layers",), text))
    allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
    name = config.name
    if not name or set(name) - set(allowed) or name[0] in ".-" or len(name) > 64:
        text = (
            "expected 1 to 64 letters, digits, '.', '_' and '-', not beginning with "
            f"'.' or '-', got {show(name)}."
        )
        problems.append(Problem(("name",), text))
    scores = ["loss", *(metric.key for metric in config.metrics)]
    for i, metric in enumerate(config.metrics):
        if metric.key in scores[: i + 1]:
            text = f"expected each metric only once, got {metric.key} again."
            problems.append(Problem(("metrics", i), text))
    if config.training.monitor not in scores:
        text = f"unknown score {config.training.monitor!r}. "
        text += nearest(config.training.monitor, scores)
        problems.append(Problem(("training", "monitor"), text))
    return problems


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _choices(annotation: Any) -> list[Any]:
    """Return the alternatives of an annotation, without null and bounds."""
    if typing.get_origin(annotation) is Annotated:
        return _choices(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [c for part in typing.get_args(annotation) for c in _choices(part)]
    return [] if annotation is type(None) else [annotation]


def _ours(annotation: Any) -> type[Description] | None:
    """Return the family or section that an annotation names, if any."""
    for choice in _choices(annotation):
        if isinstance(choice, type) and issubclass(choice, Description):
            return choice
    return None


def _item_of_ours(annotation: Any) -> Any:
    """Return the annotation of a list's items, where those are ours."""
    for choice in _choices(annotation):
        if typing.get_origin(choice) is list:
            item = typing.get_args(choice)[0]
            if _ours(item) or _item_of_ours(item):
                return item
    return None
