"""Comparison: in what runs differ, and from where on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nncli.core.errors import RunError
from nncli.runs.directory import RunDirectory
from nncli.runs.rows import flat, read_rows
from nncli.runs.untrusted import count, number

Row = dict[str, Any]
Numbers = dict[str, tuple[float | None, float | None]]
ENVIRONMENT = (
    "data_sha256",
    "nncli",
    "numpy",
    "blas",
    "python",
    "threads",
    "machine",
    "platform",
)
"""What of the manifest may change the numbers of a run."""


@dataclass(frozen=True)
class Parting:
    """From where on two runs differ, by the evaluations after the same steps.

    Attributes:
        rows: How many of those are equal, before the first that is not.
        same: The last step after which they are equal; None for none.
        step: The first step after which they differ; None where they never do.
        epoch: The epoch of the first run by then.
        differs: The numbers that do, by name, of the first run and of the second; None
            for what is no finite one.
        longer: Which of the two, 0 or 1, has evaluations after the other's last one;
            None for neither, and where they differ before.
    """

    rows: int = 0
    same: int | None = None
    step: int | None = None
    epoch: int | None = None
    differs: Numbers | None = None
    longer: int | None = None


def differences(configs: Mapping[str, Any], at: str = "") -> dict[str, dict[str, Any]]:
    """Return the places where configs differ, and what stands there in each.

    Components of different types differ as a whole. Who has nothing at a place is not
    among those that have.

    Args:
        configs: By the run that they are of.
        at: The place of these values in the whole.
    """
    return dict(_differences(dict(configs), len(configs), at))


def _differences(
    values: dict[str, Any], count: int, at: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    kinds = {json.dumps(value, sort_keys=True) for value in values.values()}
    if len(kinds) == 1 and len(values) == count:
        return
    every = list(values.values())
    whole = len(values) == count
    if whole and all(isinstance(value, dict) for value in every) and _one_type(every):
        for name in dict.fromkeys(name for value in every for name in value):
            inside = {run: v[name] for run, v in values.items() if name in v}
            yield from _differences(inside, count, f"{at}.{name}" if at else name)
    elif whole and all(isinstance(value, list) for value in every):
        for index in range(max(map(len, every))):
            inside = {run: v[index] for run, v in values.items() if index < len(v)}
            yield from _differences(inside, count, f"{at}[{index}]")
    else:
        yield at, values


def _one_type(components: list[dict[str, Any]]) -> bool:
    return len({json.dumps(each.get("type")) for each in components}) == 1


def environment(run: RunDirectory) -> dict[str, Any]:
    """Return what a run was made with, as far as it may change its numbers."""
    facts = run.facts()
    return {name: facts[name] for name in ENVIRONMENT if name in facts}


def parting(first: Path, second: Path) -> Parting:
    """Return from where on two runs differ.

    Only what both have is compared, and no times. The mean loss of the steps since the
    last evaluation is compared where that was after the same step.

    Args:
        first: The metrics.jsonl of one run.
        second: That of the other.

    Raises:
        RunError: A file cannot be read.
    """
    rows, same = 0, None
    ours, theirs = _Rows(first), _Rows(second)
    while ours.row is not None and theirs.row is not None:
        if ours.step < theirs.step:
            ours.advance()
        elif theirs.step < ours.step:
            theirs.advance()
        else:
            differs = _differing(ours, theirs)
            if differs:
                epoch = count(ours.row.get("epoch"))
                return Parting(rows, same, ours.step, epoch, differs)
            rows, same = rows + 1, ours.step
            ours.advance()
            theirs.advance()
    longer = 0 if ours.row is not None else 1 if theirs.row is not None else None
    return Parting(rows, same, longer=longer)


class _Rows:
    """The rows of a run, one after another.

    Attributes:
        row: The present one; None behind the last.
        step: Its step.
        before: The step of the one before it, -1 for none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows = read_rows(path)
        self.step = self.before = -1
        self.advance()

    def advance(self) -> None:
        """Go on to the next row whose step is known."""
        self.before = self.step
        self.row: Row | None = None
        try:
            for row, _ in self._rows:
                step = count(row.get("step"))
                if step is not None and step > self.before:
                    self.row, self.step = row, step
                    return
        except OSError as error:
            raise RunError(
                f"{self.path}: expected rows, got: {error.strerror}."
            ) from None


def _differing(ours: _Rows, theirs: _Rows) -> Numbers:
    """Return the numbers in which two rows differ."""
    first, second = flat(ours.row or {}), flat(theirs.row or {})
    skipped = set() if ours.before == theirs.before else {"step_loss"}
    pairs = {
        name: (number(value), number(second[name]))
        for name, value in first.items()
        if name in second and name not in skipped and not name.endswith("seconds")
    }
    return {name: (one, two) for name, (one, two) in pairs.items() if one != two}
