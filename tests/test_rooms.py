"""The house's rule of who may import whom, walked over every module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import nncli

ROOT = Path(nncli.__file__).parent

# The design's list, from the ground up: a room imports only from rooms above it in this
# list, or from itself. Rooms of one line do not import each other.
HOUSE = (
    ("core",),
    ("autograd",),
    ("ops",),
    ("initializers", "tables"),
    ("layers", "losses", "optimizers", "schedules", "metrics", "data"),
    ("network",),
    ("config",),
    ("experiment",),
    ("runs",),
    ("training",),
    ("checking",),
    ("report",),
    ("model",),
    ("sklearn",),
    ("ui",),
    ("cli",),
    ("__init__", "__main__"),
)
RANKS = {room: rank for rank, rooms in enumerate(HOUSE) for room in rooms}
FAMILIES = {
    "initializers",
    "layers",
    "losses",
    "optimizers",
    "schedules",
    "metrics",
    "data",
}
ONLY = {
    "typer": {"cli"},
    "rich": {"cli", "report"},
    "sklearn": {"sklearn"},
    "pydantic": {"core", "tables", "config", "training"},
    "polars": {"tables"},
    "safetensors": {"runs"},
    "yaml": {"config"},
    "starlette": {"ui"},
    "uvicorn": {"ui"},
}


def modules() -> list[Path]:
    """Return every module of the package."""
    return sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    """Return the first part of a module's path inside the package."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports_of(path: Path) -> Iterator[str]:
    """Yield the full names of all modules that a file imports, wherever it does.

    Texts that name a module of the package are imports too: ``import_module`` and
    registries take those.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            # `from nncli import errors` names the room in what is imported.
            if module == "nncli":
                yield from (f"nncli.{alias.name}" for alias in node.names)
            else:
                yield module
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
            parts = name.split(".")
            if len(parts) > 1 and parts[0] == "nncli" and parts[1] in RANKS:
                yield name


def faults_of(path: Path) -> list[str]:
    """Return the imports of a module that its room does not allow."""
    room = room_of(path)
    faults = []
    for name in imports_of(path):
        top, *rest = name.split(".")
        if top in ONLY and room not in ONLY[top]:
            faults.append(f"only {ONLY[top]} may import {top}")
        if top != "nncli" or not rest or rest[0] == room:
            continue
        other = rest[0]
        if RANKS[other] > RANKS[room]:
            faults.append(f"{room} imports {other}, which lies below it")
        allowed = room == "layers" and other == "initializers"
        if {room, other} <= FAMILIES and not allowed:
            faults.append(f"family {room} imports family {other}")
    return faults


def test_modules_import_only_rooms_above_them() -> None:
    faults = {
        str(path.relative_to(ROOT)): found
        for path in modules()
        if (found := faults_of(path))
    }
    # A Function's registry names its room, which lies below the engine.
    assert faults == {
        "autograd/function.py": ["autograd imports ops, which lies below it"]
    }


def test_every_room_of_the_package_is_in_the_house() -> None:
    assert {room_of(path) for path in modules()} <= RANKS.keys()


def test_rule_names_an_import_of_a_room_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "ops" / "bad.py"
    bad.parent.mkdir()
    bad.write_text(
        "import rich\n"
        "from nncli.layers.base import Layer\n"
        "HOME = 'nncli.training.trainer'\n"
    )
    monkeypatch.setattr("tests.test_rooms.ROOT", tmp_path)
    assert len(list(faults_of(bad))) == 3
