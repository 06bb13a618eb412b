"""Settings: what of a config is not as it would be by default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nncli.config.schema import Config, Training
from nncli.config.terse import terse
from nncli.config.write import to_flow
from nncli.core.description import Section
from nncli.core.registry import spec_of
from nncli.core.signature import signature_of
from nncli.core.text import printable, shortened

LONGEST = 400


@dataclass(frozen=True)
class Setting:
    """One place of a config.

    Attributes:
        place: For example ``training.epochs`` or ``layers[0]``.
        value: What stands there, as YAML on one line.
        default: What would stand there; "" where something must be said.
    """

    place: str
    value: str
    default: str


def settings(config: Mapping[str, Any]) -> list[Setting]:
    """Return what differs from the defaults, and what has none.

    Args:
        config: Plain values with every default filled in.
    """
    return list(_settings(config, Config, ""))


def _settings(
    values: Mapping[str, Any], section: type[Section], at: str
) -> Iterator[Setting]:
    arguments = signature_of(section).arguments
    # In the order of the reference, whatever a file's is.
    for name in [
        *(n for n in arguments if n in values),
        *sorted(values.keys() - arguments.keys()),
    ]:
        value, place, argument = values[name], f"{at}{name}", arguments.get(name)
        made = None if argument is None or argument.required else argument.made()
        within: type = Training if place == "training" else type(made)
        if isinstance(value, dict) and issubclass(within, Section):
            yield from _settings(value, within, f"{place}.")
        elif argument is None or argument.required:
            yield from _places(place, value, "")
        elif spec_of(made) != value:
            yield from _places(place, value, _flow(spec_of(made)))


def _places(place: str, value: Any, default: str) -> Iterator[Setting]:
    """Yield a setting, of a list one for each member."""
    if isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield Setting(f"{place}[{index}]", _flow(each), "")
    else:
        yield Setting(place, _flow(value), default)


def _flow(value: Any) -> str:
    return printable(shortened(to_flow(terse(value)), LONGEST))
