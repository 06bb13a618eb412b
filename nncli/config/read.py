"""Read: YAML text to plain values that remember line and column, within limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nncli import errors
from nncli.errors import ConfigError, Problem, UsageError, dotted

MAX_BYTES = 2**20
MAX_DEPTH = 50

Mark = tuple[int, int]


@dataclass
class Document:
    """A config as plain values, with the place of every value and key.

    Attributes:
        source: The file's name as the user gave it.
        value: Mappings, lists, texts, numbers, true/false and null.
        text: The lines of the file, to show them.
        value_marks: (line, column) from 1 of each value, by path.
        key_marks: (line, column) from 1 of each key, by path.
        overrides: The command-line override that set a value, by path.
    """

    source: str
    value: Any
    text: list[str] = field(default_factory=list)
    value_marks: dict[errors.Path, Mark] = field(default_factory=dict)
    key_marks: dict[errors.Path, Mark] = field(default_factory=dict)
    overrides: dict[errors.Path, str] = field(default_factory=dict)

    def error(self, problems: list[Problem]) -> ConfigError:
        """Make one error of all problems, each with its place and source line."""
        order = sorted(problems, key=lambda p: self._find(p)[1])
        parts = [self._report(problem) for problem in order]
        count = f"{len(parts)} problem{'s' if len(parts) > 1 else ''}"
        return ConfigError(problems, "\n".join([*parts, f"{count} in {self.source}."]))

    def _report(self, problem: Problem) -> str:
        where, mark = self._find(problem)
        report = f"{where}: {problem}"
        line, column = mark
        if where.startswith(self.source) and 0 < line <= len(self.text):
            shown = self.text[line - 1]
            # Far to the right, show the end that matters.
            cut = max(0, column - 60)
            report += f"\n    {shown[cut : cut + 76]}\n    {' ' * (column - 1 - cut)}^"
        return report

    def _find(self, problem: Problem) -> tuple[str, Mark]:
        """Return the nearest place that is known for a problem's path."""
        path = problem.path
        for end in range(len(path), -1, -1):
            prefix = path[:end]
            if prefix in self.overrides:
                return f"command line: {self.overrides[prefix]}", (0, 0)
            marks = self.key_marks if problem.at_key else self.value_marks
            mark = marks.get(prefix) if end == len(path) else None
            mark = mark or self.value_marks.get(prefix)
            if mark:
                return f"{self.source}:{mark[0]}:{mark[1]}", mark
        return f"{self.source}:1:1", (1, 1)


