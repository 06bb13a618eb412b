"""``nncli init``: a config for a table, or copies of the example configs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nncli.cli.completion import complete_beginning
from nncli.cli.console import Json, say, say_json, say_wrapped
from nncli.cli.tables import Table
from nncli.core.errors import UsageError

if TYPE_CHECKING:
    from nncli.experiment.survey import Survey

EPILOG = """\b
Examples:
  nncli init houses.csv --target price    writes houses.yaml
  nncli init spiral digits                copies these two examples
  nncli init --list                       shows what examples there are
  nncli init                              copies all of them
Then: nncli train houses.yaml
"""

Task = Literal["classes", "labels", "numbers", "counts"]


def init(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|NAME",
            help="A table (.csv, .tsv, .parquet, ...) to write a config for; or "
            "examples to copy; without one, all.",
            autocompletion=complete_beginning,
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="What is to be predicted: a column, or several with commas; by "
            "default the last one.",
        ),
    ] = None,
    task: Annotated[
        Task | None,
        typer.Option(help="What targets are; by default, what they look like."),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A table of its own for the test; by default a share of the rows.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="The config to write; by default NAME.yaml."
        ),
    ] = None,
    only_list: Annotated[
        bool, typer.Option("--list", help="Show the examples, and copy nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Write a config for a table, or copy an example.

    A table's config says what was found and trains well as it is. What is there already
    is never overwritten.
    """
    from nncli.config.examples import examples

    known = examples()
    tables = [name for name in names or [] if _is_table(name, name in known)]
    options = (target, task, test, output)
    if not tables:
        if any(option is not None for option in options):
            raise UsageError(
                "init: expected a table beside --target, --task, --test and -o: "
                "nncli init data.csv --target price"
            )
        _examples(names or [], known, only_list=only_list, json=json)
        return
    if len(names or []) > 1 or only_list:
        raise UsageError(
            f"init: expected one table and nothing else, got {', '.join(names or [])}."
        )
    _table(Path(tables[0]), target, task, test, output, json)


def _is_table(name: str, example: bool) -> bool:
    """Whether a name is that of a file; an example wins over what is no file."""
    path = Path(name)
    if path.is_file():
        return path.suffix not in (".yaml", ".yml")
    return not example and (bool(path.suffix) or len(path.parts) > 1)


def _table(
    path: Path,
    target: str | None,
    task: Task | None,
    test: Path | None,
    output: Path | None,
    json: bool,
) -> None:
    """Look at a table and write its config."""
    from nncli.core.files import writable
    from nncli.experiment.draft import draft
    from nncli.experiment.survey import survey

    config = output or Path(f"{path.name.partition('.')[0] or 'table'}.yaml")
    if config.suffix not in (".yaml", ".yml"):
        raise UsageError(f"init: expected -o NAME.yaml, got {config}.")
    _refuse_old(config)
    if test is not None and not test.is_file():
        raise UsageError(f"{test}: expected the table of the test, found no file.")
    if path.suffix in (".npy", ".npz"):
        raise UsageError(
            f"{path}: expected a table (CSV, TSV, Parquet, Arrow), got arrays. Write "
            "their config with dataset: {type: npz, path: ...} or {type: npy, ...}."
        )
    found = survey(path, target, task)
    text = draft(found, config.parent, test)
    with writable(config):
        try:
            with config.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            _refuse_old(config)
    if json:
        say_json({"file": str(config), "status": "written", **_facts(found)})
    else:
        _tell(found, config)


def _refuse_old(config: Path) -> None:
    if config.exists():
        raise UsageError(
            f"{config}: it is there already, and is never overwritten. Name another "
            "with -o."
        )


def _facts(found: Survey) -> dict[str, Any]:
    return {
        "table": str(found.path),
        "rows": found.rows,
        "target": list(found.targets),
        "task": found.task,
        "inputs": [each.name for each in found.inputs],
        "dropped": found.drop,
        "left_out": found.left_out,
    }


def _tell(found: Survey, config: Path) -> None:
    """Say what was found, and the next command."""
    from nncli.core.text import count
    from nncli.experiment.draft import content, task_text

    targets = ", ".join(found.targets)
    said = " (the last column; --target names another)" if found.last else ""
    say_wrapped(
        f"{found.path}: {found.rows:,} rows, {count(len(found.inputs), 'input')}"
    )
    say_wrapped(f"target: {targets}{said}: {task_text(found)}", 2)
    rows = Table("column", "??type", "?>missing", "what it holds")
    for each in found.inputs[:20]:
        missing = f"{each.missing:,}" if each.missing else ""
        rows.add_row(each.name, each.kind, missing, content(each).partition(";")[0])
    rows.print()
    if len(found.inputs) > 20:
        say(f"and {count(len(found.inputs) - 20, 'more column')}")
    say("")
    for name, why in (found.drop | found.left_out).items():
        say_wrapped(f"left out: {name}: {why}", 2)
    if found.rare:
        say_wrapped(
            f"class {found.rare[0]} is rare ({count(found.rare[1], 'row')}): classes "
            "are weighed",
            2,
        )
    say_wrapped(f"written: {config}")
    say_wrapped(f"next: nncli train {config}")


def _examples(
    names: list[str], known: dict[str, Path], *, only_list: bool, json: bool
) -> None:
    """Copy examples into this folder, or show them."""
    from nncli.config.examples import copy_example, title_of
    from nncli.core.text import nearest

    for name in names:
        if name not in known:
            hint = nearest(name, list(known))
            raise UsageError(f"init: unknown example {name!r}. {hint}")
    chosen = {name: known[name] for name in names or known}
    if only_list:
        titles = {name: title_of(path) for name, path in chosen.items()}
        if json:
            say_json([{"name": name, "title": titles[name]} for name in titles])
            return
        listed = Table("example", "what it shows")
        for name, title in titles.items():
            listed.add_row(name, title)
        listed.print()
        say("")
        say(f"next: nncli init {next(iter(chosen))}")
        return
    found: dict[str, dict[str, str]] = {}
    for path in chosen.values():
        for file, status, title in copy_example(path, Path()):
            # Several examples may have the same data.
            fact = {"file": file, "status": status, "title": title}
            found.setdefault(file, fact)
    facts = list(found.values())
    if json:
        say_json(facts)
        return
    rows = Table("file", "?", "??what it shows")
    for fact in facts:
        rows.add_row(fact["file"], fact["status"], fact["title"])
    rows.print()
    say("")
    if any(fact["status"] == "kept" for fact in facts):
        say("kept: it was there already, and is never overwritten.")
    say(f"next: nncli train {facts[0]['file']}")
