"""``nncli components``: what YAML can name, and the keys of its sections."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.completion import complete_component
from nncli.cli.console import Json, say, say_json, say_wrapped
from nncli.cli.plugins import Plugins, run_plugins
from nncli.cli.tables import Table
from nncli.core.errors import UsageError

if TYPE_CHECKING:
    from nncli.core.description import Description, Section
    from nncli.core.registry import Component
    from nncli.core.signature import Argument

EPILOG = """\b
Examples:
  nncli components            every name, by family
  nncli components layer      the layers
  nncli components dense      all about one of them
  nncli components config     the keys of a config
  nncli components training   those of a section; training.average, split
"""


def components(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A family, a component, or a section of the config.",
            autocompletion=complete_component,
            show_default=False,
        ),
    ] = None,
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """List what YAML can name, with signatures and help."""
    # The schema imports every family.
    from nncli.config.hints import sections
    from nncli.core.registry import FAMILIES

    run_plugins(plugin)
    families: dict[str, Any] = dict(sorted(FAMILIES.items()))
    found = [c for f in families.values() for c in f.members().values()]
    if name in sections():
        _section(name, sections()[name], json)
        return
    if name in families:
        found = list(families[name].members().values())
    elif name is not None:
        found = _named(name, found, [*families, *sections()])
    if json:
        say_json([_facts(cls) for cls in found])
    elif name is None or name in families:
        _list(found)
    else:
        for cls in found:
            _explain(cls)


def _named(
    name: str, found: list[type[Component]], others: list[str]
) -> list[type[Component]]:
    from nncli.core.text import nearest

    chosen = [cls for cls in found if cls.type_name == name]
    if not chosen:
        names = [*others, *(cls.type_name for cls in found)]
        raise UsageError(f"unknown component {name!r}. {nearest(name, names)}")
    return chosen


def _section(place: str, cls: type[Section], json: bool) -> None:
    """Show the keys of a section, each with an example."""
    from nncli.core.signature import signature_of

    doc = inspect.cleandoc(cls.__doc__ or "").partition("\nAttributes:\n")[0].strip()
    if json:
        say_json([{"family": "section", "name": place, "help": doc} | _arguments(cls)])
        return
    say(f"section {place}\n")
    _show_doc(doc)
    _show_arguments(signature_of(cls).arguments.values())


def _facts(cls: type[Component]) -> dict[str, Any]:
    return {
        "family": cls.kind,
        "name": cls.type_name,
        "help": inspect.cleandoc(cls.__doc__ or ""),
    } | _arguments(cls)


def _arguments(cls: type[Description]) -> dict[str, Any]:
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
        if argument.example:
            facts["example"] = argument.example
        if not argument.required:
            facts["default"] = spec_of(argument.made())
        arguments.append(facts)
    return {"arguments": arguments}


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
    from nncli.core.signature import about, signature_of

    say(f"{cls.kind} {cls.type_name}\n")
    _show_doc(about(cls))
    every = signature_of(cls).arguments.values()
    arguments = [argument for argument in every if argument.name not in cls.quiet]
    common = [argument for argument in every if argument.name in cls.quiet]
    if not arguments:
        say("No arguments.\n")
    else:
        _show_arguments(arguments)
    for argument in common:
        text = f"{argument.name} (default {_default(argument)})"
        say_wrapped(f"As every {cls.kind}, {text}: {argument.help}")


def _show_doc(doc: str) -> None:
    """Print a docstring, as wide as the terminal is."""
    from nncli.core.text import unfolded

    for paragraph in doc.split("\n\n"):
        for line in unfolded(paragraph):
            say_wrapped(line, hang=len(line) - len(line.lstrip()))
        say("")


def _show_arguments(arguments: Collection[Argument]) -> None:
    """Print each argument: what it takes, its default, its meaning, an example."""
    width = max(len(argument.name) for argument in arguments) + 2
    margin = min(width, 8) * " "
    for argument in arguments:
        default = _default(argument)
        shown = default if argument.required else f"(default {default})"
        head = f"{argument.name:<{width}}{argument.expected} {shown}"
        say_wrapped(head, hang=len(margin))
        say_wrapped(margin + argument.help, hang=len(margin))
        if argument.example:
            say_wrapped(f"{margin}{argument.name}: {argument.example}", len(margin))
    say("")


def _default(argument: Argument) -> str:
    from nncli.config.write import to_flow
    from nncli.core.registry import spec_of

    if argument.required:
        return "(required)"
    value = spec_of(argument.made())
    return f"{value:g}" if isinstance(value, float) else to_flow(value)
