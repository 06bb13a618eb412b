"""Polars, the library that reads tables: imported when the first one is read."""

from __future__ import annotations

from typing import Any

from nncli.core.errors import MissingExtra


def polars(what: str = "tables") -> Any:
    """Return the module ``polars``.

    Args:
        what: What needs it, for the message.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import polars as module
    except ImportError:
        raise MissingExtra(what, "polars", "tables") from None
    return module
