"""Large tables are converted once: kept, found again, swept, freed."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from nncli.core.errors import DataError, NncliError
from nncli.tables import read as module
from nncli.tables.cache import cache_dir, clean, entries
from nncli.tables.read import read_table
from nncli.tables.reading import Reading

pl = pytest.importorskip("polars")

TEXT = "id,a,b,c\n" + "".join(
    f"{i},{i * i / 7},{'x' if i % 3 else ''},{i % 2}\n" for i in range(500)
)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file that counts as large, changed long ago, and keep tables here."""
    monkeypatch.setenv("NNCLI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("nncli.tables.read.LARGE", 1000)
    monkeypatch.setattr("nncli.tables.text.BLOCK", 500)
    monkeypatch.setattr("nncli.tables.text.ROWS", 1)
    monkeypatch.setattr("nncli.tables.stream.PIECE", 300)
    monkeypatch.setattr("nncli.tables.store.PART", 512)
    return written(tmp_path / "x.csv", TEXT)


def written(path: Path, text: str) -> Path:
    """Write a file as if it had been there for long."""
    path.write_text(text)
    os.utime(path, (1e9, 1e9))
    return path


def refuse(*_: Any) -> None:
    """Stand for what must not be called."""
    raise AssertionError


def test_kept_table_is_that_of_memory(table: Path) -> None:
    kept, own = (
        read_table([table], Reading()),
        read_table([table], Reading(), cache=False),
    )
    assert isinstance(kept.values, np.memmap)
    np.testing.assert_array_equal(kept.values, own.values)
    assert kept.values.flags.c_contiguous
    assert kept.columns == own.columns
    assert kept.sha256 == own.sha256
    assert dict(kept.left_out) == dict(own.left_out) == {"id": "numbers the rows"}
    assert dict(kept.facts) == dict(own.facts)


def test_second_reading_neither_hashes_nor_reads(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.tables.cache._RACY", 0)
    first = read_table([table], Reading())
    monkeypatch.setattr(module, "_Pass", refuse)
    monkeypatch.setattr("nncli.tables.cache._digest_of", refuse)
    told: list[tuple[int, int]] = []
    again = read_table([table], Reading(), progress=lambda *each: told.append(each))
    np.testing.assert_array_equal(again.values, first.values)
    assert again.sha256 == first.sha256
    assert not told


def test_kept_table_is_found_by_content(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_table([table], Reading())
    moved = table.rename(table.with_name("y.csv"))
    os.utime(moved)
    monkeypatch.setattr(module, "_Pass", refuse)
    assert read_table([moved], Reading()).source == str(moved)


def test_other_content_or_reading_makes_another_table(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_table([table], Reading())
    other = read_table([table], Reading(missing_values=("x",)), keep=["b"])
    assert other.columns != first.columns
    assert "id" in read_table([table], Reading(), keep=["id"]).names
    assert read_table([table], Reading(), {"c": "category"}).columns[2].words
    monkeypatch.setattr("nncli.tables.cache._RACY", 0)
    written(table, TEXT.replace("x", "z"))
    assert read_table([table], Reading()).columns[1].words == ("z",)
    assert len(entries()) == 5


def test_progress_ends_at_the_whole(table: Path) -> None:
    told: list[tuple[int, int]] = []
    read_table([table], Reading(), progress=lambda *each: told.append(each))
    parts = [done / total for done, total in told]
    assert parts == sorted(parts)
    assert parts[-1] == 1
    assert len(parts) > 10


def test_packed_file_is_kept_too(table: Path) -> None:
    path = table.with_name("x.csv.gz")
    path.write_bytes(gzip.compress(TEXT.encode()))
    kept = read_table([path], Reading())
    assert isinstance(kept.values, np.memmap)
    assert kept.sha256 == read_table([table], Reading(), cache=False).sha256


def test_typed_file_is_kept_too(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.tables.columnar.CELLS", 400)
    path = table.with_name("x.parquet")
    pl.read_csv(TEXT.encode()).write_parquet(path)
    told: list[tuple[int, int]] = []
    kept = read_table([path], Reading(), progress=lambda *each: told.append(each))
    assert isinstance(kept.values, np.memmap)
    np.testing.assert_array_equal(
        kept.values, read_table([table], Reading(), cache=False).values
    )
    assert len(told) > 5
    assert told[-1][0] == told[-1][1]


def test_later_contradiction_is_kept_as_a_category(table: Path) -> None:
    path = written(table.with_name("y.csv"), TEXT + "500,odd,x,1\n")
    kept, own = (
        read_table([path], Reading()),
        read_table([path], Reading(), cache=False),
    )
    assert kept.left_out["a"].startswith("nearly every row has a text of its own")
    assert kept.sha256 == own.sha256


def test_damaged_table_is_made_again(table: Path) -> None:
    first = read_table([table], Reading())
    wanted = first.values.copy()
    for name in ("values.npy", "table.json"):
        (entries()[0].path / name).write_bytes(b"")
        np.testing.assert_array_equal(read_table([table], Reading()).values, wanted)


def test_failure_leaves_nothing(table: Path) -> None:
    path = written(table.with_name("y.csv"), TEXT + "1,2\n")
    with pytest.raises(DataError, match=r"y\.csv:502"):
        read_table([path], Reading())
    assert not entries()
    assert [each.name for each in (cache_dir() / "tables").iterdir()] == ["lock"]


@pytest.mark.slow
def test_kill_leaves_nothing_that_is_taken_for_a_table(table: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from nncli.tables import read, stream, text\n"
        "from nncli.tables.reading import Reading\n"
        "read.LARGE, text.BLOCK, stream.PIECE = 1000, 500, 300\n"
        "def die(done, total):\n"
        "    if done > total / 2: os._exit(9)\n"
        "read.read_table([Path(sys.argv[1])], Reading(), progress=die)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, table], timeout=60)
    assert run.returncode == 9
    left = list((cache_dir() / "tables").glob(".*"))
    assert left
    assert not entries()
    kept = read_table([table], Reading())
    assert len(kept.values) == 500
    assert not list((cache_dir() / "tables").glob(".*"))


def test_two_at_once_make_one_table(table: Path) -> None:
    passes = []

    class Counted(module._Pass):
        def table(self, make: Any) -> Any:
            passes.append(1)
            return super().table(make)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_Pass", Counted)
        found: list[Any] = []
        threads = [
            threading.Thread(
                target=lambda: found.append(read_table([table], Reading()))
            )
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(passes) == 1
    assert len({each.sha256 for each in found}) == 1


def test_file_that_changes_while_it_is_read_is_refused(table: Path) -> None:
    def change(done: int, total: int) -> None:
        if done > total / 2:
            written(table, TEXT + "1,2,3,4\n")

    with pytest.raises(DataError, match=r"stays as it is while it is read"):
        read_table([table], Reading(), progress=change)
    assert not entries()


class Usage(NamedTuple):
    """What ``shutil.disk_usage`` gives."""

    free: int


def test_table_without_room_is_refused_before_it_is_written(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1000))
    with pytest.raises(NncliError, match=r"expected room for .*NNCLI_CACHE"):
        read_table([table], Reading())
    assert not entries()


def test_cache_that_cannot_be_written_is_told(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNCLI_CACHE", str(table))
    with pytest.raises(
        NncliError, match=r"expected to keep the table there.*NNCLI_CACHE"
    ):
        read_table([table], Reading())


def test_clean_frees_what_is_kept(table: Path) -> None:
    read_table([table], Reading())
    (entry,) = entries()
    assert entry.source == str(table)
    assert entry.size > 500 * 3 * 8
    assert clean() >= entry.size
    assert not entries()
    assert not clean()
    assert len(read_table([table], Reading()).values) == 500


def test_cache_dir_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NNCLI_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_dir() == Path("/xdg/nncli")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache/nncli"
