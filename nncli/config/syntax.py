"""Syntax: where and why a text is no YAML, in words that say how to mend it."""

from __future__ import annotations

import yaml

Mark = tuple[int, int]
"""Line and column, from 1."""

_HINTS = {
    r"'\t'": "Indent with spaces, not tabs.",
    "mapping values are not allowed": "Quote a text with ': ' in it; indent evenly.",
    "cannot start any token": "Quote a text that begins with this sign.",
    "expected <block end>": "Let what belongs together begin in the same column.",
    "end of stream": "Close the quotation mark.",
    "expected the node content": "Put a value here, or close the bracket before.",
    "expected ',' or": "Close the bracket, or put a comma between its items.",
}


def explain(error: yaml.MarkedYAMLError, text: str) -> tuple[Mark, str]:
    """Return where a text stops being YAML, why, and how to mend it."""
    place, begin = error.problem_mark, error.context_mark
    message = str(error.problem)
    if error.context:
        message += f" ({error.context}"
        if begin and place and begin.index < place.index:
            message += f" that begins at {begin.line + 1}:{begin.column + 1}"
        message += ")"
    hints = (hint for sign, hint in _HINTS.items() if sign in message)
    message = f"{message}. {next(hints, '')}".rstrip()
    if begin and (place is None or place.index >= len(text)):
        # What is never closed is missed at the end; show where it was opened.
        place = begin
    return (place.line + 1, place.column + 1) if place else (1, 1), message
