"""Override: ``optimizer.lr=0.01`` on the command line changes a value of the config."""

from __future__ import annotations

import re
from typing import Any

from nncli import errors
from nncli.config.read import Document, parse
from nncli.errors import ConfigError, UsageError, dotted

_PART = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)|\[?([0-9]+)\]?")


def apply_overrides(document: Document, overrides: list[str]) -> None:
    """Change a document in place.

    Changes of a ``type`` come first and drop the arguments of the old type; then the
    others, in their order. A mapping that is not there yet is made.

    Raises:
        UsageError: An override is not ``path=value``, or its path leads nowhere.
    """
    pairs = [(text, *_split(text)) for text in overrides]
    for text, path, value in sorted(pairs, key=lambda pair: pair[1][-1] != "type"):
        _set(document, text, path, value)


def _split(text: str) -> tuple[errors.Path, Any]:
    name, equals, value = text.partition("=")
    path = tuple(_parts(name)) if equals else ()
    if not path:
        raise UsageError(
            f"override {text!r}: expected path=value, for example optimizer.lr=0.01."
        )
    try:
        return path, parse(value, "value").value
    except ConfigError:
        raise UsageError(
            f"override {text!r}: expected a YAML value after '=', got {value!r}."
        ) from None


def _parts(name: str) -> list[str | int]:
    parts: list[str | int] = []
    for piece in name.replace("[", ".[").split("."):
        match = _PART.fullmatch(piece)
        if not match:
            return []
        parts.append(match[1] if match[1] else int(match[2]))
    return parts


def _set(document: Document, text: str, path: errors.Path, value: Any) -> None:
    holder = _holder(document, text, path)
    last = path[-1]
    if isinstance(holder, list):
        if not isinstance(last, int) or last >= len(holder):
            raise _nowhere(text, path, len(holder))
        holder[last] = value
    else:
        if last == "type" and "type" in holder:
            _forget(document, path[:-1])
            holder.clear()
        holder[str(last)] = value
    _forget(document, path)
    document.overrides[path] = text


def _holder(document: Document, text: str, path: errors.Path) -> Any:
    """Return the mapping or list that the last part of the path belongs to."""
    node = document.value
    for depth, part in enumerate(path[:-1]):
        if isinstance(node, list):
            if not isinstance(part, int) or part >= len(node):
                raise _nowhere(text, path[: depth + 1], len(node))
            key: Any = part
        else:
            key = str(part)
            node.setdefault(key, {})
        if isinstance(node[key], str):
            # A bare name is {type: name}.
            node[key] = {"type": node[key]}
        elif not isinstance(node[key], dict | list):
            node[key] = {}
        node = node[key]
    return node


def _nowhere(text: str, path: errors.Path, size: int) -> UsageError:
    return UsageError(
        f"override {text!r}: expected an index from 0 to {size - 1} for "
        f"{dotted(path[:-1])}, got {path[-1]!r}."
    )


def _forget(document: Document, path: errors.Path) -> None:
    """Drop what is known of places at and below a path that now holds new values."""
    for known in [*document.value_marks, *document.key_marks, *document.overrides]:
        if known[: len(path)] == path and len(known) > len(path):
            document.value_marks.pop(known, None)
            document.key_marks.pop(known, None)
            document.overrides.pop(known, None)
