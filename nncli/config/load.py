"""Load: from a file, overrides and plugins to a typed config."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nncli.config.examples import find_config
from nncli.config.override import apply_overrides
from nncli.config.plugins import run_plugin
from nncli.config.read import Document, read_config
from nncli.config.schema import Config
from nncli.config.validate import validate
from nncli.core.errors import Problem


@dataclass(frozen=True)
class Loaded:
    """A typed config and what it was made from.

    Attributes:
        config: The config.
        document: Its text, for later messages.
        plugins: The Python files that were run for it.
    """

    config: Config
    document: Document
    plugins: tuple[Path, ...] = ()


def load_config(
    path: Path,
    overrides: list[str],
    *,
    allow_plugins: bool = False,
    copies: Path | None = None,
) -> Loaded:
    """Read, change and validate a config file.

    Args:
        path: The YAML file, or the name of an example.
        overrides: ``path=value`` texts.
        allow_plugins: Whether the config may run the Python files it names.
        copies: Where a run keeps copies of its plugins, which are run instead.

    Raises:
        ConfigError: The config has problems.
        UsageError: The file cannot be read, or plugins are not allowed.
    """
    path = find_config(path)
    document = read_config(path)
    apply_overrides(document, overrides)
    document.value.setdefault("name", _name_from(path))
    return finish(document, path.parent, allow_plugins=allow_plugins, copies=copies)


def load_values(
    values: dict[str, Any],
    overrides: Sequence[str] = (),
    *,
    source: str = "config",
    folder: Path | None = None,
    allow_plugins: bool = False,
    copies: Path | None = None,
) -> Loaded:
    """Change and validate a config that is given as plain values.

    Args:
        values: What ``to_config`` returns, or a checkpoint holds.
        overrides: ``path=value`` texts.
        source: What messages call it.
        folder: Where plugins are relative to; None for the working directory.
        allow_plugins: Whether the config may run the Python files it names.
        copies: Where a run keeps copies of its plugins, which are run instead.

    Raises:
        ConfigError: The config has problems.
    """
    document = Document(source, copy.deepcopy(values))
    apply_overrides(document, list(overrides))
    folder = folder or Path()
    return finish(document, folder, allow_plugins=allow_plugins, copies=copies)


def _name_from(path: Path) -> str:
    """Make the name of a run out of the name of a file."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip(".-")
    return name[:64] or "run"


def finish(
    document: Document,
    folder: Path,
    *,
    allow_plugins: bool,
    copies: Path | None = None,
) -> Loaded:
    """Run a document's plugins, if allowed, and validate it."""
    plugins = document.value.get("plugins")
    sources: list[Path] = []
    if isinstance(plugins, list) and all(isinstance(p, str) for p in plugins):
        files = [(folder / name).resolve() for name in plugins]
        if files and not allow_plugins:
            raise document.error(
                [
                    Problem(
                        ("plugins",),
                        "this config runs Python code from "
                        f"{', '.join(plugins)}. If you trust it, add --allow-plugins.",
                    )
                ]
            )
        if any(path[0] == "plugins" for path in document.overrides):
            copies = None
        sources = [
            copy if copy is not None and copy.is_file() else file
            for file, copy in zip(files, plugin_copies(files, copies), strict=True)
        ]
        missing = [
            Problem(("plugins", i), f"expected a Python file, found none at {file}.")
            for i, file in enumerate(sources)
            if not file.is_file()
        ]
        if missing:
            raise document.error(missing)
        for name, source, file in zip(plugins, sources, files, strict=True):
            run_plugin(source, name, file)
        document.value["plugins"] = list(map(str, files))
    return Loaded(validate(document, folder), document, tuple(sources))


def plugin_copies(files: Sequence[Path], copies: Path | None) -> list[Path | None]:
    """Return where a run keeps its copy of each plugin, in a directory of its own."""
    if copies is None:
        return [None] * len(files)
    names = [file.name for file in files]
    return [
        copies / (name if names.index(name) == i else f"{i}-{name}")
        for i, name in enumerate(names)
    ]
