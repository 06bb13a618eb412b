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
    "words": 1,
    "signature": 2,
    "streams": 1,
    "registry": 3,
    "backend": 2,
    "autograd": 4,
    "ops": 5,
    "initializers": 6,
    "layers": 7,
    "losses": 7,
    "metrics": 7,
    "optimizers": 7,
    "schedules": 7,
    "data": 7,
    "network": 8,
    "config": 9,
    "build": 10,
    "checks": 11,
    "runs": 11,
    "training": 12,
    "model": 13,
    "sklearn": 14,
    "report": 13,
    "cli": 15,
    "__main__": 16,
    "__init__": 16,
}
FAMILIES = {name for name, rank in RANKS.items() if rank in (6, 7)}
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
