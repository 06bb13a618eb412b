"""Hints: where in a config a key belongs, and how a component is written."""

from __future__ import annotations

from functools import cache
from typing import Any

from nncli.config.schema import Config
from nncli.core.aliases import meant
from nncli.core.description import Description, Section, described
from nncli.core.errors import Path, dotted
from nncli.core.registry import Component
from nncli.core.signature import signature_of
from nncli.core.text import show


@cache
def sections() -> dict[str, type[Section]]:
    """Return the config and every section in it by place: ``training.average``."""
    inside = {dotted(path): cls for path, cls in _inside(Config, ())}
    return {"config": Config} | {p: c for p, c in inside.items() if _is_section(c)}


def _inside(cls: type[Description], path: Path) -> list[tuple[Path, Any]]:
    """Return the sections and families of components below one, with their places."""
    found: list[tuple[Path, Any]] = []
    for name, argument in signature_of(cls).arguments.items():
        inner = described(argument.annotation)
        if inner is not None:
            found.append(((*path, name), inner))
            if _is_section(inner):
                found.extend(_inside(inner, (*path, name)))
    return found


def _is_section(cls: type[Description]) -> bool:
    return issubclass(cls, Section)


@cache
def _places() -> dict[Path, str]:
    """Return every key that has one place in all configs, with its own name."""
    places: dict[Path, str] = {(name,): name for name in signature_of(Config).arguments}
    for path, cls in _inside(Config, ()):
        for name in signature_of(cls).arguments:
            places[*path, name] = name
    return places


def hint(cls: type[Description], name: str) -> str:
    """Refuse a key of a component or section, and say what was probably meant."""
    own = list(signature_of(cls).arguments)
    if not meant(name, own):
        wanted = meant(name, sorted(set(_places().values())))
        places = [path for path, key in _places().items() if key in wanted]
        if ("name",) in places and cls.kind != "mapping":
            # Elsewhere layers have names; here it is what the run is called.
            return "unknown key. Leave it out: each part is called by its place."
        if (places and cls.kind == "mapping") or len(places) == 1:
            texts = [_told(path, name) for path in places]
            return f"unknown key. Did you mean {' or '.join(texts)}?"
    return signature_of(cls).unknown(name)


def _told(place: Path, name: str) -> str:
    """Write a place so that it is more than the word that was refused."""
    alone = place == (name,)
    return f"{name} at the top of the config" if alone else dotted(place)


def without_type(family: type[Component], value: dict[str, Any]) -> str:
    """Say how a component is written, to who forgot its type."""
    names = family.registry.names()
    if len(value) == 1:
        ((key, inner),) = value.items()
        for name in meant(key, names):
            return f"write {_written(family.registry.find(name), name, inner)}."
    return f"expected {{type: ...}} with one of {', '.join(names)}."


def _written(cls: Any, name: str, inner: Any) -> str:
    arguments = signature_of(cls).arguments
    if inner is None or inner == {}:
        return f"{name}, a bare name"
    given = inner if isinstance(inner, dict) else {next(iter(arguments), "?"): inner}
    parts = {"type": name}
    for key, part in given.items():
        own = next(iter(meant(key, list(arguments))), key)
        parts[own] = part if isinstance(part, str) else show(part)
    return f"{{{', '.join(f'{key}: {part}' for key, part in parts.items())}}}"
