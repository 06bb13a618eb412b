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
    """A typed config and the document it was made from, for later messages."""

    config: Config
    document: Document


def load_config(
    path: Path, overrides: list[str], *, allow_plugins: bool = False
) -> Loaded:
    """Read, change and validate a config file.

    Args:
        path: The YAML file, or the name of an example.
        overrides: ``path=value`` texts.
        allow_plugins: Whether the config may run the Python files it names.

    Raises:
        ConfigError: The config has problems.
        UsageError: The file cannot be read, or plugins are not allowed.
    """
    path = find_config(path)
    document = read_config(path)
    apply_overrides(document, overrides)
    document.value.setdefault("name", _name_from(path))
    return finish(document, path.parent, allow_plugins=allow_plugins)


def load_values(
    values: dict[str, Any],
    overrides: Sequence[str] = (),
    *,
    source: str = "config",
    folder: Path | None = None,
    allow_plugins: bool = False,
) -> Loaded:
    """Change and validate a config that is given as plain values.

    Args:
        values: What ``to_config`` returns, or a checkpoint holds.
        overrides: ``path=value`` texts.
        source: What messages call it.
        folder: Where plugins are relative to; None for the working directory.
        allow_plugins: Whether the config may run the Python files it names.

    Raises:
        ConfigError: The config has problems.
    """
    document = Document(source, copy.deepcopy(values))
    apply_overrides(document, list(overrides))
    return finish(document, folder or Path(), allow_plugins=allow_plugins)


def _name_from(path: Path) -> str:
    """Make the name of a run out of the name of a file."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip(".-")
    return name[:64] or "run"


def finish(document: Document, folder: Path, *, allow_plugins: bool) -> Loaded:
    """Run a document's plugins, if allowed, and validate it."""
    plugins = document.value.get("plugins")
    if isinstance(plugins, list) and all(isinstance(p, str) for p in plugins):
        files = [str((folder / name).resolve()) for name in plugins]
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
        missing = [
            Problem(("plugins", i), f"expected a Python file, found none at {file}.")
            for i, file in enumerate(files)
            if not Path(file).is_file()
        ]
        if missing:
            raise document.error(missing)
        for name, file in zip(plugins, files, strict=True):
            run_plugin(Path(file), name)
        document.value["plugins"] = files
    return Loaded(validate(document, folder), document)
