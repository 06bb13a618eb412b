"""The walk that makes a typed config, or one part of it, from plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path as FolderPath
from typing import Any

from nncli.config.hints import hint, without_type
from nncli.config.read import Document
from nncli.config.schema import Config
from nncli.core.description import Description, choices_of, described, described_items
from nncli.core.errors import ArgumentError, Path, Problem, told
from nncli.core.registry import Component
from nncli.core.signature import Argument, signature_of
from nncli.core.text import nearest, show, with_article


@dataclass
class _Walk:
    """Makes components and sections, and collects what is wrong on the way."""

    problems: list[Problem]
    folder_of: Callable[[Path], FolderPath] | None = None

    def value(self, annotation: Any, value: Any, path: Path) -> Any:
        """Make what ``annotation`` wants where that is something of ours.

        Other values are handed back as they are: the constructor they go to checks
        them. ``_FAILED`` stands for what could not be made and was reported.
        """
        if value is None:
            return value
        wanted = described(annotation)
        if wanted is not None and not isinstance(value, list):
            if _is_none(value) and type(None) in choices_of(annotation):
                return self.fail(
                    path, f"got {show(value)}. Write null, or leave it out."
                )
            if issubclass(wanted, Component):
                return self.component(wanted, value, path)
            return self.section(wanted, value, path)
        item = described_items(annotation)
        if item is not None and isinstance(value, list):
            made = [self.value(item, v, (*path, i)) for i, v in enumerate(value)]
            failed = any(part is _FAILED for part in made)
            return _FAILED if failed else made
        item = described_items(annotation, dict)
        if item is not None and isinstance(value, dict):
            by_name = {k: self.value(item, v, (*path, k)) for k, v in value.items()}
            failed = any(part is _FAILED for part in by_name.values())
            return _FAILED if failed else by_name
        return value

    def argument(self, argument: Argument, value: Any, path: Path) -> Any:
        """Make an argument; a file's path becomes absolute."""
        if argument.is_file and isinstance(value, str) and self.folder_of is not None:
            return str((self.folder_of(path) / value).absolute())
        return self.value(argument.annotation, value, path)

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
            return self.fail(path, f"type is missing: {without_type(family, value)}")
        cls = family.registry.find(value["type"]) if _is_text(value["type"]) else None
        if cls is None:
            name = value["type"]
            place = (*path, "type")
            if _is_text(name):
                return self.fail(place, partial(family.registry.unknown, name))
            kind = with_article(family.kind)
            return self.fail(place, f"expected the name of {kind}, got {show(name)}.")
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
            key: self.argument(signature.arguments[key], value, (*path, key))
            if key in signature.arguments
            else value
            for key, value in given.items()
        }
        failed = [key for key, part in made.items() if part is _FAILED]
        self.problems.extend(
            self.problem(cls, fault, path)
            for fault in signature.faults(made, skip=failed)
        )
        if len(self.problems) > before:
            return _FAILED
        try:
            return cls(**made)
        except ArgumentError as error:
            return self.fail(path, str(error))

    def problem(self, cls: type[Description], fault: Problem, path: Path) -> Problem:
        """Give a fault its place; an unknown key may have one elsewhere."""
        text = partial(hint, cls, str(fault.path[0])) if fault.at_key else fault.text
        return Problem((*path, *fault.path), text, fault.at_key)

    def fail(self, path: Path, text: str | Callable[[], str]) -> Any:
        self.problems.append(Problem(path, text))
        return _FAILED


_FAILED = object()


def validate(document: Document, folder: FolderPath = FolderPath()) -> Config:
    """Turn plain values into a typed config.

    Args:
        document: The plain values.
        folder: Where paths in it are relative to; those of overrides are relative to
            the working directory.

    Raises:
        ConfigError: With every problem at once.
    """
    problems: list[Problem] = []

    def folder_of(path: Path) -> FolderPath:
        typed = any(path[:n] in document.overrides for n in range(1, len(path) + 1))
        return FolderPath() if typed else folder

    config = _Walk(problems, folder_of).section(Config, document.value, ())
    if not problems:
        problems.extend(_across(config))
    if problems:
        raise document.error(problems)
    assert isinstance(config, Config)  # noqa: S101 - for the type checker
    return config


def component_from(family: Any, value: Any, path: Path = ()) -> Any:
    """Make a component or section from what YAML would say, or hand one back as it is.

    Args:
        family: The base class, for example Layer, or the section, for example Training.
        value: ``"relu"``, ``{"type": "dense", "units": 3}`` or a component.
        path: Where it stands, for messages.

    Raises:
        ArgumentError: With everything that is wrong.
    """
    problems: list[Problem] = []
    made = _Walk(problems).value(family, value, path)
    if not isinstance(made, family):
        raise ArgumentError(
            told(problems) or f"expected a {family.kind}, got {show(value)}."
        )
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


def _is_none(value: Any) -> bool:
    return _is_text(value) and value.casefold() == "none"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
