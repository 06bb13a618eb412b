"""Help: that of the verbs, in windows of any width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer.core

NARROW = 60
"""Columns below which there is no room for names and texts beside each other."""


# Typer brings its own Click, or takes the installed one: they are found by way of it.
_formatter: Any = typer.Context.formatter_class
_context: Any = typer.core.TyperCommand.context_class


class _Lines(_formatter):  # type: ignore[misc]
    """Writes a text below its name where the window is narrow."""

    def write_dl(
        self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write names and texts."""
        most = 2 if self.width < NARROW else col_max
        super().write_dl(rows, most, col_spacing)


class _Context(_context):  # type: ignore[misc]
    """Of a command whose help is written by ``_Lines``."""

    formatter_class = _Lines


class Verb(typer.core.TyperCommand):
    """A verb whose help suits narrow windows."""

    context_class = _Context


class Verbs(typer.core.TyperGroup):
    """A group of verbs likewise."""

    context_class = _Context
