"""Load: from a file, overrides and plugins to a typed config."""

from __future__ import annotations

import copy
import importlib.util
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nncli.config.override import apply_overrides
from nncli.config.read import Document, read_config
from nncli.config.schema import Config
from nncli.config.validate import validate
from nncli.core.errors import NncliError, Problem, UsageError


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
        path: The YAML file.
        overrides: ``path=value`` texts.
        allow_plugins: Whether the config may run the Python files it names.
        copies: Where a run keeps copies of its plugins, which are run instead.

    Raises:
        ConfigError: The config has problems.
        UsageError: The file cannot be read, or plugins are not allowed.
    """
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
    return Loaded(validate(document), document, tuple(sources))


def plugin_copies(files: Sequence[Path], copies: Path | None) -> list[Path | None]:
    """Return where a run keeps its copy of each plugin, in a directory of its own."""
    if copies is None:
        return [None] * len(files)
    names = [file.name for file in files]
    return [
        copies / (name if names.index(name) == i else f"{i}-{name}")
        for i, name in enumerate(names)
    ]


def run_plugin(path: Path, shown: str, original: Path | None = None) -> None:
    """Import a Python file, so that its components enter the registries.

    Args:
        path: The file.
        shown: What messages call it.
        original: The file that it is a copy of: the components are then that file's,
            and may be registered again.

    Raises:
        UsageError: The file cannot be imported.
    """
    module_name = f"nncli_plugin_{(original or path).stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{shown}: expected a Python file, got {path.name}.")
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(original or path)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        where = f"{shown}{_line_of(error, str(path))}"
        kind = "" if isinstance(error, NncliError) else f"{type(error).__name__}: "
        raise UsageError(f"{where}: the plugin failed: {kind}{error}") from error


def _line_of(error: BaseException, file: str) -> str:
    """Return ``:line`` of the deepest frame in the file, if there is one."""
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f":{line}" if line else ""
