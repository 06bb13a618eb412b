"""``nncli components``: what YAML can name."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.console import Json, say, say_json, say_wrapped
from nncli.cli.plugins import Plugins, run_plugins
from nncli.cli.tables import Table
from nncli.core.errors import UsageError

if TYPE_CHECKING:
    from nncli.core.registry import Component
    from nncli.core.signature import Argument

EPILOG = """\b
Examples:
  nncli components            every name, by family
  nncli components layer      the layers
  nncli components dense      all about one of them
"""


def components(
    name: Annotated[
        str | None,
        typer.Argument(help="A family or a component.", show_default=False),
    ] = None,
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """List what YAML can name, with signatures and help."""
    # The schema imports every family.
    import nncli.config.schema  # noqa: F401
    from nncli.core.registry import FAMILIES

    run_plugins(plugin)
    families: dict[str, Any] = dict(sorted(FAMILIES.items()))
    found = [c for f in families.values() for c in f.members().values()]
    if name in families:
        found = list(families[name].members().values())
    elif name is not None:
        found = _named(name, found, list(families))
    if json:
        say_json([_facts(cls) for cls in found])
    elif name is None or name in families:
        _list(found)
    else:
        for cls in found:
            _explain(cls)


def _named(
    name: str, found: list[type[Component]], families: list[str]
) -> list[type[Component]]:
    from nncli.core.text import nearest

    chosen = [cls for cls in found if cls.type_name == name]
    if not chosen:
        names = [*families, *(cls.type_name for cls in found)]
        raise UsageError(f"unknown component {name!r}. {nearest(name, names)}")
    return chosen


def _facts(cls: type[Component]) -> dict[str, Any]:
    from nncli.core.registry import spec_of
    from nncli.core.signature import signature_of

    arguments = []
    for argument in signature_of(cls).arguments.values():
        facts = {
            "name": argument.name,
            "expected": argument.expected,
            "required": argument.required,
            "help": argument.help,
        }
        if not argument.required:
            facts["default"] = spec_of(argument.made())
        arguments.append(facts)
    return {
        "family": cls.kind,
        "name": cls.type_name,
        "help": inspect.cleandoc(cls.__doc__ or ""),
        "arguments": arguments,
    }


def _list(found: list[type[Component]]) -> None:
    from nncli.config.jsonschema import first_line

    rows = Table("??family", "name", "?what")
    family = ""
    for cls in found:
        shown = cls.kind if cls.kind != family else ""
        if shown and family:
            rows.add_row()
        family = cls.kind
        rows.add_row(shown, _call(cls), first_line(cls))
    rows.print()
    say("")
    say_wrapped("All about one of them: nncli components NAME")


def _call(cls: type[Component]) -> str:
    """Write the signature with required arguments bare."""
    from nncli.core.signature import signature_of

    arguments = signature_of(cls).arguments.values()
    required = ", ".join(a.name for a in arguments if a.required)
    return f"{cls.type_name}({required})" if required else cls.type_name


def _explain(cls: type[Component]) -> None:
    from nncli.core.signature import signature_of

    doc = inspect.cleandoc(cls.__doc__ or "").partition("\nArgs:\n")[0].strip()
    say(f"{cls.kind} {cls.type_name}\n")
    for line in doc.splitlines():
        say_wrapped(line, hang=len(line) - len(line.lstrip()))
    say("")
    arguments = list(signature_of(cls).arguments.values())
    if not arguments:
        say("No arguments.\n")
        return
    rows = Table("argument", "??value", "?default", "meaning")
    for argument in arguments:
        rows.add_row(
            argument.name,
            argument.expected,
            _default(argument),
            argument.help,
        )
    rows.print()


def _default(argument: Argument) -> str:
    from nncli.core.registry import spec_of

    if argument.required:
        return "(required)"
    value = spec_of(argument.made())
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
