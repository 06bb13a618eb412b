"""Tables: as many columns as the terminal has room for, each of them whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nncli.cli.console import out
from nncli.core.text import shown

if TYPE_CHECKING:
    from rich.text import Text

GAP = 3
LONGEST_WORD = 16


@dataclass
class _Column:
    """A column and its cells.

    Attributes:
        head: Its name.
        number: Whether it is aligned at the right and never broken.
        spare: How readily it is left out where there is no room; 0 for never.
        longest: A word that is longer may be broken.
    """

    head: str
    number: bool
    spare: int
    longest: int = sys.maxsize
    cells: list[str | Text] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """Head and cells."""
        return [self.head, *map(str, self.cells)]

    @property
    def most(self) -> int:
        """The width that breaks nothing."""
        return _longest(self.texts)

    @property
    def least(self) -> int:
        """The width that breaks no number and no word, but for very long ones."""
        if self.number:
            return self.most
        words = [word for text in self.texts for word in text.split()]
        return min(_longest(words), self.longest)


class Table:
    """Rows under heads; where the terminal is narrow, spare columns are left out.

    Args:
        columns: Heads. ``>`` in front says that a column holds numbers, and ``?``
            before that, that it may be left out: those with the most of them first.
    """

    def __init__(self, *columns: str) -> None:
        self._columns = [
            _Column(shown(head.lstrip("?>")), ">" in head, head.count("?"))
            for head in columns
        ]

    def add_column(self, head: str, *, number: bool = False) -> None:
        """Add a column of somebody else's texts: its very long words may be broken."""
        self._columns.append(_Column(shown(head), number, 0, LONGEST_WORD))

    def add_row(self, *cells: str | Text) -> None:
        """Add a row; cells that are not given are empty."""
        filled = [*cells, *[""] * (len(self._columns) - len(cells))]
        for column, cell in zip(self._columns, filled, strict=True):
            column.cells.append(shown(cell) if isinstance(cell, str) else cell)

    def print(self) -> None:
        """Print it to stdout."""
        console = out()
        console.print(self.fitted(console.width), no_wrap=True, overflow="ellipsis")

    def fitted(self, width: int) -> Text:
        """Return what fits a width.

        The lines are made here: those of rich's own tables take a millisecond each.
        """
        from rich.text import Text

        columns = self.chosen(width)
        widths = _widths(columns, width)
        heads = [Text(column.head, style="bold") for column in columns]
        rule = "─" * (sum(widths) + GAP * (len(widths) - 1))
        lines = [*_lines(columns, widths, heads), Text(rule)]
        for cells in zip(*(column.cells for column in columns), strict=True):
            lines += _lines(columns, widths, cells)
        return Text("\n").join(lines)

    def fits(self, width: int) -> bool:
        """Whether a width has room for it without breaking a word."""
        return _total(self.chosen(width)) <= width

    def chosen(self, width: int) -> list[_Column]:
        """Return the columns that have room in a width."""
        columns = list(self._columns)
        while _total(columns) > width:
            readiest = max(columns, key=lambda column: column.spare)
            if not readiest.spare:
                break
            columns.remove(readiest)
        return columns


def _lines(
    columns: Sequence[_Column], widths: Sequence[int], cells: Sequence[str | Text]
) -> Iterator[Text]:
    """Yield the lines of a row: one, or several where cells are broken."""
    from rich.text import Text

    broken = [
        _broken(cell, width, column.number)
        for column, width, cell in zip(columns, widths, cells, strict=True)
    ]
    for place in range(max(map(len, broken))):
        line = Text()
        for column, width, pieces in zip(columns, widths, broken, strict=True):
            piece = pieces[place] if place < len(pieces) else Text()
            room = " " * (width - piece.cell_len)
            line.append(room if column.number else "").append_text(piece)
            line.append(("" if column.number else room) + " " * GAP)
        line.rstrip()
        yield line


def _broken(cell: str | Text, width: int, number: bool) -> list[Text]:
    """Break a cell between words to a width; a number is cut off instead."""
    from rich.text import Text

    text = Text(cell) if isinstance(cell, str) else cell
    if text.cell_len <= width and "\n" not in text.plain:
        return [text]
    if number:
        text = text.copy()
        text.truncate(width, overflow="ellipsis")
        return [text]
    return list(text.wrap(out(), width, overflow="fold"))


def _longest(texts: list[str]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, texts), default=0)


def _total(columns: list[_Column]) -> int:
    return sum(column.least + GAP for column in columns) - GAP


def _widths(columns: list[_Column], width: int) -> list[int]:
    """Share a width so that no word is broken to save a line elsewhere."""
    free = max(width - _total(columns), 0)
    widths = {id(column): column.least for column in columns}
    # Who lacks little gets it first: what is long has several lines anyway.
    for column in sorted(columns, key=lambda column: column.most - column.least):
        given = min(column.most - column.least, free)
        widths[id(column)] += given
        free -= given
    # Where even that is too much, the last one is broken, or else one of texts: of
    # numbers no more than the head is.
    over = max(sum(widths.values()) + GAP * (len(columns) - 1) - width, 0)
    texts = [column for column in columns if not column.number]
    broken = columns[-1]
    room = widths[id(broken)] - over
    if broken.number and texts and room < _longest(broken.texts[1:]):
        broken = max(texts, key=lambda column: widths[id(column)])
    widths[id(broken)] = max(widths[id(broken)] - over, 1)
    return [widths[id(column)] for column in columns]
