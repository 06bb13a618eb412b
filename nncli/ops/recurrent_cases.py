"""Cases: the calls of recurrent ops that gradcheck proves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.autograd.function import Case

if TYPE_CHECKING:
    from nncli.ops.recurrent import Recurrent


def recurrent_cases(
    cls: type[Recurrent], rng: np.random.Generator, **fields: Any
) -> Iterator[Case]:
    """Yield one step, several; both ways; lengths; dropped states; a table."""

    def case(n: int, t: int, lengths: Sequence[int] = (), **more: Any) -> Case:
        f, h, table = 2, 3, more.get("table", False)
        rows = len(cls.order) * h
        inputs = [
            rng.normal(size=(4, f) if table else (n, t, f)),
            *(rng.normal(size=shape) for shape in ((rows, f), (rows,), (rows, h))),
            *(rng.normal(size=h) for _ in range(cls.extras)),
            *(rng.normal(size=(n, h)) for _ in range(cls.memories)),
            np.array(lengths or [t] * n),
        ]
        if more.get("dropped"):
            inputs.append(rng.integers(0, 2, (n, h)) * 2.0)
        if table:
            inputs.append(rng.integers(0, 4, (n, t)))
        return Case(cls(**fields, **more), tuple(inputs))

    yield case(1, 1)
    yield case(2, 3)
    yield case(2, 3, reverse=True, last=True)
    yield case(4, 3, [2, 0, 3, 1])
    yield case(4, 3, [2, 0, 3, 1], reverse=True, dropped=True)
    yield case(2, 3, [1, 3], last=True, table=True)
