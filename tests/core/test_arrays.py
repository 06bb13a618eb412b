"""Arrays: the guard in front of big ones, and sizes that are only a bound."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.core import arrays
from nncli.core.arrays import Longest, aligned_zeros, batch_innermost, check_memory
from nncli.core.errors import NncliError


@pytest.mark.parametrize(("dtype", "fits"), [("float32", 128), ("float64", 64)])
def test_arrays_up_to_half_of_the_memory_are_let_pass(
    dtype: str, fits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "_physical_memory", lambda: 1024)
    check_memory((fits,), np.dtype(dtype), "rows")
    check_memory((fits // 2, 2), np.dtype(dtype), "rows")
    with pytest.raises(NncliError, match=r"rows: expected .* half of this machine"):
        check_memory((fits + 1,), np.dtype(dtype), "rows")


def test_a_longest_size_is_a_number_that_shows_it_is_a_bound() -> None:
    size = Longest(5)
    assert size == 5
    assert (f"{size}", str((size, 3)), size + 1) == ("<=5", "(<=5, 3)", 6)


def test_batch_innermost_has_the_batch_along_memory() -> None:
    array = batch_innermost((5, 2, 3), np.dtype(np.float32))
    assert array.shape == (5, 2, 3)
    assert array.strides == (4, 60, 20)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 1000])
def test_aligned_zeros_begin_at_a_cache_line(size: int, dtype: str) -> None:
    array = aligned_zeros(size, dtype)
    assert array.shape == (size,)
    assert array.ctypes.data % 64 == 0
    assert not array.any()
