"""Verbs: the files of a package as the commands of a Typer app."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import typer

from nncli.cli.help import Verb


def add_verbs(app: typer.Typer, package: ModuleType, wanted: str = "") -> None:
    """Add the verbs of a package: each file's function of its own name.

    Its examples are the file's ``EPILOG``. A file, or a package of further verbs, with
    an ``app`` of its own is a group of verbs.

    Args:
        app: What they are added to.
        package: Where they are.
        wanted: The one that is asked for: to load all of them takes longer than many a
            command. All, where there is no such.
    """
    modules = {
        info.name.removesuffix("_").replace("_", "-"): info.name
        for info in pkgutil.iter_modules(package.__path__)
    }
    if wanted in modules:
        modules = {wanted: modules[wanted]}
    for verb, name in modules.items():
        module = importlib.import_module(f"{package.__name__}.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            verbs = app.command(verb, cls=Verb, epilog=module.EPILOG)
            verbs(getattr(module, name))
