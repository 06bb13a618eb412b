"""Values: refuses the value of an option in the words of all other messages."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

from nncli.core.errors import UsageError


def refusal(verb: Callable[..., Any], option: Any, given: str) -> UsageError:
    """Say what a verb takes for an option, as messages about configs do.

    Args:
        verb: Its function.
        option: Typer's, or Click's, by which the value was refused.
        given: The value.
    """
    from nncli.config.scalar import scalar
    from nncli.core.signature import schema_of
    from nncli.core.text import describe, show, suggestion

    hints = typing.get_type_hints(inspect.unwrap(verb), include_extras=True)
    kind, info = typing.get_args(hints[option.name])
    schema = schema_of(kind)
    # That it may be left out is no value to be given.
    choices = [each for each in schema.get("anyOf", ()) if each["type"] != "null"]
    schema = choices[0] if len(choices) == 1 else schema
    bounds = {"minimum": info.min, "maximum": info.max}
    schema |= {key: value for key, value in bounds.items() if value is not None}
    name = max(option.opts, key=len)
    hint = suggestion(given, schema.get("enum", []))
    expected = f"{name}: expected {describe(schema)}, got {show(scalar(given))}."
    return UsageError(f"{expected} {hint}".rstrip())
