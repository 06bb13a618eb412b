"""Memory that several tensors look at, and how often it was changed in place."""

from __future__ import annotations


class Home:
    """What tensors that were moved into one flat array share.

    Attributes:
        version: How often all of them were changed in place.
    """

    __slots__ = ("version",)

    def __init__(self) -> None:
        self.version = 0


class Memory:
    """What tensors share that look at the same memory: a view, a detached tensor.

    Attributes:
        changes: How often it was changed in place, as far as that can be seen.
        home: The Flat that it is part of; None for none.
    """

    __slots__ = ("changes", "home")

    def __init__(self, changes: int = 0, home: Home | None = None) -> None:
        self.changes = changes
        self.home = home

    @property
    def version(self) -> int:
        """How often it was changed, alone or as part of a Flat."""
        return self.changes if self.home is None else self.changes + self.home.version
