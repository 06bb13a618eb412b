"""Sums of products, written with a letter for each axis."""

from __future__ import annotations

import string
from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ShapeError


class Einsum(Function, name="einsum"):
    """y = Σ of the products of all inputs, over the letters that y does not have.

    "ij,jk->ik" is the matrix product y_ik = Σ_j a_ij·b_jk. The derivative by an input
    is a sum of the same kind, of dL/dy and all other inputs: dL/da_ij = Σ_k
    dL/dy_ik·b_jk is "ik,jk->ij". Along a letter that no one else has it is the same
    everywhere; where an input has a letter twice, its diagonal was read.

    Args:
        subscripts: The letters of each input, and of y; ``...`` for any further axes,
            which broadcast. Without ``->``, y has what occurs once, in the alphabet's
            order.
    """

    subscripts: str

    layout = "any"
    saves_output = False

    def allocate(self, *inputs: Array) -> Array:
        shapes = [array.shape for array in inputs]
        self.terms, self.result = _letters(self.subscripts, shapes)
        self.sizes: dict[str, int] = {}
        for term, shape in zip(self.terms, shapes, strict=True):
            for letter, size in zip(term, shape, strict=True):
                if size != 1 or letter not in self.sizes:
                    self.sizes[letter] = size
        for term, shape in zip(self.terms, shapes, strict=True):
            for letter, size in zip(term, shape, strict=True):
                if size not in (1, self.sizes[letter]):
                    raise _misfit(self.subscripts, shapes)
        shape = tuple(self.sizes[letter] for letter in self.result)
        return xp.empty(shape, xp.result_type(*inputs))

    def forward(self, *arrays: Array) -> None:
        *inputs, out = arrays
        self.inputs = inputs
        _sum_products(self.terms, inputs, self.result, out)

    def backward(self, grad: Array, *input_grads: Array | None) -> None:
        for i, dx in enumerate(input_grads):
            if dx is not None:
                others = [*self.terms[:i], *self.terms[i + 1 :]]
                arrays = [*self.inputs[:i], *self.inputs[i + 1 :]]
                self._write(i, [self.result, *others], [grad, *arrays], dx)

    def _write(self, i: int, others: list[str], arrays: list[Array], dx: Array) -> None:
        """Write the gradient of one input, given dL/dy and all other inputs."""
        mine = self.terms[i]
        letters = "".join(dict.fromkeys(mine))
        sizes = dict(zip(mine, dx.shape, strict=True))
        known = "".join(
            letter
            for letter in letters
            if letter in "".join(others) and sizes[letter] == self.sizes[letter]
        )
        total = xp.empty([sizes[letter] for letter in known], dx.dtype)
        _sum_products(others, arrays, known, total)
        if len(letters) < len(mine):
            dx.fill(0)
            dx = xp.einsum(f"{mine}->{letters}", dx)  # A view of the diagonal.
        shape = [sizes[letter] if letter in known else 1 for letter in letters]
        xp.copyto(dx, total.reshape(shape))

    def flops(self, *arrays: Sized) -> int:
        """Count a multiplication and an addition for each term of the sum."""
        return int(2 * np.prod([float(size) for size in self.sizes.values()]))

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Products, sums, diagonals, further axes; one input, two and three."""
        for subscripts, shapes in (
            ("ij,jk->ik", ((2, 3), (3, 4))),
            ("ij,ij", ((2, 3), (2, 3))),
            ("ij->j", ((2, 3),)),
            ("ii->i", ((3, 3),)),
            ("ii", ((3, 3),)),
            ("i,j,k->kij", ((2,), (3,), (4,))),
            ("...ij,...jk->...ik", ((5, 2, 3), (3, 4))),
            ("...ij,...jk", ((5, 1, 2, 3), (6, 3, 4))),
            ("bhqd,bhkd->bhqk", ((2, 1, 3, 4), (2, 1, 5, 4))),
        ):
            inputs = tuple(rng.normal(size=shape) for shape in shapes)
            yield Case(cls(subscripts), inputs)


def _sum_products(
    terms: list[str], inputs: list[Array], result: str, out: Array
) -> None:
    spelled = f"{','.join(terms)}->{result}"
    # With `optimize`, products of two are those of matrices, which are much faster.
    xp.einsum(spelled, *inputs, out=out, optimize=True)


def _letters(subscripts: str, shapes: list[Shape]) -> tuple[list[str], str]:
    """Return one letter for each axis of each input, and of the output."""
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise _misfit(subscripts, shapes)
    free = [letter for letter in string.ascii_letters if letter not in subscripts]
    # What `...` stands for, aligned at its last axis.
    rests = [
        len(shape) - len(term.replace("...", ""))
        for term, shape in zip(terms, shapes, strict=True)
        if "..." in term
    ]
    rest = "".join(free[: max(rests, default=0)])
    for i, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        count = len(shape) - len(term.replace("...", ""))
        if count < 0 or (count and "..." not in term):
            raise _misfit(subscripts, shapes)
        terms[i] = term.replace("...", rest[len(rest) - count :])
    every = "".join(terms)
    if arrow:
        result = result.replace("...", rest)
    else:
        own = sorted(set(every) - set(rest))
        result = rest + "".join(each for each in own if every.count(each) == 1)
    wrong = set(result) - set(every) or len(set(result)) < len(result)
    if wrong or not all(letter in string.ascii_letters for letter in every):
        raise _misfit(subscripts, shapes)
    return terms, result


def _misfit(subscripts: str, shapes: list[Shape]) -> ShapeError:
    return ShapeError(
        f"einsum: expected letters for the axes of {' and '.join(map(str, shapes))}, "
        f"got {subscripts!r}. Write one letter an axis: 'ij,jk->ik'."
    )
