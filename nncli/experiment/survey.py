"""Survey: what a table holds, and which task its target sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nncli.core.errors import DataError, UsageError
from nncli.core.text import nearest
from nncli.data.csv import Csv, no_inputs
from nncli.data.profile import Profile, profiles_of
from nncli.tables.cells import FALSE, TRUE
from nncli.tables.fit import dimensions_of
from nncli.tables.settings import Column
from nncli.tables.tally import FEW

Task = Literal["classes", "labels", "numbers", "counts"]

FEW_CLASSES = 10
"""Integers that begin at 0 or 1 and leave none out are classes, up to so many."""

MEAN_COUNT = 30
"""Integers of a larger mean are numbers, though some are 0."""

OWN_TEXTS = 0.5
"""A category with more different texts than this share of its rows names the rows."""

LEAST = 8
"""Rows of which some can be kept for validation and the test."""

RARE = 0.2
"""A class is rare below this share of what it would have among equal ones."""


@dataclass(frozen=True)
class Survey:
    """What was found in a table.

    Attributes:
        path: The file.
        rows: How many rows it has.
        targets: Names of the target's columns.
        task: What they are.
        last: Nobody named the target: it is the last column.
        goals: The targets' columns.
        inputs: Those of the columns that are inputs.
        drop: Columns that had better be no inputs, by name, and why.
        left_out: Columns that no network takes, by name, and why.
        decimal: Decimal sign of a file of text; None where it is none.
    """

    path: Path
    rows: int
    targets: tuple[str, ...]
    task: Task
    last: bool
    goals: tuple[Profile, ...]
    inputs: tuple[Profile, ...]
    drop: dict[str, str]
    left_out: dict[str, str]
    decimal: str | None = None

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a row."""
        if self.task == "classes":
            return self.goals[0].distinct or 0
        return len(self.targets)

    @property
    def width(self) -> int:
        """About how many inputs the network gets."""
        return sum(_width(profile) for profile in self.inputs)

    @property
    def rare(self) -> tuple[str, int] | None:
        """The rarest class and its rows, where it is so rare that weights help."""
        if self.task != "classes":
            return None
        counts = self.goals[0].counts
        name, rows = counts[-1]
        return (name, rows) if rows * len(counts) < RARE * self.rows else None

    @property
    def few(self) -> tuple[Profile, ...]:
        """Inputs of integers of which there are only a few."""
        return tuple(
            each
            for each in self.inputs
            if each.kind == "number"
            and each.whole
            and each.distinct is not None
            and 2 < each.distinct <= FEW_CLASSES
        )

    @property
    def dates(self) -> tuple[str, ...]:
        """Names of the inputs that are dates."""
        return tuple(each.name for each in self.inputs if each.kind == "date")


def target_of(path: Path, target: str | None) -> str | list[str] | None:
    """Return the columns that a text names: one, or several with commas between.

    Args:
        path: The table.
        target: As it was written.

    Raises:
        UsageError: There is no such column.
    """
    if target is None:
        return None
    names = Csv(str(path)).names()
    if target in names:
        return target
    several = [name.strip() for name in target.split(",")]
    for name in several:
        if name not in names:
            raise UsageError(
                f"{path}: expected a column {name!r} as target. "
                f"{nearest(name, list(names))}"
            )
    return several if len(several) > 1 else several[0]


