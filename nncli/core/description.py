"""Description: the base of what a config can describe, checked as it is made."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Annotated, Any, ClassVar, Self, TypeVar, dataclass_transform

from nncli.core.errors import ArgumentError, NncliError, Problem
from nncli.core.fields import FieldsMeta, bind, fields_of, label_of
from nncli.core.signature import plain, signature_of
from nncli.core.text import advice, html_table

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class DescriptionMeta(FieldsMeta):
    """Checks what a description is made of, all of it at once."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an instance, or raise ArgumentError with everything that is wrong."""
        signature = signature_of(cls)
        given = {key: plain(part) for key, part in bind(cls, args, kwargs).items()}
        faults = signature.faults(given)
        if faults:
            name = label_of(cls)
            raise ArgumentError("\n".join(_located(name, fault) for fault in faults))
        values = signature.defaults() | given
        return cls.make({name: values[name] for name in signature.arguments})


def _located(name: str, fault: Problem) -> str:
    where = ".".join((name, *map(str, fault.path)))
    return f"{where}: {fault.message}"


class Description(metaclass=DescriptionMeta):
    """Base of everything that a config can describe: typed arguments, nothing else.

    A description is never changed and never bound to anything, so that it can be
    shared, compared, printed and written back as YAML. What is alive (a layer's
    parameters, an optimizer's state) is made on a copy: ``live_copy``.
    """

    kind: ClassVar[str] = ""
    _live: ClassVar[bool] = False

    @property
    def arguments(self) -> dict[str, Any]:
        """What it was made of, with every default filled in."""
        held = vars(self)
        return {name: held[name] for name in fields_of(type(self))}

    def __setattr__(self, name: str, value: Any) -> None:
        if name in fields_of(type(self)):
            raise NncliError(
                f"{label_of(type(self))}: {name} is fixed once it is made. Make "
                f"another: {type(self).__name__}({name}=...)."
            )
        if not self._live:
            names = list(fields_of(type(self)))
            hint = advice(name, names) if names else "It has no arguments."
            raise NncliError(
                f"{label_of(type(self))}: unknown argument {name!r}. {hint}"
            )
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.arguments == other.arguments

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        parts = [
            f"{name}={value!r}"
            for name, value in self.arguments.items()
            if name not in (defaults := signature_of(type(self)).defaults())
            or value != defaults[name]
        ]
        return f"{type(self).__name__}({', '.join(parts)})"

    def _repr_html_(self) -> str:
        """Return a small table of its arguments, for notebooks."""
        rows = [(name, repr(value)) for name, value in self.arguments.items()]
        return html_table([(type(self).__name__, ""), *rows])

    def live(self) -> Self:
        """Return a live copy, which may remember things."""
        return live_copy(self)

    def changed(self, **arguments: Any) -> Self:
        """Return another description with some arguments changed."""
        return type(self)(**(self.arguments | arguments))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> Any:
        return {"x-kind": cls.kind, "x-class": cls.__name__}


def live_copy(value: T) -> T:
    """Return a copy of a description, and of all those inside it, that may be bound.

    Lists, tuples and mappings of descriptions are copied as well; other values are
    returned as they are.
    """
    if isinstance(value, Description):
        arguments = {name: live_copy(part) for name, part in value.arguments.items()}
        copy: T = type(value).make(arguments)
        vars(copy)["_live"] = True
        return copy
    if isinstance(value, list | tuple):
        return type(value)(live_copy(part) for part in value)
    if isinstance(value, dict):
        copies: Any = {name: live_copy(part) for name, part in value.items()}
        return copies  # type: ignore[no-any-return]
    return value


SECTIONS: dict[str, type[Section]] = {}
"""Every section by the name of its class, filled as the sections are declared."""


class Section(Description):
    """A mapping in the config that has no ``type``: training, split, ..."""

    kind = "mapping"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        SECTIONS[cls.__name__] = cls


def choices_of(annotation: Any) -> list[Any]:
    """Return the alternatives of an annotation, without bounds."""
    if typing.get_origin(annotation) is Annotated:
        return choices_of(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [c for part in typing.get_args(annotation) for c in choices_of(part)]
    return [annotation]


def described(annotation: Any) -> type[Description] | None:
    """Return the family or section that an annotation names, if any."""
    for choice in choices_of(annotation):
        if isinstance(choice, type) and issubclass(choice, Description):
            return choice
    return None


def described_items(annotation: Any, kind: type = list) -> Any:
    """Return the annotation of a list's items, where those are ours.

    Args:
        annotation: Of the list.
        kind: ``dict`` for the values of a mapping by names.
    """
    for choice in choices_of(annotation):
        if typing.get_origin(choice) is kind:
            item = typing.get_args(choice)[-1]
            if described(item) or described_items(item):
                return item
    return None
