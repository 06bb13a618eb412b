"""Plugins: Python files of the user's, and what is said when one of them fails."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from nncli.core.errors import NncliError, PluginError, UsageError

_PREFIX = "nncli_plugin_"


def run_plugin(path: Path, shown: str, original: Path | None = None) -> None:
    """Import a Python file, so that its components enter the registries.

    Args:
        path: The file.
        shown: What messages call it.
        original: The file that it is a copy of: the components are then that file's,
            and may be registered again.

    Raises:
        UsageError: It is no Python file.
        PluginError: It cannot be imported.
    """
    module_name = f"{_PREFIX}{(original or path).stem}"
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
        raise PluginError(
            f"{where}: the plugin failed while it was loaded: {kind}{error}"
        ) from error


def plugin_failure(error: BaseException) -> PluginError | None:
    """Tell of an exception that came out of a plugin; None where it is not one's.

    The notes on the exception say what nncli was doing.
    """
    files = {
        # A copy says that it is the original, but where it was read is known.
        str(module.__spec__.origin)
        for name, module in list(sys.modules.items())
        if name.startswith(_PREFIX) and module.__spec__ is not None
    }
    places = [place for place in _frames(error) if place[0] in files]
    if not places:
        return None
    file, line = places[-1]
    doing = ", ".join(getattr(error, "__notes__", []))
    return PluginError(
        f"{file}:{line}: the plugin failed{doing and f' while {doing}'}: "
        f"{type(error).__name__}: {error}"
    )


def _line_of(error: BaseException, file: str) -> str:
    """Return ``:line`` of the deepest frame in the file, if there is one."""
    lines = [line for name, line in _frames(error) if name == file]
    if isinstance(error, SyntaxError) and error.lineno:
        lines.append(error.lineno)
    return f":{lines[-1]}" if lines else ""


def _frames(error: BaseException) -> Iterator[tuple[str, int]]:
    """Yield the file and line of each call that an exception came through."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
