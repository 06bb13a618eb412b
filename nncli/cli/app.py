"""App: finds the verbs, and turns expected failures into one message and a code."""

from __future__ import annotations

import importlib
import io
import os
import pkgutil
import shutil
import sys
from typing import Annotated

import typer

from nncli.cli import commands
from nncli.core.errors import NncliError
from nncli.core.text import wrapped

EPILOG = "Start with: nncli train configs/spiral.yaml"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"nncli {version('nncli')}")
        raise typer.Exit


def make_app() -> typer.Typer:
    """Collect the verbs of ``cli/commands/``: each file's function of its own name.

    Its examples are the file's ``EPILOG``. A file with an ``app`` of its own is a group
    of verbs.
    """
    app = typer.Typer(
        name="nncli",
        help="Train neural networks written from scratch in NumPy, from one YAML file.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={
            "help_option_names": ["-h", "--help"],
            # Click alone takes no terminal for narrower than 50 columns.
            "terminal_width": min(shutil.get_terminal_size().columns, 80) - 2,
        },
    )

    @app.callback()
    def _options(
        version: Annotated[
            bool,
            typer.Option(
                "--version", callback=_version, is_eager=True, help="Show the version."
            ),
        ] = False,
    ) -> None:
        del version

    for info in pkgutil.iter_modules(commands.__path__):
        module = importlib.import_module(f"{commands.__name__}.{info.name}")
        verb = info.name.removesuffix("_").replace("_", "-")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            app.command(verb, epilog=module.EPILOG)(getattr(module, info.name))
    return app


def _drop_output() -> None:
    """Keep Python from trying once more, at its end, to write what it could not."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(text: str) -> None:
    """Print a message, on a terminal broken between words.

    Lines of a file, which are indented, and commands to be pasted stay whole.
    """
    for line in text.split("\n"):
        whole = line.startswith(" ") or ": nncli " in line or not sys.stderr.isatty()
        width = len(line) if whole else shutil.get_terminal_size().columns
        print("\n".join(wrapped(line, width)), file=sys.stderr)  # noqa: T201


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: What follows ``nncli``; by default the process's.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without UTF-8 shows what it can.
            stream.reconfigure(errors="replace")
    try:
        code = make_app()(arguments, prog_name="nncli", standalone_mode=True)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except NncliError as error:
        _tell(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)  # noqa: T201
        return 130
    except MemoryError:
        print("error: the memory of this machine does not suffice.", file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        # A full disk, say. (Typer itself ends quietly where a reader left a pipe.)
        _drop_output()
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror}.", file=sys.stderr)  # noqa: T201
        return 1
    return code if isinstance(code, int) else 0
