"""Verbs: the files of a package as the commands of a Typer app."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import typer


def add_verbs(app: typer.Typer, package: ModuleType) -> None:
    """Add the verbs of a package: each file's function of its own name.

    Its examples are the file's ``EPILOG``. A file, or a package of further verbs, with
    an ``app`` of its own is a group of verbs.
    """
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        verb = info.name.removesuffix("_").replace("_", "-")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            app.command(verb, epilog=module.EPILOG)(getattr(module, info.name))
