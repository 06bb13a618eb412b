"""Manifest: what a run was made with, so that it can be made again."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np


def manifest(
    seed: int,
    data_sha256: str,
    command: list[str],
    overrides: list[str],
    threads: int,
    shards: int,
) -> dict[str, Any]:
    """Return versions, machine, threads, shards, seed, data, command and overrides."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        **versions(),
        "blas": {"name": blas.get("name"), "version": blas.get("version")},
        "threads": threads,
        "shards": shards,
        "cpus": os.cpu_count(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "byteorder": sys.byteorder,
        "seed": seed,
        "data_sha256": data_sha256,
        "command": command,
        "overrides": overrides,
        "started": now(),
    }


def versions() -> dict[str, str]:
    """Return the versions of nncli and of what its numbers and files depend on."""
    return {
        "nncli": version("nncli"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "safetensors": version("safetensors"),
    }


def now() -> str:
    """Return the time as files tell it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
