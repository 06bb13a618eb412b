"""Rows: gathered in any type and order, gone through in blocks, told by a digest."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.data import base
from nncli.data.base import Index
from nncli.data.table import Table, gather

ROWS, SHAPE = 29, (3, 2)
TYPES = ["?", "u1", "u2", "i4", "i8", ">i4", "f2", "f4", "f8", ">f8"]

STORED: dict[str, Callable[[Array, Path], Array]] = {
    "C order": lambda x, folder: x,
    "Fortran order": lambda x, folder: np.asfortranarray(x),
    "every second": lambda x, folder: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x, folder: x[::-1].copy()[::-1],
    "a column": lambda x, folder: np.concatenate([x, x], axis=1)[:, : SHAPE[0]],
    "mapped": lambda x, folder: mapped(x, folder, "C"),
    "mapped, Fortran order": lambda x, folder: mapped(x, folder, "F"),
}
PLACES: list[Index] = [
    slice(0, ROWS),
    slice(3, 17),
    slice(4, 4),
    np.array([5, 28, 0, 5, 1]),
    np.arange(ROWS)[::-1],
    np.arange(0),
]


def mapped(x: Array, folder: Path, order: str) -> Array:
    file = folder / "x.npy"
    np.save(file, np.asarray(x, order=order))  # type: ignore[call-overload]
    return np.asanyarray(np.load(file, mmap_mode="r"))


def values(dtype: str) -> Array:
    rng = np.random.default_rng(0)
    return rng.integers(0, 200, (ROWS, *SHAPE)).astype(dtype)


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("dtype", TYPES)
def test_gathered_rows_are_numpy_s(dtype: str, stored: str, tmp_path: Path) -> None:
    x = values(dtype)
    source = STORED[stored](x, tmp_path)
    table = Table(source)
    for index, target in product(PLACES, ("f4", "f8")):
        expected = x[index].astype(target)
        for order in "CF":
            out = np.full(expected.shape, np.nan, target, order=order)  # type: ignore[call-overload]
            gather(source, index, out)
            np.testing.assert_array_equal(out, expected)
            out[:] = np.nan
            table.take(index, {"x": out})
            np.testing.assert_array_equal(out, expected)
        own = table.read("x", index)
        assert own.dtype == source.dtype
        np.testing.assert_array_equal(own, x[index])


@pytest.mark.parametrize("order", ["C", "F"])
def test_gathering_takes_no_memory_that_grows_with_all_rows(order: str) -> None:
    source = np.zeros((100_000, 8), np.float32, order=order)  # type: ignore[call-overload]
    for dtype in ("f4", "f8"):
        out = np.empty((10, 8), dtype)
        tracemalloc.start()
        gather(source, np.arange(10), out)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1e6


@pytest.mark.parametrize("dtype", ["u1", "i8"])
def test_gathered_tokens_stay_integers(dtype: str) -> None:
    out = np.empty((2, *SHAPE), np.int64)
    gather(values(dtype), np.array([7, 3]), out)
    np.testing.assert_array_equal(out, values(dtype)[[7, 3]])
    with pytest.raises(TypeError):
        gather(values("f4"), np.array([7, 3]), out)


@pytest.mark.parametrize("index", [None, np.array([4, 20, 3, 3, 28, 0])])
@pytest.mark.parametrize("nbytes", [1, 100, 300, 10**6])
def test_blocks_go_through_the_rows_in_order(
    nbytes: int, index: Array | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "BLOCK", nbytes)
    x, y = values("u2"), np.arange(ROWS)
    blocks = [*Table(x, y).blocks("x", "y", index=index)]
    assert max(len(here) for here, _ in blocks) <= max(1, nbytes // 56)
    for found, expected in zip(zip(*blocks, strict=True), (x, y), strict=True):
        whole = expected if index is None else expected[index]
        np.testing.assert_array_equal(np.concatenate(found), whole)
        assert found[0].dtype == expected.dtype


def test_digest_is_of_the_content_however_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = values("f4"), np.arange(ROWS)
    expected = Table(x, y).digest()
    for store in STORED.values():
        assert Table(store(x, tmp_path), y.repeat(2)[::2]).digest() == expected
    monkeypatch.setattr(base, "BLOCK", 150)
    assert Table(x, y).digest() == expected


def test_digest_sees_the_last_element_the_shape_and_the_type() -> None:
    x, y = values("f4"), np.arange(ROWS)
    other, last = x.copy(), y.copy()
    other[-1, -1, -1] = np.nextafter(other[-1, -1, -1], np.float32(np.inf))
    last[-1] += 1
    tables = [
        Table(x, y),
        Table(other, y),
        Table(x, last),
        Table(x.reshape(ROWS, -1), y),
        Table(x.astype("f8"), y),
        Table(x, y.astype("i4")),
    ]
    assert len({table.digest() for table in tables}) == len(tables)
