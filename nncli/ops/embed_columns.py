"""EmbedColumns: codes of categories become rows of trained tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import form, scratch
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, xp
from nncli.core.errors import ShapeError


class EmbedColumns(Function, name="embed_columns"):
    """y = (x₁ … x_F, W₁[c₁], …, W_E[c_E]) for rows x of F numbers and E codes.

    x (N, F + E) with codes as its last elements, W_e (K_e, D_e) → y (N, F + Σ D_e).
    dL/dx = dL/dy of the numbers, 0 of the codes; dL/dW_e[k] = Σ of dL/dy over the rows
    with code k.
    """

    saves_inputs = (True, False)
    saves_output = False

    def allocate(self, x: Array, *tables: Array) -> Array:
        """Make the output; codes are remembered as integers."""
        numbers = x.shape[-1] - len(tables)
        if x.ndim != 2 or numbers < 0:
            raise ShapeError(
                f"{self.type_name}: expected rows of at least {len(tables)} codes, got "
                f"{x.shape}."
            )
        self.numbers = numbers
        ends = np.cumsum([numbers, *(table.shape[1] for table in tables)]).tolist()
        self.places = [slice(*pair) for pair in itertools.pairwise(ends)]
        self.codes = xp.empty((len(tables), len(x)), xp.intp)
        return xp.empty((len(x), ends[-1]), x.dtype)

    def forward(self, x: Array, *tables_and_out: Array) -> None:
        *tables, out = tables_and_out
        xp.copyto(self.codes, x[:, self.numbers :].T, casting="unsafe")
        out[:, : self.numbers] = x[:, : self.numbers]
        for table, codes, to in zip(tables, self.codes, self.places, strict=True):
            rows = scratch(form((len(x), table.shape[1]), table.dtype))
            xp.clip(codes, 0, len(table) - 1, out=codes)
            table.take(codes, 0, rows, "clip")
            out[:, to] = rows

    def backward(self, grad: Array, dx: Array | None, *dtables: Array | None) -> None:
        if dx is not None:
            dx[:, : self.numbers] = grad[:, : self.numbers]
            dx[:, self.numbers :] = 0
        for dtable, codes, to in zip(dtables, self.codes, self.places, strict=True):
            if dtable is not None:
                dtable.fill(0)
                xp.add.at(dtable, codes, grad[:, to])

    def flops(self, *arrays: Sized) -> int:
        """Nothing is computed."""
        return 0

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Numbers and codes, codes alone, one row, a code that occurs twice."""
        for numbers, sizes, rows in ((3, (4, 2), 5), (0, (3,), 4), (1, (2,), 1)):
            tables = [rng.normal(size=(size, size - 1)) for size in sizes]
            codes = [rng.integers(size, size=(rows, 1)) for size in sizes]
            x = np.concatenate([rng.normal(size=(rows, numbers)), *codes], axis=1)
            yield Case(cls(), (x, *tables), constant=(0,))
