"""The house's rule of who may import whom, walked over every module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import nncli

ROOT = Path(nncli.__file__).parent

# From left to right: a room imports only from rooms of a lower rank, or from itself.
RANKS = {
    "errors": 0,
    "signature": 1,
    "streams": 1,
    "registry": 2,
    "backend": 2,
    "autograd": 3,
    "ops": 4,
    "initializers": 5,
    "layers": 6,
    "losses": 6,
    "metrics": 6,
    "optimizers": 6,
    "schedules": 6,
    "data": 6,
    "network": 7,
    "config": 8,
    "build": 9,
    "checks": 10,
    "runs": 10,
    "training": 11,
    "model": 12,
    "sklearn": 13,
    "report": 12,
    "cli": 13,
    "__main__": 14,
    "__init__": 14,
}
FAMILIES = {name for name, rank in RANKS.items() if rank in (5, 6)}
LAZY = {"typer": {"cli"}, "rich": {"cli", "report"}}


def modules() -> list[Path]:
    """Return every module of the package."""
    return sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    """Return the first part of a module's path inside the package."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports_of(path: Path) -> list[str]:
    """Return the full names of all modules that a file imports, wherever it does."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            # `from nncli import errors` names the room in what is imported.
            names += (
                [f"nncli.{alias.name}" for alias in node.names]
                if module == "nncli"
                else [module]
            )
    return names


def faults_of(path: Path) -> list[str]:
    """Return the imports of a module that its room does not allow."""
    room = room_of(path)
    faults = []
    for name in imports_of(path):
        top, *rest = name.split(".")
        if top in LAZY and room not in LAZY[top]:
            faults.append(f"only {LAZY[top]} may import {top}")
        if top != "nncli" or not rest or rest[0] == room:
            continue
        other = rest[0]
        if RANKS[other] > RANKS[room]:
            faults.append(f"{room} imports {other}, which lies to its right")
        allowed = room == "layers" and other == "initializers"
        if {room, other} <= FAMILIES and not allowed:
            faults.append(f"family {room} imports family {other}")
    return faults


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_module_imports_only_rooms_to_its_left(path: Path) -> None:
    assert faults_of(path) == []


def test_rule_names_an_import_to_the_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "ops" / "bad.py"
    bad.parent.mkdir()
    bad.write_text("import rich\nfrom nncli.layers.base import Layer\n")
    monkeypatch.setattr("tests.test_rooms.ROOT", tmp_path)
    assert len(faults_of(bad)) == 2
