"""Completion: what the shell offers for a name, an override or a run."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import typer


def complete_example(incomplete: str) -> list[str]:
    """Return the names of examples."""
    from nncli.config.examples import examples

    return [name for name in examples() if name.startswith(incomplete)]


def complete_beginning(incomplete: str) -> list[str]:
    """Return the names of examples, and tables."""
    tables = ("*.csv", "*.tsv", "*.csv.gz", "*.parquet", "*.arrow")
    return [*complete_example(incomplete), *_files(incomplete, *tables)]


def complete_config(incomplete: str) -> list[str]:
    """Return YAML files and folders, and the names of examples."""
    return [*_files(incomplete, "*.yaml", "*.yml"), *complete_example(incomplete)]


def complete_run(incomplete: str) -> list[str]:
    """Return runs below ./runs, and files and folders."""
    runs = [str(path.parent) for path in sorted(Path("runs").glob("*/checkpoints"))]
    found = [run for run in runs if run.startswith(incomplete)]
    return found or _files(incomplete, "*.safetensors")


def complete_component(incomplete: str) -> list[str]:
    """Return families, components and sections of the config."""
    from nncli.config.hints import sections
    from nncli.core.registry import FAMILIES

    names = {*FAMILIES, *sections()}
    for family in FAMILIES.values():
        names |= set(family.members())
    return sorted(name for name in names if name.startswith(incomplete))


def complete_checked(incomplete: str) -> list[str]:
    """Return what gradcheck takes: configs, layers and losses."""
    from nncli.layers.base import Layer
    from nncli.losses.base import Loss

    names = sorted({*Layer.members(), *Loss.members()})
    found = [name for name in names if name.startswith(incomplete)]
    return [*complete_config(incomplete), *found]


def complete_override(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return paths that can be set in the config that is named before."""
    from nncli.config.paths import completions

    value: Any = {}
    named = ctx.params.get("config") or ctx.params.get("what")
    if named is not None:
        value = _value_of(Path(named))
    return completions(value, incomplete)


def _value_of(path: Path) -> Any:
    """Return a config as plain values; nothing if it cannot be read."""
    from nncli.config.examples import find_config
    from nncli.config.read import read_config
    from nncli.core.errors import NncliError

    with contextlib.suppress(NncliError, OSError):
        return read_config(find_config(path)).value
    return {}


def _files(incomplete: str, *patterns: str) -> list[str]:
    folder = Path(incomplete if incomplete.endswith("/") else Path(incomplete).parent)
    with contextlib.suppress(OSError):
        found = [path for pattern in patterns for path in folder.glob(pattern)]
        folders = [path for path in folder.iterdir() if path.is_dir()]
        shown = [*map(str, found), *(f"{each}/" for each in folders)]
        return sorted(name for name in shown if name.startswith(incomplete))
    return []
