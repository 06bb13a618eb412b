"""Help: that of the verbs, in windows of any width, and that of wrong values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer.core

from nncli.cli.values import refusal

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


class _Told:
    """What verbs and groups of them have in common, put in front of Typer's classes."""

    def parse_args(self: Any, ctx: Any, args: list[str]) -> list[str]:
        """Take arguments.

        Raises:
            UsageError: The value of an option is none that it takes.
        """
        given = list(args)
        try:
            rest: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        except Exception as error:
            if type(error).__name__ != "BadParameter" or self.callback is None:
                raise
            option: Any = vars(error)["param"]
            values, _, _ = self.make_parser(ctx).parse_args(given)
            raise refusal(self.callback, option, values[option.name]) from None
        return rest


class Verb(_Told, typer.core.TyperCommand):
    """A verb whose help suits narrow windows."""

    context_class = _Context


class Verbs(_Told, typer.core.TyperGroup):
    """A group of verbs likewise."""

    context_class = _Context
