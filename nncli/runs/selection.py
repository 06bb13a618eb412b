"""Selection: which runs are listed, and in which order."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from nncli.config.scalar import scalar
from nncli.core.errors import NncliError, UsageError
from nncli.core.text import nearest, show
from nncli.runs.entry import PARTS, Entry
from nncli.runs.listing import config_of_run, natural

_CONDITION = re.compile(r"\s*([^=<>!\s]+)\s*(<=|>=|!=|==|=|<|>)\s*(.*)", re.DOTALL)
_ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
FACTS = ("name", "state", "kind", "started", "seconds", "epochs", "steps", "monitor")
"""What can be asked of every run, beside its tags, its scores and its config."""


@dataclass(frozen=True)
class Condition:
    """What is asked of a run: ``validation.accuracy>0.9``, ``optimizer.lr=0.01``.

    Attributes:
        key: Of a fact, a score, or a place in the config.
        sign: ``=``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``.
        value: As YAML has it; of a text ``*`` and ``?`` stand for any letters.
    """

    key: str
    sign: str
    value: Any

    @classmethod
    def read(cls, text: str) -> Condition:
        """Take a condition apart.

        Raises:
            UsageError: It is none.
        """
        match = _CONDITION.fullmatch(text)
        if not match:
            raise UsageError(
                f"--where: expected KEY=VALUE, or !=, <, <=, >, >= in place of =, got "
                f"{text!r}. For example: --where 'validation.accuracy>0.9'"
            )
        key, sign, value = match.groups()
        return cls(key, "=" if sign == "==" else sign, scalar(value.strip()))

    def holds(self, found: Any) -> bool:
        """Whether it is so; of what a run does not have, only ``!=`` is."""
        if self.sign in ("=", "!="):
            return (self.sign == "=") == self._equals(found)
        alike = _kind(found) == _kind(self.value) != ""
        return alike and bool(_ORDERS[self.sign](found, self.value))

    def check(self, values: Sequence[Any]) -> None:
        """Refuse to order what has no order: numbers and a text.

        Args:
            values: What the runs have there; None for nothing.

        Raises:
            UsageError: None of the values can be compared with the condition's.
        """
        there = [value for value in values if value is not None]
        if self.sign not in _ORDERS or not there:
            return
        sortable = [value for value in there if _kind(value)]
        expected, got = "= or !=", self.sign
        if sortable:
            expected = f"{_kind(sortable[0])} like {show(sortable[0])}"
            got = show(self.value)
        if _kind(self.value) not in map(_kind, sortable):
            raise UsageError(f"--where: {self.key}: expected {expected}, got {got}.")

    def _equals(self, found: Any) -> bool:
        if isinstance(found, list):
            return any(self._equals(each) for each in found)
        if isinstance(found, str) and isinstance(self.value, str):
            return fnmatchcase(found, self.value)
        # True is no 1 here.
        same = isinstance(found, bool) == isinstance(self.value, bool)
        return bool(same and found == self.value)


def _kind(value: Any) -> str:
    """Return what a value can be ordered with; "" for nothing."""
    if isinstance(value, int | float):
        return "a number"
    return "a text" if isinstance(value, str) else ""


class Facts:
    """What is known of some runs, by key; a config is read when it is asked for."""

    def __init__(self, runs: Sequence[Entry]) -> None:
        self.runs = runs
        self._configs: dict[str, dict[str, Any]] = {}

    def values(self, key: str) -> list[Any]:
        """Return each run's value of a key; None for what it does not have.

        Raises:
            UsageError: No run has it.
        """
        found = [self._value(run, key) for run in self.runs]
        if all(value is None for value in found) and not self._known(key):
            keys = {name for config in self._configs.values() for name in config}
            keys |= {f"{part}.{name}" for part in PARTS for name in self._scores()}
            raise UsageError(
                f"{key}: expected a fact, a score or a place in the config of a run, "
                f"got what none of them has. "
                f"{nearest(key, [*FACTS, *PARTS, 'tags', *sorted(keys)])}"
            )
        return found

    def check_score(self, name: str) -> None:
        """Refuse a score that no run has, where any has scores.

        Raises:
            UsageError: It is not there.
        """
        names = self._scores()
        if names and name not in names:
            raise UsageError(
                f"runs: expected a --score of the runs, got {show(name)}. "
                f"{nearest(name, names)}"
            )

    def _known(self, key: str) -> bool:
        """Whether a key is one, though none of the runs has a value of it."""
        part, _, name = key.partition(".")
        if part in PARTS and name:
            # Of scores that are still to come the names are not known.
            names = self._scores()
            return not names or name in names
        return key in (*FACTS, *PARTS, "tags") or not self.runs

    def _scores(self) -> list[str]:
        """Return the names of all scores of all parts."""
        return sorted(
            {n for r in self.runs for part in PARTS for n in getattr(r, part)}
        )

    def _value(self, run: Entry, key: str) -> Any:
        part, _, name = key.partition(".")
        if key in FACTS or key == "tags":
            return getattr(run, key)
        if part in PARTS:
            return getattr(run, part).get(name or run.monitor)
        if run.path not in self._configs:
            try:
                leaves = dict(places(config_of_run(run)))
            except (NncliError, OSError):
                leaves = {}
            self._configs[run.path] = leaves
        return self._configs[run.path].get(key)


def select(runs: list[Entry], conditions: Sequence[Condition]) -> list[Entry]:
    """Return the runs of which every condition holds.

    Raises:
        UsageError: A condition asks for what no run has, or orders numbers and a text.
    """
    facts = Facts(runs)
    kept = [True] * len(runs)
    for condition in conditions:
        values = facts.values(condition.key)
        condition.check(values)
        for place, found in enumerate(values):
            kept[place] = kept[place] and condition.holds(found)
    return [run for run, keep in zip(runs, kept, strict=True) if keep]


def ordered(runs: list[Entry], key: str, *, reverse: bool = False) -> list[Entry]:
    """Return runs in the order of what a key says; those that lack it come last.

    Raises:
        UsageError: No run has the key.
    """
    pairs = list(zip(Facts(runs).values(key), runs, strict=True))
    there = [pair for pair in pairs if pair[0] is not None]
    there.sort(key=lambda pair: _rank(pair[0]), reverse=reverse)
    return [run for _, run in there] + [run for value, run in pairs if value is None]


def _rank(value: Any) -> tuple[int, Any]:
    """Return what values of any kind can be sorted by: numbers before texts."""
    if isinstance(value, int | float):
        return 0, value
    return 1, natural(" ".join(value) if isinstance(value, list) else str(value))


def places(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each place of a config and what stands there: ``optimizer.lr``, 0.01.

    Of a component, its own place has its type.
    """
    if isinstance(value, dict):
        if at and isinstance(value.get("type"), str):
            yield at, value["type"]
        for name, inside in value.items():
            yield from places(inside, f"{at}.{name}" if at else str(name))
    elif isinstance(value, list) and value:
        for index, inside in enumerate(value):
            yield from places(inside, f"{at}[{index}]")
    else:
        yield at, value
