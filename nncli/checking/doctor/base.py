"""Check: the abstract class and the registry of what the doctor looks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from nncli.checking.doctor.examination import Examination
from nncli.core.registry import Registry

CHECKS = Registry("check", "nncli.checking.doctor.checks")

Stage = Literal["data", "network", "training"]


@dataclass(frozen=True)
class Finding:
    """Something that is probably wrong with an experiment.

    Attributes:
        check: Name of the check that found it.
        text: What was measured, and what would have been expected.
        advice: What to do.
        overrides: What does it, as the command line takes it; empty where no change
            of the config does.
    """

    check: str
    text: str
    advice: str
    overrides: tuple[str, ...] = ()

    def after(self, changes: Sequence[str]) -> list[str]:
        """Return overrides that the config has already, then those of the finding.

        Without those that these replace.
        """
        places = [override.partition("=")[0] for override in self.overrides]
        inside = tuple(f"{place}{sign}" for place in places for sign in "=.[")
        kept = [change for change in changes if not change.startswith(inside)]
        return [*kept, *self.overrides]

    def facts(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**vars(self), "overrides": list(self.overrides)}


class Check(ABC):
    """One thing that the doctor looks for.

    A subclass in a file of ``checks`` is found by itself::

        class Duplicates(Check, name="duplicates"): ...

    Class attributes:
        stage: What it looks at; data is looked at first, then the network at its first
            values, then the first steps of training.
        causes: Names of earlier checks whose findings explain what this one would
            find; where one of them found something, this one is left out.

    Args:
        exam: The experiment, and what is measured of it.
    """

    stage: ClassVar[Stage]
    causes: ClassVar[tuple[str, ...]] = ()
    name: ClassVar[str] = ""

    def __init__(self, exam: Examination) -> None:
        self.exam = exam

    def __init_subclass__(cls, *, name: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = name
        CHECKS.add(name, cls)

    @abstractmethod
    def run(self) -> Iterator[Finding]:
        """Yield what is found."""

    def finding(self, text: str, advice: str, *overrides: str) -> Finding:
        """Return a finding of this check.

        Args:
            text: What was measured, and what would have been expected.
            advice: What to do.
            overrides: What does it.
        """
        return Finding(self.name, text, advice, overrides)


def checks() -> list[type[Check]]:
    """Return all checks in the order in which they are made."""
    stages = get_args(Stage)
    found: list[type[Check]] = list(CHECKS.scan().values())
    return sorted(found, key=lambda cls: (stages.index(cls.stage), cls.name))
