"""Table: rows whose fields are arrays, in memory or mapped from files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from nncli.autograd.buffers import form, scratch
from nncli.core.arrays import Array, xp
from nncli.data.base import Field, Index, Rows
from nncli.data.mapped import FileRows


@dataclass(frozen=True, eq=False)
class Table(Rows):
    """Rows whose fields are arrays: in memory or memory-mapped, in their own types.

    Attributes:
        x: (N, ...) inputs.
        y: (N,) class indices where there are classes, else (N, ...) numbers; None where
            only predictions are wanted.
        classes: The classes in their own type; None where targets are numbers.
        weights: (N,) how much each row counts in the loss; None for 1.
        lengths: (N,) how many steps of each row's sequence there are; None for all.
        targets: What ``y`` holds where ``classes`` is None: numbers, ``classes`` that
            are still to be numbered, or ``auto``, the loss decides.
    """

    x: Array
    y: Array | None = None
    classes: tuple[Any, ...] | None = None
    weights: Array | None = None
    lengths: Array | None = None
    columns: tuple[str, ...] | None = None
    keys: Mapping[str, Array] = field(default_factory=dict)
    parts: Mapping[str, Array] = field(default_factory=dict)
    per_epoch: int | None = None
    below: int | None = None
    targets: Literal["auto", "classes", "numbers"] = "numbers"
    scale_targets: bool = False
    target_names: tuple[str, ...] | None = None

    @property
    def arrays(self) -> dict[str, Array]:
        """The fields' arrays by name."""
        given = {"x": self.x, "y": self.y, "weights": self.weights}
        given["lengths"] = self.lengths
        return {name: array for name, array in given.items() if array is not None}

    @property
    def fields(self) -> dict[str, Field]:  # type: ignore[override]
        """What a row holds."""
        return {
            name: Field(array.dtype, array.shape[1:])
            for name, array in self.arrays.items()
        }

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def _files(self) -> dict[str, FileRows | None]:
        return {name: FileRows.of(array) for name, array in self.arrays.items()}

    def held(self, name: str) -> Array | None:
        """Return the array of a field; None where it is mapped from a file."""
        return self.arrays[name] if self._files[name] is None else None

    def take(self, index: Index, out: Mapping[str, Array]) -> None:
        """Gather rows of the arrays."""
        arrays, files = self.arrays, self._files
        for name, target in out.items():
            gather(arrays[name], index, target, files[name])


def gather(
    source: Array, index: Index, out: Array, file: FileRows | None = None
) -> None:
    """Write some rows of an array into another one, in its type.

    Without an array in between that grows with the rows, where the source is row-major.

    Args:
        source: (N, ...) the array.
        index: Places of the rows.
        out: (n, ...) where they go.
        file: How to read the source, where it is mapped from a file.
    """
    plain = source.dtype == out.dtype and out.flags.c_contiguous
    if file is not None:
        room = out if plain else scratch(form(out.shape, source.dtype))
        file.take(index, room)
    elif isinstance(index, slice) or not source.flags.c_contiguous:
        # NumPy's take would copy all of a source that is not row-major first.
        room = source[index]
    else:
        room = out if plain else scratch(form(out.shape, source.dtype))
        # Rows are known to exist; "clip" spares the copy that "raise" makes.
        xp.take(source, index, axis=0, out=room, mode="clip")
    if room is not out:
        xp.copyto(out, room, casting="same_kind")
