"""Arrays: as much of one as can be read, in rows and columns of text."""

from __future__ import annotations

from nncli.checking.quantity import norm
from nncli.core.arrays import Array, Shape

DIGITS = 6
"""Significant digits of a number."""

LEFT_OUT = "…"


def figure(value: float | None) -> str:
    """Write a number with six significant digits, or a dash for none."""
    return "-" if value is None else f"{value:.{DIGITS}g}"


def head_text(name: str, array: Array) -> str:
    """Write name and shape of an array, and the norm of one of numbers."""
    head = f"{name} {shape_text(array.shape)}"
    return f"{head}, norm {figure(norm(array))}" if array.dtype.kind == "f" else head


def shape_text(shape: Shape) -> str:
    """Write a shape: ``(2, 3)``."""
    return str(tuple(map(int, shape)))


def place_text(index: Shape) -> str:
    """Write the place of an element: ``[2, 3]``."""
    return f"[{', '.join(map(str, index))}]"


def matrix_of(array: Array) -> tuple[Array, str]:
    """Return two axes of an array, and where they stand if it has more.

    Of an array with more axes, the last two of the first of each.
    """
    if array.ndim < 2:
        return array.reshape(1, -1), ""
    first = (0,) * (array.ndim - 2)
    return array[first], place_text(first) if array.ndim > 2 else ""


def cut(matrix: Array, rows: int, columns: int) -> list[list[str]]:
    """Write a matrix, with ``…`` in the place of rows and columns that are left out.

    Args:
        matrix: (n, m).
        rows: How many lines there may be.
        columns: How many cells there may be in each.
    """
    n, m = matrix.shape
    down, across = min(n, rows), min(m, columns)
    lines = [
        [*map(figure, line[: across - (m > across)]), *[LEFT_OUT] * (m > across)]
        for line in matrix[: down - (n > down)].tolist()
    ]
    return [*lines, *[[LEFT_OUT] * across] * (n > down)]


def fitted(matrix: Array, rows: int, width: int) -> list[str]:
    """Write a matrix as lines of at most some width, columns aligned at the right."""
    columns = max(1, min(matrix.shape[1], width // 3))
    while True:
        cells = cut(matrix, rows, columns)
        if columns == 1 < matrix.shape[1]:
            # At least one number of each row.
            cells = [[*line, LEFT_OUT] for line in cut(matrix[:, :1], rows, 1)]
        sizes = [max(map(len, column)) for column in zip(*cells, strict=True)]
        if columns == 1 or sum(sizes) + 2 * (len(sizes) - 1) <= width:
            break
        columns -= 1
    return [
        "  ".join(cell.rjust(size) for cell, size in zip(line, sizes, strict=True))
        for line in cells
    ]
