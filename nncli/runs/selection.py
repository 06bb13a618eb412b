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
from nncli.core.text import nearest
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
        numbers = [isinstance(v, int | float) for v in (found, self.value)]
        texts = [isinstance(v, str) for v in (found, self.value)]
        if not (all(numbers) or all(texts)):
            return False
        return bool(_ORDERS[self.sign](found, self.value))

    def _equals(self, found: Any) -> bool:
        if isinstance(found, list):
            return any(self._equals(each) for each in found)
        if isinstance(found, str) and isinstance(self.value, str):
            return fnmatchcase(found, self.value)
        # True is no 1 here.
        same = isinstance(found, bool) == isinstance(self.value, bool)
        return bool(same and found == self.value)


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
        known = key in (*FACTS, *PARTS, "tags") or key.partition(".")[0] in PARTS
        if self.runs and not known and all(value is None for value in found):
            keys = {name for config in self._configs.values() for name in config}
            raise UsageError(
                f"{key}: expected a fact, a score or a place in the config of a run, "
                f"got what none of them has. "
                f"{nearest(key, [*FACTS, *PARTS, 'tags', *sorted(keys)])}"
            )
        return found

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
        UsageError: A condition asks for what no run has.
    """
    facts = Facts(runs)
    kept = [True] * len(runs)
    for condition in conditions:
        for place, found in enumerate(facts.values(condition.key)):
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
