"""JSON Schema of a config, for editors; made from the constructors' signatures."""

from __future__ import annotations

import inspect
from typing import Any

from nncli.config.schema import Config
from nncli.core.description import SECTIONS, Description
from nncli.core.registry import FAMILIES, Component, spec_of
from nncli.core.signature import Argument, signature_of


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of a whole config, plugins that were loaded included."""
    definitions = {family: _family(cls) for family, cls in FAMILIES.items()}
    definitions |= {name: _object(cls) for name, cls in SECTIONS.items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "nncli config",
        **_object(Config),
        "definitions": definitions,
    }


def _family(cls: type[Component]) -> dict[str, Any]:
    """A member by its bare name, or as a mapping with ``type``."""
    choices: list[dict[str, Any]] = []
    for name, member in cls.members().items():
        signature = signature_of(member)
        if not any(a.required for a in signature.arguments.values()):
            choices.append({"const": name, "description": first_line(member)})
        made = _object(member)
        kind = {"type": {"const": name, "description": first_line(member)}}
        made["properties"] = {**kind, **made["properties"]}
        made["required"] = ["type", *made.get("required", [])]
        choices.append(made)
    return {"anyOf": choices}


def _object(cls: type[Description]) -> dict[str, Any]:
    arguments = signature_of(cls).arguments.values()
    made: dict[str, Any] = {
        "type": "object",
        "description": first_line(cls),
        "properties": {a.name: _property(a) for a in arguments},
        "additionalProperties": False,
    }
    required = [a.name for a in arguments if a.required]
    if required:
        made["required"] = required
    return made


def _property(argument: Argument) -> dict[str, Any]:
    made: dict[str, Any] = _with_references(argument.schema())
    made["description"] = argument.help
    if not argument.required:
        made["default"] = spec_of(argument.made())
    if "$ref" in made:
        # In draft 7, what stands beside a $ref is ignored.
        made["allOf"] = [{"$ref": made.pop("$ref")}]
    return made


def _with_references(schema: Any) -> Any:
    """Replace the marks of families and sections by references."""
    if isinstance(schema, list):
        return [_with_references(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "x-kind" in schema:
        name = schema["x-kind"] if schema["x-kind"] in FAMILIES else schema["x-class"]
        return {"$ref": f"#/definitions/{name}"}
    return {key: _with_references(part) for key, part in schema.items()}


def first_line(cls: type) -> str:
    """Return the first line of a class's docstring."""
    return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]
