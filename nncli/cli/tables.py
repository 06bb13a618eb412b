"""Tables: as many columns as the terminal has room for, each of them whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nncli.cli.console import out

if TYPE_CHECKING:
    from rich.table import Table as RichTable
    from rich.text import Text

GAP = 3


@dataclass
class _Column:
    """A column and its cells.

    Attributes:
        head: Its name.
        number: Whether it is aligned at the right and never broken.
        spare: How readily it is left out where there is no room; 0 for never.
    """

    head: str
    number: bool
    spare: int
    cells: list[str | Text] = field(default_factory=list)

    @property
    def least(self) -> int:
        """The width that breaks no number and no word."""
        from rich.cells import cell_len

        texts = [self.head, *map(str, self.cells)]
        pieces = texts if self.number else [w for t in texts for w in t.split()]
        return max(map(cell_len, pieces), default=0)


class Table:
    """Rows under heads; where the terminal is narrow, spare columns are left out.

    Args:
        columns: Heads. ``>`` in front says that a column holds numbers, and ``?``
            before that, that it may be left out: those with the most of them first.
    """

    def __init__(self, *columns: str) -> None:
        self._columns = [
            _Column(head.lstrip("?>"), ">" in head, head.count("?")) for head in columns
        ]

    def add_row(self, *cells: str | Text) -> None:
        """Add a row; cells that are not given are empty."""
        filled = [*cells, *[""] * (len(self._columns) - len(cells))]
        for column, cell in zip(self._columns, filled, strict=True):
            column.cells.append(cell)

    def print(self) -> None:
        """Print it to stdout."""
        console = out()
        console.print(self.fitted(console.width))

    def fitted(self, width: int) -> RichTable:
        """Return what fits a width."""
        from rich import box
        from rich.table import Table as RichTable

        columns = self.chosen(width)
        made = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for column in columns:
            if column.number:
                made.add_column(column.head, justify="right", no_wrap=True)
            else:
                made.add_column(column.head, overflow="fold")
        for cells in zip(*(column.cells for column in columns), strict=True):
            made.add_row(*cells)
        return made

    def chosen(self, width: int) -> list[_Column]:
        """Return the columns that have room in a width."""
        columns = list(self._columns)
        while sum(c.least + GAP for c in columns) - GAP > width:
            readiest = max(columns, key=lambda column: column.spare)
            if not readiest.spare:
                break
            columns.remove(readiest)
        return columns
