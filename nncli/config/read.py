"""Read: YAML text to plain values that remember line and column, within limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from nncli.config.scalar import scalar
from nncli.config.syntax import Mark, explain
from nncli.core import errors
from nncli.core.errors import (
    MOST_TOLD,
    ConfigError,
    Problem,
    UsageError,
    and_more,
)
from nncli.core.files import open_file
from nncli.core.text import show

MAX_BYTES = 2**20
MAX_DEPTH = 50
MAX_VALUES = 10_000
"""More would take the parser, in Python, longer than anyone waits for a message."""

_SURROGATE = re.compile("[\ud800-\udfff]")


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
        raw: The bytes of the file; empty where there is none.
    """

    source: str
    value: Any
    text: list[str] = field(default_factory=list)
    value_marks: dict[errors.Path, Mark] = field(default_factory=dict)
    key_marks: dict[errors.Path, Mark] = field(default_factory=dict)
    overrides: dict[errors.Path, str] = field(default_factory=dict)
    raw: bytes = b""

    def error(self, problems: list[Problem]) -> ConfigError:
        """Make one error of all problems, each with its place and source line."""
        parts: list[str] = []
        order = sorted(problems, key=lambda p: self._find(p)[::-1])[:MOST_TOLD]
        for (where, mark), group in groupby(order, key=self._find):
            parts += [f"{where}: {problem}" for problem in group]
            parts += self._excerpt(where, mark)
        parts += and_more(len(problems))
        count = f"{len(problems):,} problem{'s' if len(problems) > 1 else ''}"
        text = "\n".join([*parts, f"{count} in {self.source}."])
        return ConfigError(problems, _printable(text))

    def _excerpt(self, where: str, mark: Mark) -> list[str]:
        """Return the source line of a place and a caret below it."""
        line, column = mark
        if not where.startswith(self.source) or not 0 < line <= len(self.text):
            return []
        # Far to the right, show the end that matters.
        cut = max(0, column - 60)
        shown = self.text[line - 1][cut : cut + 76]
        return [f"    {shown}", f"    {' ' * (column - 1 - cut)}^"]

    def _find(self, problem: Problem) -> tuple[str, Mark]:
        """Return the nearest place that is known for a problem's path."""
        if isinstance(problem, _Placed):
            line, column = problem.mark
            return f"{self.source}:{line}:{column}", problem.mark
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


@dataclass(frozen=True)
class _Placed(Problem):
    """A problem of the text itself, found before every value has its place."""

    mark: Mark = (1, 1)


def _printable(text: str) -> str:
    """Replace what could move the cursor or colour the terminal by spaces."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def read_config(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        ConfigError: It is no YAML 1.2 mapping within the limits; all problems at once.
        UsageError: The file cannot be read, or is no text.
    """
    name = str(path)
    try:
        with open_file(path) as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(
            f"{name}: expected a YAML file, found nothing. Check the path."
        ) from None
    except IsADirectoryError:
        raise UsageError(
            f"{name}: expected a YAML file, got a directory. Name a file in it."
        ) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{name}: expected a YAML file, got: {reason}.") from None
    except ValueError as error:
        raise UsageError(f"{name}: expected a YAML file, got: {error}.") from None
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
    document.raw = data
    if not isinstance(document.value, dict):
        kind = "an empty file" if document.value is None else show(document.value)
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
    except yaml.reader.ReaderError as error:
        before = (text[: error.position] + "^").splitlines()
        message = f"the character U+{error.character:04X} is not allowed. Remove it."
        parser.refuse((len(before), len(before[-1])), message)
    except yaml.MarkedYAMLError as error:
        parser.refuse(*explain(error, text))
    except (ValueError, OverflowError):
        # PyYAML converts numbers of escapes and directives without a look at them.
        mark = parser.loader.get_mark()
        parser.refuse((mark.line + 1, mark.column + 1), "this number is too large.")
    if parser.problems:
        raise document.error(parser.problems)
    return document


class _Parser:
    """Builds plain values from PyYAML's events, which need no recursion limit."""

    loader: Any

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.values = 0

    def run(self, text: str) -> Any:
        # SafeLoader in Python: the C loader crashes on deep nesting.
        self.loader = yaml.SafeLoader(text)
        self._next()
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        value = self._value(self._next(), ())
        self._next()
        more = self._next()
        if not isinstance(more, yaml.StreamEndEvent):
            self._problem(more, (), "expected one document, got a second one (---).")
        return value

    def refuse(self, mark: Mark, message: str) -> None:
        """Note that the text is no YAML from some place on."""
        self.problems.append(_Placed((), f"expected valid YAML: {message}", mark=mark))

    def _next(self) -> Any:
        return self.loader.get_event()

    def _value(self, event: Any, path: errors.Path) -> Any:
        self.document.value_marks[path] = _mark(event)
        self.values += 1
        if self.values > MAX_VALUES:
            text = f"expected at most {MAX_VALUES:,} values in a config, got more."
            raise self.document.error([_Placed(path, text, mark=_mark(event))])
        if len(path) > MAX_DEPTH:
            text = f"expected at most {MAX_DEPTH} levels, got more."
            self._problem(event, path[:3], text)
            raise self.document.error(self.problems)
        self._check(event, path)
        if isinstance(event, yaml.AliasEvent):
            return None
        if isinstance(event, yaml.ScalarEvent):
            return scalar(event.value) if event.implicit[0] else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _sequence(self, path: errors.Path) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            values.append(self._value(event, (*path, len(values))))
        return values

    def _mapping(self, path: errors.Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, path)
            place = (*path, key)
            if key in values:
                line, _ = self.document.key_marks[place]
                text = f"duplicate key, first in line {line}."
                self._problem(event, place, text)
            else:
                self.document.key_marks[place] = _mark(event)
            values[key] = self._value(self._next(), place)
        return values

    def _key(self, event: Any, path: errors.Path) -> str:
        self._check(event, path)
        if isinstance(event, yaml.AliasEvent):
            return f"*{event.anchor}"
        if not isinstance(event, yaml.ScalarEvent):
            text = "expected a text as key, got a list or a mapping."
            self._problem(event, path, text)
            self._skip(event)
            return "?"
        if event.value == "<<" and event.implicit[0]:
            text = "merge keys (<<) are not supported. Write them out."
            self._problem(event, path, text)
        elif event.implicit[0] and not isinstance(scalar(event.value), str):
            self._problem(event, path, f"expected a text as key, got {event.value}.")
        return str(event.value)

    def _check(self, event: Any, path: errors.Path) -> None:
        """Report an alias, a tag, or half a character; no config needs them."""
        if isinstance(event, yaml.AliasEvent):
            text = f"aliases are not supported, got *{event.anchor}. Write it out."
            self._problem(event, path, text)
        elif event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            text = f"tags are not supported, got {tag}. Leave it out."
            self._problem(event, path, text)
        elif isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
            text = f"expected whole characters, got {show(event.value)}."
            self._problem(event, path, text)

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
            event = self._next()

    def _problem(self, event: Any, path: errors.Path, message: str) -> None:
        self.problems.append(_Placed(path, message, mark=_mark(event)))


def _mark(event: Any) -> Mark:
    return event.start_mark.line + 1, event.start_mark.column + 1
