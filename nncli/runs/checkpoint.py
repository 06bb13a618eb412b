"""Checkpoint: named arrays and JSON in one safetensors file, with a digest of both."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nncli.core.arrays import Array, check_memory
from nncli.core.atomic import write_bytes
from nncli.core.errors import RunError
from nncli.core.files import open_file
from nncli.runs.untrusted import from_json

FORMAT = "nncli-checkpoint-2"
MAX_META_BYTES = 16 * 2**20


@dataclass
class Checkpoint:
    """All that the next step of a training depends on.

    Attributes:
        arrays: Parameters, optimizer slots, layer state, fitted transforms, by name.
        meta: Config, place in the training, generators, callbacks: plain JSON values.
    """

    arrays: dict[str, Array]
    meta: dict[str, Any]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically."""
    from safetensors.numpy import save

    arrays = {
        name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()
    }
    meta = json.dumps(checkpoint.meta, sort_keys=True, allow_nan=False)
    if len(meta) > MAX_META_BYTES:
        raise RunError(
            f"{path}: expected at most 16 MiB of config and names of classes, got "
            f"{len(meta) / 2**20:.1f} MiB."
        )
    metadata = {"format": FORMAT, "meta": meta, "sha256": _digest(meta, arrays)}
    write_bytes(path, _in_order(save(arrays, metadata)))


def _in_order(data: bytes) -> bytes:
    """Give the file the bytes that follow from its content.

    safetensors writes metadata in an order that differs from call to call.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True).encode()
    # The arrays behind it stay aligned.
    header += b" " * (-len(header) % 8)
    return b"".join((len(header).to_bytes(8, "little"), header, data[end:]))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint and prove that it is whole.

    No code is run: the file holds JSON and numbers. Arrays are as large as the file.

    Raises:
        RunError: The file is missing, no checkpoint, or damaged.
    """
    with _opened(path) as (file, metadata):
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    meta = metadata.get("meta", "")
    if _digest(meta, arrays) != metadata.get("sha256"):
        raise RunError(
            f"{path}: the checkpoint is damaged: its content does not have the digest "
            "that was written with it. Use another checkpoint of the run."
        )
    return Checkpoint(arrays, _parse(meta, path))


def load_meta(path: Path) -> dict[str, Any]:
    """Read what a checkpoint says beside its arrays, which are not looked at.

    Raises:
        RunError: The file is missing, or no checkpoint.
    """
    with _opened(path) as (_, metadata):
        return _parse(metadata.get("meta", ""), path)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """Open a checkpoint; yield the file and the texts in its head."""
    from safetensors import SafetensorError, safe_open

    try:
        with (
            open_file(path) as opened,
            safe_open(path, framework="numpy") as file,
        ):
            size = os.fstat(opened.fileno()).st_size
            check_memory((size,), np.dtype(np.uint8), str(path))
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise RunError(
                    f"{path}: expected a checkpoint of nncli ({FORMAT}), got "
                    f"format {metadata.get('format')!r}."
                )
            yield file, metadata
    except FileNotFoundError:
        raise RunError(f"{path}: expected a checkpoint, found nothing.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(
            f"{path}: expected a checkpoint (safetensors), got: {reason}."
        ) from None
    except (SafetensorError, ValueError, TypeError, AttributeError) as error:
        # AttributeError: safetensors looks up types that NumPy does not have.
        raise RunError(
            f"{path}: expected a checkpoint (safetensors), got: {error}."
        ) from None


def _parse(meta: str, path: Path) -> dict[str, Any]:
    try:
        value = from_json(meta) if len(meta) <= MAX_META_BYTES else None
    except ValueError as error:
        raise RunError(f"{path}: expected JSON metadata, got: {error}.") from None
    if not isinstance(value, dict):
        raise RunError(f"{path}: expected JSON metadata in the checkpoint, got none.")
    return value


def _digest(meta: str, arrays: dict[str, Array]) -> str:
    digest = hashlib.sha256(meta.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
