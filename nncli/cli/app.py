"""App: finds the verbs, and turns expected failures into one message and a code."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from nncli.cli import commands
from nncli.cli.bar import Bar
from nncli.cli.help import Verbs
from nncli.cli.ranks import tell
from nncli.cli.verbs import add_verbs
from nncli.core.errors import InterruptedRun, NncliError, UsageError
from nncli.core.launched import end_all, launched
from nncli.core.progress import listening
from nncli.core.text import shown, wrapped

EPILOG = "Start with: nncli train spiral"

SHARED = "train"
"""The verb whose work the ranks of MPI share."""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"nncli {version('nncli')}")
        raise typer.Exit


def make_app(verb: str = "") -> typer.Typer:
    """Collect the verbs of ``cli/commands/``: each file's function of its own name.

    See ``add_verbs``.

    Args:
        verb: The one that is asked for; "" for all.
    """
    app = typer.Typer(
        cls=Verbs,
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
        context: typer.Context,
        version: Annotated[
            bool,
            typer.Option(
                "--version", callback=_version, is_eager=True, help="Show the version."
            ),
        ] = False,
    ) -> None:
        del version
        _refuse_ranks(context.invoked_subcommand)

    add_verbs(app, commands, verb)
    return app


def _refuse_ranks(verb: str | None) -> None:
    """Refuse a verb that every rank would carry out by itself, all in one place.

    Raises:
        UsageError: mpirun has started several.
    """
    here = launched()
    if here.size == 1 or verb in (None, SHARED):
        return
    if here.rank:
        # The first one tells it.
        raise typer.Exit
    raise UsageError(
        f"mpirun: expected nncli {SHARED}, whose work ranks share, got {verb}, which "
        f"each of {here.size} ranks would do once more. Leave out mpirun."
    )


def _drop_output() -> None:
    """Keep Python from trying once more, at its end, to write what it could not."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _folded(text: str) -> str:
    """Break a message between words, where it is shown on a terminal.

    Lines of a file, which are indented, and commands to be pasted stay whole.
    """
    if sys.stderr is None or sys.stderr.closed or not sys.stderr.isatty():
        return text
    columns, lines = shutil.get_terminal_size().columns, []
    for line in text.split("\n"):
        whole = line.startswith(" ") or ": nncli " in line
        lines += wrapped(line, len(line) if whole else columns)
    return "\n".join(lines)


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: What follows ``nncli``; by default the process's.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without UTF-8 shows what it can.
            stream.reconfigure(errors="replace")
    code, text = outcome(lambda: _called(arguments))
    if text:
        tell(_folded(shown(text)))
    if code:
        end_all(code)
    _drop_output()
    return code


def _called(arguments: list[str] | None) -> int:
    """Run a command; return its exit code.

    Raises:
        UsageError: On another rank than the first one, for what Typer would tell.
    """
    first = not launched().rank
    if arguments is None:
        arguments = sys.argv[1:]
    try:
        app = make_app(*arguments[:1])
        code = app(arguments, prog_name="nncli", standalone_mode=first)
    except Exception as error:
        # Typer's own, whose base class is not in the same place in all versions.
        told = getattr(error, "format_message", None)
        if first or told is None:
            raise
        raise UsageError(told()) from None
    return code if isinstance(code, int) else 0


def outcome(command: Callable[[], Any]) -> tuple[int, str]:
    """Run one command; return its exit code, and what is to be said of it."""
    try:
        with Bar() as bar, listening(bar):
            code = command()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
        # Typer ends quietly at Ctrl-C.
        return code, "stopped." if code == InterruptedRun.exit_code else ""
    except NncliError as error:
        return error.exit_code, f"error: {error}"
    except KeyboardInterrupt:
        return InterruptedRun.exit_code, "stopped."
    except MemoryError:
        return 1, "error: the memory of this machine does not suffice."
    except OSError as error:
        # A full disk, say. (Typer itself ends quietly where a reader left a pipe.)
        return 1, f"error: {error.filename or 'stdout'}: {error.strerror or error}."
    except Exception as error:
        from nncli.config.plugins import plugin_failure

        failure = plugin_failure(error)
        if failure is None:
            raise
        return failure.exit_code, f"error: {failure}"
    return code if isinstance(code, int) else 0, ""
