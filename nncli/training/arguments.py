"""Arguments: what ``fit`` is given beside rows, checked before anything is built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nncli.core.errors import ArgumentError
from nncli.core.signature import signature_of
from nncli.core.text import show
from nncli.data.split import Split
from nncli.training.callbacks import Callback


def callbacks_of(given: Any) -> list[Callback]:
    """Return callbacks as a list.

    Raises:
        ArgumentError: Something else is given.
    """
    if not isinstance(given, Iterable):
        raise ArgumentError(f"fit: expected a list of callbacks, got {_shown(given)}.")
    found = list(given)
    for each in found:
        if not isinstance(each, Callback):
            raise ArgumentError(
                f"fit: expected callbacks that are nn.Callback, got {_shown(each)}."
            )
    return found


def check_fit(verbose: Any, validation_data: Any, validation_split: Any) -> None:
    """Refuse what ``fit`` does not take.

    Raises:
        ArgumentError: An argument is none of its kind.
    """
    if verbose not in (0, 1):
        raise ArgumentError(f"fit: expected verbose 0 or 1, got {show(verbose)}.")
    pair = isinstance(validation_data, tuple | list) and len(validation_data) == 2
    if validation_data is not None and not pair:
        raise ArgumentError(
            f"fit: expected validation_data=(x, y), got {_shown(validation_data)}."
        )
    for fault in signature_of(Split).faults({"validation": validation_split}):
        raise ArgumentError(f"validation_split: {fault.message}")


def _shown(value: Any) -> str:
    """Quote a value; of an object or a class, what would be written for it."""
    if isinstance(value, type):
        name = value.__name__
        made = f": write {name}()" if issubclass(value, Callback) else ""
        return f"the class {name}{made}"
    if isinstance(value, Callback):
        return f"one: write [{type(value).__name__}()]"
    if isinstance(value, str | int | float | None):
        return show(value)
    return f"a {type(value).__name__}"
