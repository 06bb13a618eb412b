"""A constructor's signature as the schema of what YAML may say about it."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
import typing
from abc import ABCMeta
from collections.abc import Collection, Mapping
from functools import cache
from numbers import Number
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from nncli.errors import ArgumentError, Path
from nncli.words import describe, nearest, show

Positive = Annotated[int, Ge(1)]
Count = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Lt(1)]
UnitInterval = Annotated[float, Ge(0), Le(1)]

REQUIRED: Any = inspect.Parameter.empty


@dataclasses.dataclass(frozen=True)
class Argument:
    """One constructor argument: name, type with bounds, default and help."""

    name: str
    annotation: Any
    default: Any
    help: str

    @property
    def required(self) -> bool:
        """Whether the argument has no default."""
        return self.default is REQUIRED

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the values that this argument accepts."""
        return schema_of(self.annotation)

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
            _adapter(self.annotation).validate_python(_plain(value))
        except ValidationError as error:
            # Every alternative of a union complains on its own.
            places = [_place(value, details["loc"]) for details in error.errors()]
            return list(dict.fromkeys(places))
        return []


def _place(value: Any, location: Path) -> Path:
    """Keep the part of pydantic's location that leads through ``value``."""
    path: list[str | int] = []
    for part in location:
        if isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
            path.append(part)
    return tuple(path)


@dataclasses.dataclass(frozen=True)
class Fault:
    """One wrong argument: its path below the component, and what is wrong."""

    path: Path
    message: str
    at_key: bool = False


class Signature:
    """The arguments of one class, in order, read from its constructor."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.arguments: dict[str, Argument] = {}
        # The constructor itself: calling the class goes through the metaclass.
        constructor = getattr(cls, "__init__")  # noqa: B009
        if constructor is object.__init__:
            return
        hints = typing.get_type_hints(constructor, include_extras=True)
        texts = argument_help(cls)
        defaults = _dataclass_defaults(cls)
        parameters = inspect.signature(constructor).parameters
        for name, parameter in list(parameters.items())[1:]:
            default = defaults.get(name, parameter.default)
            annotation = hints.get(name, Any)
            self.arguments[name] = Argument(
                name, annotation, default, texts.get(name, "")
            )

    def faults(
        self, given: Mapping[str, Any], skip: Collection[str] = ()
    ) -> list[Fault]:
        """List everything that is wrong with ``given``, at once.

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
                found.append(Fault((name,), self._unknown(name), at_key=True))
                continue
            for place in argument.faults(value):
                inner = value
                for part in place:
                    inner = inner[part]
                text = f"expected {argument.expected_at(place)}, got {show(inner)}."
                found.append(Fault((name, *place), text))
        for name, argument in self.arguments.items():
            if argument.required and name not in given:
                found.append(
                    Fault((), f"{name} is missing: expected {argument.expected}.")
                )
        return found

    def defaults(self) -> dict[str, Any]:
        """Return the default of every argument that has one."""
        return {
            name: argument.default
            for name, argument in self.arguments.items()
            if not argument.required
        }

    def _unknown(self, name: str) -> str:
        names = list(self.arguments)
        if not names:
            return "unknown key: nothing can be set here."
        return f"unknown key. {nearest(name, names)}"


@cache
def signature_of(cls: type) -> Signature:
    """Return the (cached) signature of a class."""
    return Signature(cls)


def _dataclass_defaults(cls: type) -> dict[str, Any]:
    if not dataclasses.is_dataclass(cls):
        return {}
    return {
        field.name: field.default_factory()
        for field in dataclasses.fields(cls)
        if field.default_factory is not dataclasses.MISSING
    }


def argument_help(cls: type) -> dict[str, str]:
    """Read the ``Args:`` (or ``Attributes:``) section of a class docstring."""
    doc = inspect.cleandoc(cls.__doc__ or "")
    match = re.search(
        r"^(?:Args|Attributes):\n((?:[ ]{4}.*\n?|\n)+)", doc, re.MULTILINE
    )
    if not match:
        return {}
    entries = re.split(r"^(?=\S)", textwrap.dedent(match[1]), flags=re.MULTILINE)
    texts = {}
    for entry in entries:
        name, colon, text = entry.partition(":")
        if colon:
            texts[name.strip()] = " ".join(text.split())
    return texts


@cache
def _adapter(annotation: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter

    if isinstance(annotation, type) and issubclass(annotation, Checked):
        return TypeAdapter(annotation)
    return TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))


def schema_of(annotation: Any) -> dict[str, Any]:
    """Return the JSON Schema of an annotation."""
    schema: dict[str, Any] = _adapter(annotation).json_schema()
    return schema


class CheckedMeta(ABCMeta):
    """Checks a constructor's arguments against its signature and remembers them."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an instance, or raise ArgumentError with everything that is wrong."""
        signature = signature_of(cls)
        given = dict(zip(signature.arguments, args, strict=False)) | kwargs
        given = {key: _plain(value) for key, value in given.items()}
        name = getattr(cls, "type_name", "") or cls.__name__
        if len(args) > len(signature.arguments):
            raise ArgumentError(f"{name}: got more arguments than it has.")
        faults = signature.faults(given)
        if faults:
            raise ArgumentError("\n".join(_located(name, fault) for fault in faults))
        instance = super().__call__(**given)
        arguments = signature.defaults() | given
        ordered = {key: arguments[key] for key in signature.arguments}
        object.__setattr__(instance, "arguments", ordered)
        return instance


def _plain(value: Any) -> Any:
    """Return NumPy's scalars as Python's, so that `np.max(y) + 1` is an integer."""
    if isinstance(value, Number) and hasattr(value, "item"):
        return value.item()
    return value


def _located(name: str, fault: Fault) -> str:
    where = ".".join((name, *map(str, fault.path)))
    return f"{where}: {fault.message}"


class Checked(metaclass=CheckedMeta):
    """Base of everything that a config can describe.

    Attributes:
        arguments: What the constructor was given, with every default filled in.
    """

    kind: str = ""
    arguments: dict[str, Any]

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> Any:
        return {"x-kind": cls.kind, "x-class": cls.__name__}


SECTIONS: dict[str, type[Section]] = {}
"""Every section by the name of its class, filled as the sections are declared."""


class Section(Checked):
    """A mapping in the config that has no ``type``: training, split, ..."""

    def __init_subclass__(cls, *, kind: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if kind:
            cls.kind = kind
            SECTIONS[cls.__name__] = cls
