"""Terse: a config's values as a person writes them, without what is the default."""

from __future__ import annotations

from typing import Any

from nncli.core.registry import FAMILIES, Component, spec_of
from nncli.core.signature import signature_of


def terse(value: Any) -> Any:
    """Return plain values of a config, of components only what is not the default.

    ``{type: dense, units: 3}``, or ``relu`` where nothing else is to be said. What is
    unknown, as a component of a plugin is, stays as it is.

    Args:
        value: Plain values with every default filled in.
    """
    if isinstance(value, list):
        return [terse(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind = _kind(value)
    if kind is None:
        return {name: terse(each) for name, each in value.items()}
    told = {"type": value["type"]}
    for name, argument in signature_of(kind).arguments.items():
        if name not in value:
            continue
        if argument.required or spec_of(argument.made()) != value[name]:
            told[name] = terse(value[name])
    return told["type"] if len(told) == 1 else told


def _kind(value: dict[str, Any]) -> type[Component] | None:
    """Return the class that a component's values are of; None for none that is known.

    Names are unique in a family only: the arguments tell which one it is.
    """
    import nncli.config.schema  # noqa: F401 - imports every family

    name, given = value.get("type"), value.keys() - {"type"}
    for family in FAMILIES.values():
        found = family.members().get(name) if isinstance(name, str) else None
        if found is not None and given <= signature_of(found).arguments.keys():
            return found
    return None
