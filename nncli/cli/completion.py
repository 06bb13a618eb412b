"""Completion: what the shell offers for a name, an override or a run."""

from __future__ import annotations

import contextlib
import pkgutil
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

import nncli.report

_PLAIN = re.compile(r"(?!-)(?:[\w.,+@%:=/-]|\[[0-9]+\])+")


def offered(names: Iterable[str], incomplete: str) -> list[str]:
    """Return the names that begin with a text, as far as a shell may be given them.

    Typer hands them over unquoted, and the shell would run a name with ``$(...)`` in
    it. Names with spaces and the like are left to the shell's own completion.
    """
    return [
        name for name in names if name.startswith(incomplete) and _PLAIN.fullmatch(name)
    ]


def complete_example(incomplete: str) -> list[str]:
    """Return the names of examples."""
    from nncli.config.examples import examples

    return offered(examples(), incomplete)


def complete_beginning(incomplete: str) -> list[str]:
    """Return the names of examples, and tables."""
    tables = ("*.csv", "*.tsv", "*.csv.gz", "*.parquet", "*.arrow")
    return [*complete_example(incomplete), *_files(incomplete, *tables)]


def complete_config(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return YAML files and folders, and the names of examples and runs."""
    names = [*complete_example(incomplete), *complete_run_name(ctx, incomplete)]
    return [*_files(incomplete, "*.yaml", "*.yml"), *dict.fromkeys(names)]


def complete_run(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return runs by their paths or names, and files and folders."""
    folder = _runs_dir(ctx)
    runs = (str(folder / name) for name in _runs_in(folder))
    found = offered(runs, incomplete)
    found += complete_run_name(ctx, incomplete) if incomplete else []
    return found or _files(incomplete, "*.safetensors")


def complete_run_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of runs."""
    return offered(_runs_in(_runs_dir(ctx)), incomplete)


def complete_key(incomplete: str) -> list[str]:
    """Return what runs are sorted by."""
    from nncli.runs.entry import PARTS
    from nncli.runs.selection import FACTS

    return offered((*FACTS, *PARTS), incomplete)


def complete_state(incomplete: str) -> list[str]:
    """Return the states of runs."""
    from nncli.runs.entry import STATES

    return offered(STATES, incomplete)


def complete_tag(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the tags that runs have."""
    from nncli.core.errors import NncliError
    from nncli.runs.directory import RunDirectory
    from nncli.runs.tags import read_tags

    folder, tags = _runs_dir(ctx), set()
    for name in _runs_in(folder):
        with contextlib.suppress(NncliError):
            tags |= set(read_tags(RunDirectory(folder / name)))
    return sorted(offered(tags, incomplete))


def complete_kind(incomplete: str) -> list[str]:
    """Return the kinds of pictures."""
    return offered((*kind_names(), "all"), incomplete)


def kind_names() -> list[str]:
    """Return the names of the kinds of pictures, which are those of their files.

    Without loading them: they need NumPy.
    """
    folder = Path(nncli.report.__path__[0]) / "plots" / "kinds"
    return [info.name for info in pkgutil.iter_modules([str(folder)])]


def _runs_dir(ctx: typer.Context) -> Path:
    return Path(ctx.params.get("runs_dir") or "runs")


def _runs_in(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("*/checkpoints"))


def complete_component(incomplete: str) -> list[str]:
    """Return families, components and sections of the config."""
    from nncli.config.hints import sections
    from nncli.core.registry import FAMILIES

    names = {*FAMILIES, *sections()}
    for family in FAMILIES.values():
        names |= set(family.members())
    return sorted(offered(names, incomplete))


def complete_checked(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return what gradcheck takes: configs, runs, layers and losses."""
    from nncli.layers.base import Layer
    from nncli.losses.base import Loss

    found = offered({*Layer.members(), *Loss.members()}, incomplete)
    return [*complete_config(ctx, incomplete), *sorted(found)]


def complete_override(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return paths that can be set in the config that is named before."""
    from nncli.config.paths import completions

    value: Any = {}
    named = ctx.params.get("config") or ctx.params.get("what")
    if named is not None:
        value = _value_of(Path(named))
    return offered(completions(value, incomplete), incomplete)


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
        return sorted(offered(shown, incomplete))
    return []
