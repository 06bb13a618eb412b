"""Tags: words that a person gives a run, to find it again."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence

from nncli.core.atomic import drop_temporary, write_json
from nncli.core.errors import RunError, UsageError
from nncli.core.files import naming, open_file
from nncli.core.text import show
from nncli.runs.directory import RunDirectory
from nncli.runs.untrusted import from_json

LONGEST, MOST = 64, 32
MAX_BYTES = 2**16


def read_tags(run: RunDirectory) -> list[str]:
    """Return a run's tags, none where none were given.

    Raises:
        RunError: ``tags.json`` holds something else.
    """
    path = run.path / "tags.json"
    try:
        with open_file(path) as file:
            found = from_json(file.read(MAX_BYTES))
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        found = None
    if not isinstance(found, list) or not all(isinstance(tag, str) for tag in found):
        raise RunError(
            f"{path}: expected a list of words, got something else. Remove the file."
        )
    return found


def change_tags(
    run: RunDirectory, add: Sequence[str], remove: Sequence[str]
) -> list[str]:
    """Add and remove tags; return those that the run then has, in their order.

    A run that is being trained can be tagged too.

    Raises:
        UsageError: A word is no tag, is not there to be removed, or is one too many.
        RunError: What is there is no list of tags.
    """
    for word in add:
        _check(word)
    # A lock of its own: a training holds that of the run.
    handle = os.open(run.checkpoints, os.O_RDONLY)
    try:
        with naming(run.checkpoints):
            fcntl.flock(handle, fcntl.LOCK_EX)
        path = run.path / "tags.json"
        drop_temporary(path)
        tags = read_tags(run)
        for word in remove:
            if word not in tags:
                raise UsageError(
                    f"{run.path}: expected one of its tags to remove "
                    f"({', '.join(map(show, tags)) or 'it has none'}), got "
                    f"{show(word)}."
                )
        tags = [tag for tag in dict.fromkeys([*tags, *add]) if tag not in remove]
        if len(tags) > MOST:
            raise UsageError(
                f"{run.path}: expected at most {MOST} tags, got {len(tags)}."
            )
        write_json(path, tags)
    finally:
        os.close(handle)
    return tags


def _check(word: str) -> None:
    """Refuse what could not be told apart from its neighbours on a line."""
    bare = word.isprintable() and not set(word) & {" ", ","}
    if not bare or not 0 < len(word) <= LONGEST:
        raise UsageError(
            f"tag: expected a word of at most {LONGEST} letters, without spaces and "
            f"commas, got {show(word)}."
        )