def survey(path: Path, target: str | None = None, task: Task | None = None) -> Survey:
    """Look at a table.

    Args:
        path: Text, Parquet or Arrow.
        target: Name of its target, or several with commas; None for the last column.
        task: What the target is; None for what it looks like.

    Raises:
        DataError: The file cannot be read, or no network can be trained on it.
        UsageError: There is no such target.
    """
    dataset = Csv(str(path), target=target_of(path, target))
    table, names = dataset.table()
    if len(table.values) < LEAST:
        raise DataError(
            f"{path}: expected at least {LEAST} rows to write a config for, got "
            f"{len(table.values)}."
        )
    profiles = {each.name: each for each in profiles_of(table)}
    goals = tuple(profiles[name] for name in names)
    _check_goals(path, goals)
    inputs = [each for name, each in profiles.items() if name not in names]
    drop = {each.name: why for each in inputs if (why := _reason(each))}
    inputs = [each for each in inputs if each.name not in drop]
    if not inputs:
        raise no_inputs(str(path), {**drop, **table.left_out})
    return Survey(
        path,
        len(table.values),
        tuple(names),
        _told(path, task, goals) if task else task_of(goals),
        target is None,
        goals,
        tuple(inputs),
        drop,
        dict(table.left_out),
        table.facts.get("decimal"),
    )


def _width(profile: Profile) -> int:
    if profile.kind == "category":
        words = sum(times > 1 for _, times in profile.counts)
        if words > Column().one_hot:
            return dimensions_of(words)
        return max(words, 1)
    waves = 4 if profile.kind == "date" else 0
    return 1 + waves + (profile.missing > 0)


def _reason(profile: Profile) -> str:
    """Return why a column had better be no input; "" if it may be one."""
    number = profile.distinct or 0
    if profile.kind != "category" or number <= FEW:
        return ""
    if number > OWN_TEXTS * profile.present:
        return f"{number:,} different texts in {profile.present:,} rows"
    return ""


def _check_goals(path: Path, goals: Sequence[Profile]) -> None:
    for goal in goals:
        if goal.missing:
            raise DataError(
                f"{path}: column {goal.name!r}: expected a target in each row, got "
                f"none in {goal.missing:,} of {goal.rows:,}. Remove these rows, or "
                "name another column with --target."
            )
        if goal.distinct == 1:
            raise DataError(
                f"{path}: column {goal.name!r}: expected targets that differ, got "
                f"{goal.counts[0][0]} in all {goal.rows:,} rows. Name another column "
                "with --target."
            )
        if goal.kind == "date":
            raise DataError(
                f"{path}: column {goal.name!r}: expected numbers or classes as target, "
                "got dates. Name another column with --target."
            )
    (goal, *more) = goals
    number = goal.distinct or 0
    if not more and goal.kind == "category" and number > OWN_TEXTS * goal.rows > FEW:
        raise DataError(
            f"{path}: column {goal.name!r}: expected numbers or classes as target, got "
            f"{number:,} different texts in {goal.rows:,} rows. Name another column "
            "with --target."
        )


def task_of(goals: Sequence[Profile]) -> Task:
    """Return what targets look like, which lack nothing."""
    if len(goals) > 1:
        return "labels" if all(map(_yes_or_no, goals)) else "numbers"
    (goal,) = goals
    if goal.kind in ("category", "boolean") or goal.distinct == 2:
        return "classes"
    if not goal.whole or goal.low < 0:
        return "numbers"
    closed = goal.distinct == goal.high - goal.low + 1 <= FEW_CLASSES
    if goal.low <= 1 and closed:
        return "classes"
    return "counts" if goal.low == 0 and goal.mean < MEAN_COUNT else "numbers"


def _yes_or_no(goal: Profile) -> bool:
    if goal.kind == "category":
        return {word.casefold() for word, _ in goal.counts} <= {*TRUE, *FALSE}
    bits = {text for text, _ in goal.counts} <= {"0", "1"}
    return goal.kind == "boolean" or bool(goal.counts and bits)


def _told(path: Path, task: Task, goals: Sequence[Profile]) -> Task:
    """Return a task that somebody named, if the targets can be that."""
    fits = {
        "classes": len(goals) == 1 and goals[0].distinct is not None,
        "labels": len(goals) > 1 and all(map(_yes_or_no, goals)),
        "numbers": len(goals) > 1 or goals[0].kind == "number",
        "counts": all(each.kind == "number" and each.low >= 0 for each in goals),
    }
    if fits[task]:
        return task
    found = task_of(goals)
    raise UsageError(f"{path}: expected targets that are {task}, got {found}.")
