"""Draft: a config for a table, with comments that say why."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nncli.config.write import to_flow
from nncli.core.text import count, shortened
from nncli.data.profile import Profile
from nncli.experiment.recipe import recipe
from nncli.experiment.survey import Survey

SHOWN = 40
"""Columns that comments name one by one."""

WIDTH = 88
PLACE = 40
"""Where comments behind entries begin, if these are short."""

TASKS = {
    "classes": "{} classes",
    "labels": "{} yes-or-no labels",
    "numbers": "{} numbers",
    "counts": "{} counts",
}


def draft(survey: Survey, folder: Path, test: Path | None = None) -> str:
    """Write a config as YAML that trains as it is.

    Args:
        survey: What the table holds.
        folder: Where the config will lie: paths are relative to it.
        test: A file of its own for the test part.
    """
    values = recipe(survey, test is not None)
    lines = [f"# {title(survey)}"]
    lines += ["seed: 0", *_dataset(survey, folder, test)]
    lines += _entry("split", values["split"], _split_note(survey))
    lines += ["layers:"]
    last = len(values["layers"]) - 1
    for place, layer in enumerate(values["layers"]):
        note = _output_note(survey) if place == last else ""
        lines += [_with_note(f"  - {to_flow(layer)}", note)]
    lines += _entry("loss", values["loss"], _loss_note(survey))
    decay = "A smaller weight_decay leaves the network freer to fit the training rows:"
    lines += _entry("optimizer", values["optimizer"], decay)
    lines += _entry("schedule", values["schedule"], "")
    lines += _entry("metrics", values["metrics"], "")
    lines += ["training:"]
    for name, value in values["training"].items():
        lines += [f"  {name}: {to_flow(value)}"]
    return "\n".join(lines) + "\n"


def title(survey: Survey) -> str:
    """Say in one line what a network will be trained for."""
    targets = _plain(", ".join(survey.targets))
    inputs = count(len(survey.inputs), "column")
    name, task = _plain(survey.path.name), task_text(survey)
    return f"{targets} from {inputs} of {name}: {task}, {survey.rows:,} rows."


def task_text(survey: Survey) -> str:
    """Return the task in words: ``3 classes``, ``a number``."""
    if survey.outputs == 1:
        return {"numbers": "a number", "counts": "a count"}[survey.task]
    return TASKS[survey.task].format(survey.outputs)


def _dataset(survey: Survey, folder: Path, test: Path | None) -> Iterator[str]:
    yield "dataset:"
    yield "  type: csv"
    yield f"  path: {to_flow(_relative(survey.path, folder))}"
    if test is not None:
        yield f"  test: {to_flow(_relative(test, folder))}"
    (target, *more) = survey.targets
    named = to_flow([target, *more] if more else target)
    yield _with_note(f"  target: {named}", _target_note(survey))
    if survey.task == "classes" and survey.goals[0].kind == "number":
        yield "  targets: classes"
    if survey.decimal == ",":
        yield '  decimal: ","'
    if survey.drop:
        yield "  drop:"
        for name, why in survey.drop.items():
            yield _with_note(f"    - {to_flow(name)}", why)
    yield from _inputs(survey.inputs)
    yield from _left_out(survey.left_out)
    if survey.few:
        yield "  # Numbers of few values; to let each be a category of its own:"
        some = {each.name: {"type": "category"} for each in survey.few[:SHOWN]}
        yield f"  # columns: {to_flow(some)}"


def _inputs(inputs: Sequence[Profile]) -> Iterator[str]:
    yield "  # Inputs, as they are read:"
    size = min(max((len(_plain(each.name)) for each in inputs), default=0), 24)
    for each in inputs[:SHOWN]:
        name = _plain(each.name).ljust(size)
        yield shortened(f"  #   {name}  {each.kind:<8}  {content(each)}", WIDTH)
    if len(inputs) > SHOWN:
        yield f"  #   and {count(len(inputs) - SHOWN, 'more column')}"


def content(profile: Profile) -> str:
    """Return what a column holds, on one line."""
    told = []
    if profile.ends is not None:
        low, high = profile.ends
        told.append(low if low == high else f"{low} to {high}")
    elif profile.counts:
        words = [_plain(text) for text, _ in profile.counts]
        some = ", ".join(words[:4]) + (", ..." if len(words) > 4 else "")
        told.append(some if len(words) < 4 else f"{len(words):,}: {some}")
    if profile.missing:
        told.append(f"{profile.missing:,} missing")
    return "; ".join(told) or "nothing"


def _left_out(left_out: Mapping[str, str]) -> Iterator[str]:
    if left_out:
        yield "  # Left out without being told to:"
    for name, why in list(left_out.items())[:SHOWN]:
        yield shortened(f"  #   {_plain(name)}: {why}", WIDTH)
    if len(left_out) > SHOWN:
        yield f"  #   and {count(len(left_out) - SHOWN, 'more column')}"


def _target_note(survey: Survey) -> str:
    (goal, *more) = survey.goals
    if survey.task == "classes":
        rows = ", ".join(f"{_plain(text)} {times:,}" for text, times in goal.counts[:4])
        return rows + (", ..." if len(goal.counts) > 4 else "")
    return "" if more else content(goal)


def _split_note(survey: Survey) -> str:
    if survey.dates:
        name = to_flow(survey.dates[0])
        return f"to be tried on later rows than trained on: add time: {name}"
    return ""


def _output_note(survey: Survey) -> str:
    if survey.task == "classes":
        return "one output for each class"
    return "" if survey.outputs == 1 else "one output for each target"


def _loss_note(survey: Survey) -> str:
    if survey.rare:
        name, rows = survey.rare
        return f"{_plain(name)} is rare: {count(rows, 'row')}"
    if survey.task == "counts":
        return "for whole numbers without many zeros take mse"
    return ""


def _entry(name: str, value: Any, note: str) -> list[str]:
    return [_with_note(f"{name}: {to_flow(value)}", note)]


def _with_note(line: str, note: str) -> str:
    if not note:
        return line
    beside = f"{line.ljust(PLACE - 2)}  # {_plain(note)}"
    if len(beside) <= WIDTH:
        return beside
    indent = " " * (len(line) - len(line.lstrip()))
    return f"{shortened(f'{indent}# {_plain(note)}', WIDTH)}\n{line}"


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.resolve(), folder.resolve())


def _plain(text: str) -> str:
    """Return a text on one line, as a comment must be."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else "?" for letter in line)
