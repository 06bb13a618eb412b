"""Memory: what was learned of a large table's columns lies beside the table."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nncli.core.arrays import Array
from nncli.core.atomic import write_json
from nncli.tables.cache import cache_dir
from nncli.tables.encoder import Encoder
from nncli.tables.raw import RawTable

_VERSION = 1


def remembered(
    table: RawTable,
    settings: Any,
    index: Array | None,
    learn: Callable[[], Encoder],
) -> Encoder:
    """Return what training rows teach; of a table that is kept, from the last time.

    Args:
        table: The columns.
        settings: What else decides, as JSON values.
        index: Places of the training rows; None for all.
        learn: Goes through them.
    """
    folder = _folder(table)
    if folder is None:
        return learn()
    digest = hashlib.sha256(json.dumps([_VERSION, settings]).encode())
    if index is not None:
        digest.update(np.ascontiguousarray(index).data)
    path = folder / f"fit-{digest.hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError):
        return encoder_from(path.read_text(encoding="utf-8"))
    encoder = learn()
    # What is not finite is no JSON: it is learned again.
    with contextlib.suppress(OSError, ValueError):
        write_json(path, dataclasses.asdict(encoder))
    return encoder


def encoder_from(text: str) -> Encoder:
    """Return the encoder that JSON describes.

    Raises:
        ValueError: It describes something else.
    """
    from pydantic import TypeAdapter

    return TypeAdapter(Encoder).validate_json(text, strict=True)


def _folder(table: RawTable) -> Path | None:
    """Return where a table is kept; None where it is not."""
    name = getattr(table.values, "filename", None)
    if name is None or not Path(name).is_relative_to(cache_dir()):
        return None
    return Path(name).parent
