"""Fields: typed class attributes that are the arguments of a constructor."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from abc import ABCMeta
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, dataclass_transform

from nncli.core.errors import ArgumentError

REQUIRED: Any = inspect.Parameter.empty


@dataclasses.dataclass(frozen=True)
class Field:
    """One argument of a constructor.

    Attributes:
        name: Its name.
        annotation: Its type, with bounds.
        default: Its default; REQUIRED for none.
        factory: Makes the default, where it must be a new object each time.
        kw_only: It can only be given by name.
    """

    name: str
    annotation: Any
    default: Any = REQUIRED
    factory: Callable[[], Any] | None = None
    kw_only: bool = False

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED and self.factory is None

    def made(self) -> Any:
        """Return the default."""
        return self.factory() if self.factory is not None else self.default


@dataclass_transform(field_specifiers=(dataclasses.field,))
class FieldsMeta(ABCMeta):
    """Lets a class declare its arguments as typed attributes, as a dataclass does.

    ``slope: float = 0.01`` in the body of a class is an argument; attributes that are
    ClassVar or have no annotation are not. Arguments of a base class come first; those
    of a class declared with ``kw_only=True`` (or ``field(kw_only=True)``) come last,
    and by name only. No constructor is written by hand, and none is generated: calling
    the class sets the attributes, then calls ``__post_init__`` where there is one.
    """

    def __new__(
        mcls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        /,
        *,
        kw_only: bool = False,
        **kwargs: Any,
    ) -> FieldsMeta:
        """Refuse a constructor, and keep defaults that are made anew."""
        if "__init__" in namespace:
            raise ArgumentError(
                f"class {name}: expected arguments as typed attributes "
                "(slope: float = 0.01), got an __init__. Move what it computes to "
                "__post_init__."
            )
        factories = {
            key: namespace.pop(key)
            for key, value in list(namespace.items())
            if isinstance(value, dataclasses.Field)
        }
        namespace["_kw_only"] = kw_only
        namespace["_specified"] = factories
        return super().__new__(mcls, name, bases, namespace, **kwargs)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an instance.

        Raises:
            ArgumentError: An argument is missing, unknown, or given twice.
        """
        fields = fields_of(cls)
        given = bind(cls, args, kwargs)
        for name in given:
            if name not in fields:
                raise ArgumentError(f"{label_of(cls)}: got an unknown argument {name}.")
        for name, field in fields.items():
            if name not in given:
                if field.required:
                    raise ArgumentError(f"{label_of(cls)}: {name} is missing.")
                given[name] = field.made()
        return cls.make({name: given[name] for name in fields})

    def make(cls, values: dict[str, Any]) -> Any:
        """Return an instance with these values, which are known to fit."""
        instance: Any = object.__new__(cls)  # type: ignore[arg-type]
        instance.__dict__.update(values)
        prepare = getattr(instance, "__post_init__", None)
        if prepare is not None:
            prepare()
        return instance

    @property
    def __signature__(cls) -> inspect.Signature:
        """What ``inspect.signature``, ``help`` and notebooks show."""
        kinds = (
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.KEYWORD_ONLY,
        )
        return inspect.Signature(
            [
                inspect.Parameter(
                    field.name,
                    kinds[field.kw_only],
                    default=REQUIRED if field.required else field.made(),
                    annotation=field.annotation,
                )
                for field in fields_of(cls).values()
            ]
        )


@cache
def fields_of(cls: type) -> dict[str, Field]:
    """Return the arguments of a class by name, those by position first."""
    found: dict[str, Field] = {}
    hints = typing.get_type_hints(cls, include_extras=True)
    for base in reversed(cls.__mro__):
        if not isinstance(base, FieldsMeta):
            continue
        kw_only, specified = vars(base)["_kw_only"], vars(base)["_specified"]
        for name in inspect.get_annotations(base):
            annotation = hints[name]
            if annotation is ClassVar or typing.get_origin(annotation) is ClassVar:
                continue
            given: Any = specified.get(name)
            if given is None:
                default = vars(base).get(name, REQUIRED)
                found[name] = Field(name, annotation, default, kw_only=kw_only)
            else:
                found[name] = _specified(name, annotation, given, kw_only)
    return dict(sorted(found.items(), key=lambda item: item[1].kw_only))


def bind(cls: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given, by name.

    Raises:
        ArgumentError: There are too many by position, or one is given twice.
    """
    if not args:
        return dict(kwargs)
    names = [field.name for field in fields_of(cls).values() if not field.kw_only]
    if len(args) > len(names):
        raise ArgumentError(
            f"{label_of(cls)}: expected at most {len(names)} arguments by position, "
            f"got {len(args)}. Give the others by name."
        )
    given = dict(zip(names, args, strict=False))
    twice = given.keys() & kwargs.keys()
    if twice:
        raise ArgumentError(f"{label_of(cls)}: {min(twice)} is given twice.")
    return {**given, **kwargs}


def label_of(cls: type) -> str:
    """Return what a class is called in messages: its name in YAML, if it has one."""
    return getattr(cls, "type_name", "") or cls.__name__


def _specified(
    name: str, annotation: Any, given: dataclasses.Field[Any], kw_only: bool
) -> Field:
    missing = dataclasses.MISSING
    return Field(
        name,
        annotation,
        REQUIRED if given.default is missing else given.default,
        None if given.default_factory is missing else given.default_factory,
        kw_only if given.kw_only is missing else bool(given.kw_only),
    )
