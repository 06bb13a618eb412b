"""Writes what editors and type checkers know of the public names: __init__.pyi files.

Members of families are found by scanning when nncli runs; a type checker cannot scan.
The pre-commit hook and a test run this, so that nobody edits the files.

    python scripts/stubs.py [--check]
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

NNCLI: Any = import_module("nncli")
ROOT = Path(NNCLI.__file__).parent
HEAD = "# Written by scripts/stubs.py: do not edit.\n\n"


def stubs() -> dict[Path, str]:
    """Return the text of every stub."""
    members: dict[str, list[str]] = {}
    for namespace in NNCLI.NAMESPACES:
        package = import_module(f"nncli.{namespace}")
        classes = [getattr(package, name) for name in dir(package)]
        members[namespace] = [
            f"from {cls.__module__} import {cls.__name__} as {cls.__name__}"
            for cls in classes
            if cls.__module__.startswith("nncli.")
        ]
    own = [f"from {home} import {name} as {name}" for name, home in NNCLI.HOMES.items()]
    spaces = [f"from nncli import {name} as {name}" for name in NNCLI.NAMESPACES]
    flat = [line for namespace in NNCLI.FLAT for line in members[namespace]]
    top = [*spaces, *sorted(own + flat), "", "__version__: str"]
    texts = {ROOT / "__init__.pyi": _text(top)}
    for namespace, lines in members.items():
        texts[ROOT / namespace / "__init__.pyi"] = _text(sorted(lines))
    return texts


def _text(lines: list[str]) -> str:
    return HEAD + "\n".join(lines) + "\n"


def main() -> None:
    """Write the stubs, or with --check say which are stale."""
    stale = [
        path
        for path, text in stubs().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv and stale:
        sys.exit(f"stale: {', '.join(map(str, stale))}: run python scripts/stubs.py")
    for path in stale:
        path.write_text(stubs()[path], encoding="utf-8")


if __name__ == "__main__":
    main()
