"""Kind: the abstract class and the registry of the pictures of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from nncli.core.registry import Registry
from nncli.report.plots.panels import Panel
from nncli.report.plots.subject import Subject

KINDS = Registry("kind of picture", "nncli.report.plots.kinds")


class Kind(ABC):
    """One kind of picture.

    A subclass in a file of ``kinds`` is found by itself, and its docstring says what is
    drawn and from what::

        class Residuals(Kind, name="residuals", title="Residuals"): ...

    Class attributes:
        name: As ``--kind`` and the file call it: that of its module.
        title: Above the picture.
        seen: What is seen, in a sentence for who does not see it.
        place: Kinds with a lower one come first.
        overlays: Whether those of several runs can be drawn over each other.
        needs_network: Whether the network runs for it; else the run's logs do.
        needs_rows: Whether the network sees rows of the data for it.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    seen: ClassVar[str] = ""
    place: ClassVar[int] = 5
    overlays: ClassVar[bool] = False
    needs_network: ClassVar[bool] = True
    needs_rows: ClassVar[bool] = True

    def __init_subclass__(cls, *, name: str, title: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name, cls.title = name, title
        KINDS.add(name, cls)

    @abstractmethod
    def panels(self, subject: Subject) -> list[Panel]:
        """Return what is drawn of a run; nothing where the kind does not apply.

        Raises:
            NncliError: The run's network or data is not to be had.
        """

    def alt(self, panels: list[Panel]) -> str:
        """Say in a sentence what is seen, for who does not see it."""
        return self.seen


def kinds() -> list[Kind]:
    """Return one of each kind, in the order in which they are shown."""
    found: list[type[Kind]] = list(KINDS.scan().values())
    return [cls() for cls in sorted(found, key=lambda cls: (cls.place, cls.name))]
