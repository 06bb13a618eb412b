"""Variations: arguments to try a component with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nncli.core.arrays import Shape
from nncli.core.errors import ArgumentError
from nncli.core.registry import Component, spec_of
from nncli.core.signature import Argument, signature_of
from nncli.layers.activations import Tanh
from nncli.layers.dense import Dense
from nncli.layers.dropout import Dropout
from nncli.layers.normalization import LayerNorm


def variations(cls: type[Component]) -> Iterator[dict[str, Any]]:
    """Yield arguments for a component: the defaults, then each argument changed alone.

    Required arguments get a small value that their type and bounds allow, layers inside
    a layer too. An argument with a choice takes each of its values, others take one
    that the constructor accepts.
    """
    signature = signature_of(cls)
    base = {}
    for argument in signature.arguments.values():
        if argument.required:
            base[argument.name] = next(_values(argument), None)
    yield base
    for argument in signature.arguments.values():
        if argument.name in cls.quiet:
            # What all members have is tested once.
            continue
        usual = spec_of(base.get(argument.name, argument.made()))
        for value in _values(argument):
            changed = {**base, argument.name: value}
            if spec_of(value) != usual and _makes(cls, changed):
                yield changed
                if value not in _choices(argument):
                    break


def _makes(cls: type[Component], arguments: dict[str, Any]) -> bool:
    try:
        cls(**arguments)
    except ArgumentError:
        return False
    return True


def _values(argument: Argument) -> Iterator[Any]:
    """Yield values that an argument accepts."""
    default = argument.default
    tried: list[Any] = [0.3, 2, 1, 3, 0.05, -0.2, True, False]
    tried += [[1.0, 2.0], [-1], [1, 0], [-1, 1], [2], [[3, 2]]]
    if isinstance(default, bool):
        tried = [not default]
    tried = [*tried, *_choices(argument), "a", *_example_layers()]
    for value in tried:
        if not argument.faults(value):
            yield value


def _choices(argument: Argument) -> list[Any]:
    """Return the values that an argument names one by one."""
    schema = argument.schema()
    return [
        value
        for part in (schema, *schema.get("anyOf", ()))
        for value in part.get("enum", ())
    ]


def _example_layers() -> Iterator[Any]:
    """Yield layers to stand inside a layer: a chain, or as many branches, or one.

    The first keep every shape and have parameters; the second give two features; the
    third draw.
    """
    for layers in ([LayerNorm(), Tanh()], [Dense(2), Dense(2)], [Dropout(0.3)]):
        yield layers
        yield layers[0]


def words_of(arguments: dict[str, Any]) -> list[str]:
    """Write arguments as ``name=value``."""
    return [f"{name}={spec_of(value)}" for name, value in arguments.items()]


def show_shape(shape: Shape) -> str:
    """Write a shape without a comma behind its only size."""
    return f"({', '.join(map(str, shape))})"
