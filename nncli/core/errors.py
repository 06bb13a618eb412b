"""Every error that nncli raises on purpose, each with its exit code.

NncliError                 1   failed at run time
├── UsageError             2   the command line asks for something impossible
│   └── ConfigError        2   the YAML file has problems, each with its place
├── ArgumentError          2   a constructor was given a wrong argument
├── ShapeError             2   the shapes of two neighbours do not fit
│   └── IndexShapeError    2   an index is out of range
├── DataError              2   a data file cannot be read as what it claims to be
├── MissingExtra           2   a package that only a part of nncli needs is missing
├── RunError               1   a run directory or a checkpoint cannot be used
├── PluginError            1   a plugin's own code failed
├── CheckFailed            3   a check (gradcheck) found something wrong
├── DivergedError          4   a loss or a gradient is no longer finite
└── InterruptedRun       130   the user stopped the run
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

Path = tuple[str | int, ...]
"""Where a value stands in a config: ``("layers", 2, "units")``."""


class NncliError(Exception):
    """Base of all expected failures: one message, no traceback."""

    exit_code: ClassVar[int] = 1


class UsageError(NncliError):
    """The command was called in a way that cannot work."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a config.

    Attributes:
        path: Where in the config, for example ``("layers", 2, "units")``.
        text: What was expected and what was found, or what makes that text: of very
            many problems only the first are told.
        at_key: The key itself is wrong, rather than its value.
    """

    path: Path
    text: str | Callable[[], str]
    at_key: bool = False

    @property
    def message(self) -> str:
        """What was expected and what was found."""
        return self.text if isinstance(self.text, str) else self.text()

    def __str__(self) -> str:
        where = dotted(self.path)
        return f"{where}: {self.message}" if where else self.message


class ConfigError(UsageError):
    """A config has one or more problems; all of them are reported at once."""

    def __init__(self, problems: list[Problem], text: str | None = None) -> None:
        super().__init__(text or told(problems))
        self.problems = problems


class ArgumentError(NncliError, ValueError):
    """A component was constructed with arguments that it does not accept."""

    exit_code: ClassVar[int] = 2


class ShapeError(NncliError, ValueError):
    """An array's shape does not fit the operation it is given to."""

    exit_code: ClassVar[int] = 2


class IndexShapeError(ShapeError, IndexError):
    """An index is out of range: an IndexError, so that loops over a tensor end."""


class DataError(NncliError):
    """A data file is missing, broken or not what the config says it is."""

    exit_code: ClassVar[int] = 2


class RunError(NncliError):
    """A run directory or checkpoint is missing, damaged or in use."""


class PluginError(NncliError):
    """The code of a plugin raised an exception."""


class MissingExtra(NncliError, ImportError):  # noqa: N818 - it says what is missing
    """A package is missing that only a part of nncli needs.

    Args:
        what: The part: ``nncli.sklearn``.
        package: The missing package.
        extra: The extra of nncli that brings it.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            f"{what}: expected {package} to be installed, found it missing. Install "
            f'it: pip install "nncli[{extra}]"'
        )


class CheckFailed(NncliError):  # noqa: N818 - a failed check is a result, not a fault
    """A check that the user asked for did not pass."""

    exit_code: ClassVar[int] = 3


class DivergedError(NncliError):
    """Training produced a number that is not finite."""

    exit_code: ClassVar[int] = 4


class InterruptedRun(NncliError):  # noqa: N818 - named for the event, not a fault
    """The user asked the run to stop."""

    exit_code: ClassVar[int] = 130


MOST_TOLD = 20
"""How many problems are told of one config; the others are counted."""


def told(problems: Sequence[Problem]) -> str:
    """Write problems one a line, those that are too many as a number."""
    lines = [str(problem) for problem in problems[:MOST_TOLD]]
    return "\n".join([*lines, *and_more(len(problems))])


def and_more(count: int) -> list[str]:
    """Say how many of so many problems are not told, if any."""
    rest = count - MOST_TOLD
    return [f"... and {rest:,} more."] if rest > 0 else []


def dotted(path: Path) -> str:
    """Write a path as the command line takes it: ``layers[2].units``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if len(part) <= 64 else f"{part[:61]}..."
            text += f".{name}" if text else name
    return text