def read_config(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        ConfigError: It is no YAML 1.2 mapping within the limits; all problems at once.
        UsageError: The file cannot be read, or is no text.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(
            f"{name}: expected a YAML file, found nothing. Check the path."
        ) from None
    except IsADirectoryError:
        raise UsageError(
            f"{name}: expected a YAML file, got a directory. Name a file in it."
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{name}: expected a readable file, got: {error}.") from None
    if len(data) > MAX_BYTES:
        raise UsageError(
            f"{name}: expected at most 1 MiB of YAML, got more. Is it the right file?"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name}: expected YAML as UTF-8 text, got a binary file or another "
            f"encoding (byte {error.start} is 0x{data[error.start]:02x})."
        ) from None
    document = parse(text, name)
    if not isinstance(document.value, dict):
        kind = "an empty file" if document.value is None else "no mapping"
        raise document.error(
            [Problem((), f"expected a mapping with dataset, layers, ..., got {kind}.")]
        )
    return document


def parse(text: str, source: str) -> Document:
    """Turn YAML text into a Document; see ``read_config``."""
    document = Document(source, None, text.splitlines())
    parser = _Parser(document)
    try:
        document.value = parser.run(text)
    except yaml.YAMLError as error:
        parser.problems.append(_syntax_problem(error, document))
    if parser.problems:
        raise document.error(parser.problems)
    return document


def _syntax_problem(error: yaml.YAMLError, document: Document) -> Problem:
    path: errors.Path = ("YAML",)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    text = getattr(error, "problem", None) or "a character that YAML does not allow"
    if mark is not None:
        document.value_marks[path] = (mark.line + 1, mark.column + 1)
    context = getattr(error, "context", None)
    if context:
        text = f"{text} ({context})"
    hint = ""
    if "\t" in text:
        hint = " Indent with spaces, not tabs."
    return Problem(path, f"expected valid YAML, got: {text}.{hint}")


class _Parser:
    """Builds plain values from PyYAML's events, which need no recursion limit."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def run(self, text: str) -> Any:
        # SafeLoader in Python: the C loader crashes on deep nesting.
        self.events: Iterator[Any] = yaml.parse(text, Loader=yaml.SafeLoader)
        next(self.events)
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        value = self._value(next(self.events), ())
        next(self.events)
        more = next(self.events)
        if not isinstance(more, yaml.StreamEndEvent):
            self._problem(more, (), "expected one document, got a second one (---).")
        return value

    def _value(self, event: Any, path: errors.Path) -> Any:
        mark = event.start_mark
        self.document.value_marks[path] = (mark.line + 1, mark.column + 1)
        if len(path) > MAX_DEPTH:
            raise self.document.error(
                [Problem(path[:3], f"expected at most {MAX_DEPTH} levels, got more.")]
            )
        if isinstance(event, yaml.AliasEvent):
            self._problem(
                event,
                path,
                f"aliases are not supported, got *{event.anchor}. Write it out.",
            )
            return None
        if event.tag is not None:
            self._problem(
                event, path, f"tags are not supported, got {event.tag}. Leave it out."
            )
        if isinstance(event, yaml.ScalarEvent):
            return scalar(event.value) if event.implicit[0] else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _sequence(self, path: errors.Path) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self._value(event, (*path, len(values))))
        return values

    def _mapping(self, path: errors.Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event, path)
            place = (*path, key)
            mark = event.start_mark
            known = self.document.key_marks.get(place)
            if known:
                place = (*path, f"{key} ")
            self.document.key_marks[place] = (mark.line + 1, mark.column + 1)
            value = self._value(next(self.events), place)
            if known:
                self.problems.append(
                    Problem(place, f"duplicate key, first in line {known[0]}.", True)
                )
            else:
                values[key] = value
        return values

    def _key(self, event: Any, path: errors.Path) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._problem(event, path, "expected a text as key.")
            self._skip(event)
            return "?"
        if event.value == "<<" and event.implicit[0]:
            self._problem(event, path, "merge keys (<<) are not supported.")
        elif event.implicit[0] and not isinstance(scalar(event.value), str):
            self._problem(event, path, f"expected a text as key, got {event.value}.")
        return str(event.value)

    def _skip(self, event: Any) -> None:
        """Pass over a key that is a collection."""
        depth = 0
        while True:
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth <= 0:
                return
            event = next(self.events)

    def _problem(self, event: Any, path: errors.Path, message: str) -> None:
        place = (*path, "") if path in self.document.value_marks else path
        place = (*place, len(self.problems))
        mark = event.start_mark
        self.document.value_marks[place] = (mark.line + 1, mark.column + 1)
        where = f"{dotted(path)}: " if path else ""
        self.problems.append(_Placed(place, f"{where}{message}"))


class _Placed(Problem):
    """A problem whose path only serves to find its mark."""

    def __str__(self) -> str:
        return self.message


_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def scalar(text: str) -> Any:
    """Return what a plain scalar means in YAML 1.2's core schema.

    ``1e-3`` is a number; ``no``, ``on``, ``1:30`` and dates are texts.
    """
    if text in _SPECIAL:
        return _SPECIAL[text]
    if _INT.fullmatch(text):
        # Beyond 4,300 digits Python refuses; such a number is a mistake anyway.
        return int(text) if len(text) < 400 else text
    if _BASED.fullmatch(text):
        return int(text, 0) if len(text) < 400 else text
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
