"""Override: ``optimizer.lr=0.01`` on the command line changes a value of the config."""

from __future__ import annotations

import re
from typing import Any

from nncli.config.read import Document, parse
from nncli.core import errors
from nncli.core.errors import ConfigError, UsageError, dotted
from nncli.core.text import show

_PART = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]{1,9})\]|([0-9]{1,9})")


def apply_overrides(document: Document, overrides: list[str]) -> None:
    """Change a document in place.

    What holds others is changed before what is inside it, and a ``type`` before its
    arguments, whatever the order on the command line; of two values for one place the
    later wins. A new ``type`` drops the arguments that the document gives the old one.
    A mapping that is not there yet is made.

    Raises:
        UsageError: An override is not ``path=value``, or its path leads nowhere.
    """
    changes = [(text, *_split(text)) for text in overrides]
    lasting = [
        change
        for i, change in enumerate(changes, start=1)
        if not any(_gives(value, at, change[1]) for _, at, value in changes[i:])
    ]
    for text, path, value in sorted(lasting, key=lambda change: _depth(change[1])):
        _set(document, text, path, value)


def _depth(path: errors.Path) -> int:
    """Return how deep a change reaches; a type is as deep as what it is the type of."""
    return len(path) - (path[-1] == "type")


def _gives(value: Any, at: errors.Path, path: errors.Path) -> bool:
    """Whether a value that is set at a place brings one for a path inside it."""
    if len(at) >= len(path) or path[: len(at)] != at:
        return False
    for part in path[len(at) :]:
        inside: Any = dict(enumerate(value)) if isinstance(value, list) else value
        if not isinstance(inside, dict) or part not in inside:
            return False
        value = inside[part]
    return True


def _split(text: str) -> tuple[errors.Path, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        message = "expected path=value, for example optimizer.lr=0.01."
        raise _refused(text, message)
    path = _parts(name)
    if not path or isinstance(path[0], int):
        message = f"expected a path like optimizer.lr or layers[0].units, got {name!r}."
        raise _refused(text, message)
    try:
        return path, parse(value, "value").value
    except ConfigError as error:
        message = " ".join(problem.message for problem in error.problems)
        raise _refused(text, message) from None


def _parts(name: str) -> errors.Path:
    """Take a dotted path apart; ``()`` if it is none."""
    parts: list[str | int] = []
    for piece in name.replace("[", ".[").split("."):
        match = _PART.fullmatch(piece)
        if not match:
            return ()
        parts.append(match[1] or int(match[2] or match[3]))
    return tuple(parts)


def _set(document: Document, text: str, path: errors.Path, value: Any) -> None:
    node = document.value
    for depth, part in enumerate(path[:-1]):
        _check_part(text, path[:depth], node, part)
        if isinstance(node, dict):
            node.setdefault(part, None)
        if isinstance(node[part], str):
            # A bare name is {type: name}.
            node[part] = {"type": node[part]}
        elif not isinstance(node[part], dict | list):
            node[part] = {}
            document.overrides[path[: depth + 1]] = text
        node = node[part]
    last = path[-1]
    _check_part(text, path[:-1], node, last)
    if last == "type" and node.get("type", value) != value:
        for key in set(node) - {"type"}:
            del node[key]
            _forget(document, (*path[:-1], key))
    node[last] = value
    _forget(document, path)
    document.overrides[path] = text


def _check_part(text: str, path: errors.Path, node: Any, part: str | int) -> None:
    """Refuse an index into a mapping, a name in a list, and an index too large."""
    if isinstance(node, dict):
        if isinstance(part, int):
            raise _refused(text, f"{dotted(path)} is no list and has no [{part}].")
    elif isinstance(part, str) or part >= len(node):
        indices = f"an index from 0 to {len(node) - 1}" if node else "no index"
        where = f"for {dotted(path)}" if node else f"for {dotted(path)}, which is empty"
        raise _refused(text, f"expected {indices} {where}, got {part!r}.")


def _refused(text: str, message: str) -> UsageError:
    return UsageError(f"override {show(text)}: {message}")


def _forget(document: Document, path: errors.Path) -> None:
    """Drop what is known of places at and below a path that now holds new values."""
    for known in [*document.value_marks, *document.key_marks, *document.overrides]:
        if known[: len(path)] == path and len(known) > len(path):
            document.value_marks.pop(known, None)
            document.key_marks.pop(known, None)
            document.overrides.pop(known, None)
