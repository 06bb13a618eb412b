"""Paths: every place of a config that an override can name, for completion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nncli.config.schema import Config
from nncli.core.description import Description, described, described_items
from nncli.core.registry import Component
from nncli.core.signature import signature_of

Places = Iterator[tuple[str, Any]]


def completions(value: Any, incomplete: str) -> list[str]:
    """Return the overrides that begin with a text.

    Args:
        value: The config as plain values, as far as it is known.
        incomplete: ``opt``, ``optimizer.``, ``layers[0].u`` or ``optimizer=a``.
    """
    path, equals, begun = incomplete.partition("=")
    found: list[str] = []
    for place, wanted in _below(Config, value, ""):
        if equals and place == path:
            found += [f"{place}={name}" for name in _choices(wanted)]
        elif not equals and place.startswith(path) and _level(place, path):
            found.append(f"{place}=")
    return sorted(
        name for name in set(found) if name.startswith(f"{path}{equals}{begun}")
    )


def _level(place: str, path: str) -> bool:
    """Whether a place is on the level that is being typed, or one below it."""
    rest = place[len(path) :]
    return rest.count(".") + rest.count("[") <= 1


def _below(
    cls: type[Description], value: Any, prefix: str
) -> Iterator[tuple[str, Any]]:
    """Yield every place below a mapping, with what it takes."""
    given = value if isinstance(value, dict) else {}
    for name, argument in signature_of(cls).arguments.items():
        place = f"{prefix}{name}"
        yield place, argument.annotation
        inner, item = (
            described(argument.annotation),
            described_items(argument.annotation),
        )
        if inner is not None:
            yield from _inside(inner, given.get(name), place)
        elif item is not None and isinstance(given.get(name), list):
            for i, part in enumerate(given[name]):
                yield f"{place}[{i}]", item
                kind = described(item)
                if kind is not None:
                    yield from _inside(kind, part, f"{place}[{i}]")


def _inside(
    cls: type[Description], value: Any, place: str
) -> Iterator[tuple[str, Any]]:
    if issubclass(cls, Component):
        name = value.get("type") if isinstance(value, dict) else value
        found = cls.registry.find(name) if isinstance(name, str) else None
        yield f"{place}.type", cls
        if found is None:
            return
        cls = found
    yield from _below(cls, value, f"{place}.")


def _choices(annotation: Any) -> list[str]:
    """Return what a place can be set to, where that has names."""
    family = described(annotation)
    if family is not None and issubclass(family, Component):
        return family.registry.names()
    return ["true", "false"] if annotation is bool else []
