"""A class's typed fields as the schema of what YAML may say about it."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
import typing
from collections.abc import Collection, Mapping
from functools import cache, partial
from numbers import Number
from typing import Annotated, Any, TypeVar

from annotated_types import Ge, Gt, Le, Lt

from nncli.core.errors import Path, Problem
from nncli.core.fields import Field, fields_of
from nncli.core.text import advice, describe, show

T = TypeVar("T")

Positive = Annotated[int, Ge(1)]
Count = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]


class FilePath:
    """Marks a text as the path of a file; in a config, relative to the config."""


File = Annotated[str, FilePath()]
Fraction = Annotated[float, Ge(0), Lt(1)]
UnitInterval = Annotated[float, Ge(0), Le(1)]


@dataclasses.dataclass(frozen=True)
class Argument(Field):
    """One argument of a description, with its help.

    Attributes:
        help: What the class's docstring says of it.
        example: A value as YAML, where the docstring ends with ``Example: ...``.
    """

    help: str = ""
    example: str = ""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the values that this argument accepts."""
        return schema_of(self.annotation)

    @property
    def is_file(self) -> bool:
        """Whether a text is the path of a file."""
        return _marks_file(self.annotation)

    @property
    def expected(self) -> str:
        """Say in words what the argument accepts: ``an integer >= 1``."""
        return self.expected_at(())

    def expected_at(self, place: Path) -> str:
        """Say in words what a place inside the value accepts."""
        schema = self.schema()
        for _ in place:
            choices = schema.get("anyOf", [schema])
            schema = next((c["items"] for c in choices if "items" in c), {})
        return describe(schema)

    def faults(self, value: Any) -> list[Path]:
        """Return the places inside ``value`` that are wrong, ``()`` for all of it."""
        from pydantic import ValidationError

        try:
            _adapter(self.annotation).validate_python(plain(value))
        except ValidationError as error:
            # Every alternative of a union complains on its own.
            errors = error.errors(
                include_url=False, include_context=False, include_input=False
            )
            places = [_place(value, details["loc"]) for details in errors]
            return list(dict.fromkeys(places))
        return []


def _marks_file(annotation: Any) -> bool:
    parts = typing.get_args(annotation)
    return any(isinstance(part, FilePath) or _marks_file(part) for part in parts)


def _place(value: Any, location: Path) -> Path:
    """Keep the part of pydantic's location that leads through ``value``."""
    path: list[str | int] = []
    for part in location:
        if isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
            path.append(part)
    return tuple(path)


class Signature:
    """The arguments of one description, those by position first."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        texts = argument_help(cls)
        self.arguments = {
            name: _argument(field, texts.get(name, ""))
            for name, field in fields_of(cls).items()
        }

    def faults(
        self, given: Mapping[str, Any], skip: Collection[str] = ()
    ) -> list[Problem]:
        """List everything that is wrong with ``given``, by its path in there.

        Args:
            given: Values by argument name.
            skip: Names that are given, but need not be looked at.
        """
        found = []
        for name, value in given.items():
            if name in skip:
                continue
            argument = self.arguments.get(name)
            if argument is None:
                text = partial(self.unknown, name)
                found.append(Problem((name,), text, at_key=True))
                continue
            for place in argument.faults(value):
                inner = value
                for part in place:
                    inner = inner[part]
                text = partial(self._misfit, argument, place, inner)
                found.append(Problem((name, *place), text))
        for name, argument in self.arguments.items():
            if argument.required and name not in given:
                found.append(
                    Problem((), f"{name} is missing: expected {argument.expected}.")
                )
        return found

    def defaults(self) -> dict[str, Any]:
        """Return the default of every argument that has one."""
        return {
            name: argument.made()
            for name, argument in self.arguments.items()
            if not argument.required
        }

    def _misfit(self, argument: Argument, place: Path, value: Any) -> str:
        text = f"expected {argument.expected_at(place)}, got {show(value)}."
        if not place and isinstance(value, str):
            text += self._spelling(argument, value)
        return text

    def _spelling(self, argument: Argument, text: str) -> str:
        """Say how nothing, or a list of one, is written."""
        if text.casefold() == "none" and not argument.faults(None):
            return " Write null."
        if argument.schema().get("type") == "array":
            return f" Write [{text if text.casefold() != 'none' else ''}]."
        return ""

    @property
    def needs_files(self) -> bool:
        """Whether one of the arguments is a file that must be there."""
        return any(a.is_file and a.required for a in self.arguments.values())

    def unknown(self, name: str) -> str:
        """Refuse a name, and say what was probably meant."""
        names = list(self.arguments)
        if not names:
            return "unknown key: nothing can be set here."
        text = advice(name, names)
        if text.startswith("Expected") and set(names) == set(
            getattr(self.cls, "quiet", ())
        ):
            return f"unknown key: only {', '.join(names)} can be set here."
        return f"unknown key. {text}"


def _argument(field: Field, text: str) -> Argument:
    """Add what the docstring says of a field: its help, perhaps with an example."""
    meaning, _, example = text.partition(" Example: ")
    return Argument(**vars(field), help=meaning, example=example.removesuffix("."))


@cache
def signature_of(cls: type) -> Signature:
    """Return the (cached) signature of a class."""
    return Signature(cls)


def argument_help(cls: type) -> dict[str, str]:
    """Read the ``Args:`` (or ``Attributes:``) sections of a class and its bases."""
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        doc = inspect.cleandoc(vars(base).get("__doc__") or "")
        match = re.search(
            r"^(?:Args|Attributes):\n((?:[ ]{4}.*\n?|\n)+)", doc, re.MULTILINE
        )
        if match:
            entries = re.split(
                r"^(?=\S)", textwrap.dedent(match[1]), flags=re.MULTILINE
            )
            for entry in entries:
                name, colon, text = entry.partition(":")
                if colon:
                    texts[name.strip()] = " ".join(text.split())
    return texts


def plain(value: Any) -> Any:
    """Return NumPy's scalars as Python's, so that `np.max(y) + 1` is an integer."""
    if isinstance(value, Number) and hasattr(value, "item"):
        return value.item()
    return value


@cache
def _adapter(annotation: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter

    if hasattr(annotation, "__get_pydantic_core_schema__"):  # A description's class.
        return TypeAdapter(annotation)
    return TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))


def schema_of(annotation: Any) -> dict[str, Any]:
    """Return the JSON Schema of an annotation."""
    schema: dict[str, Any] = _adapter(annotation).json_schema()
    return schema


def about(cls: type) -> str:
    """Return the docstring of a class down to its arguments, "" for none."""
    text = inspect.cleandoc(cls.__doc__ or "")
    return re.split(r"\n(?:Args|(?:Class a|A)ttributes):\n", text)[0].strip()
