"""Run directories: numbered, whole, never overwritten, written by one process."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from nncli.core.errors import RunError, UsageError
from nncli.runs.directory import RunDirectory
from nncli.runs.sources import find_checkpoint


def fill(run: RunDirectory) -> None:
    run.config.write_text("name: x\n", encoding="utf-8")


def make(parent: Path, name: str = "x") -> RunDirectory:
    return RunDirectory.create(parent, name, fill)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return make(tmp_path / "runs")


def test_runs_are_numbered(tmp_path: Path) -> None:
    parent = tmp_path / "a" / "runs"
    paths = [make(parent).path.name for _ in range(3)]
    assert paths == ["x-1", "x-2", "x-3"]
    assert make(parent, "y").path.name == "y-1"
    assert sorted(path.name for path in parent.iterdir()) == [*paths, "y-1"]


@pytest.mark.parametrize("name", ["x", "x-1", "x.y", "x-2-3"])
def test_runs_go_on_after_the_largest_number(tmp_path: Path, name: str) -> None:
    for taken in (f"{name}-7", f"{name}-3", f"{name}-old", f"a{name}-99", f"{name}-"):
        (tmp_path / taken).mkdir()
    (tmp_path / f"{name}-8").write_text("a file", encoding="utf-8")
    assert make(tmp_path, name).path.name == f"{name}-9"


def test_run_has_its_first_files(run: RunDirectory) -> None:
    assert run.config.read_text(encoding="utf-8") == "name: x\n"
    assert run.checkpoints.is_dir()
    assert RunDirectory.open(run.path).path == run.path


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_run_that_cannot_be_filled_leaves_nothing(
    tmp_path: Path, error: type[BaseException]
) -> None:
    def fail(run: RunDirectory) -> None:
        fill(run)
        (run.checkpoints / "half").write_bytes(b"half")
        raise error

    with pytest.raises(error):
        RunDirectory.create(tmp_path, "x", fail)
    assert list(tmp_path.iterdir()) == []


def test_run_is_not_seen_before_it_is_whole(tmp_path: Path) -> None:
    seen: list[str] = []

    def look(run: RunDirectory) -> None:
        seen.extend(path.name for path in tmp_path.iterdir())

    RunDirectory.create(tmp_path, "x", look)
    assert len(seen) == 1
    assert seen[0].startswith(".")


def test_run_never_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(tmp_path)
    second = make(tmp_path)
    # Another process may take the number after it was looked up.
    monkeypatch.setattr("nncli.runs.drafts.os.listdir", lambda _: [])
    first.config.write_text("precious", encoding="utf-8")
    (tmp_path / "x-3").write_text("a file", encoding="utf-8")
    assert make(tmp_path).path.name == "x-4"
    assert first.config.read_text(encoding="utf-8") == "precious"
    assert second.config.exists()


def test_runs_made_at_the_same_time_get_numbers_of_their_own(tmp_path: Path) -> None:
    paths: list[Path] = []
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        paths.extend(make(tmp_path).path for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {path.name for path in paths} == {f"x-{i}" for i in range(1, 161)}
    assert len(list(tmp_path.iterdir())) == 160


def test_run_that_cannot_be_made_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for parent in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match=r"Not a directory.*--runs-dir"):
            make(parent)


def test_open_wants_a_run_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it is no directory"):
        RunDirectory.open(tmp_path / "missing")
    with pytest.raises(UsageError, match="it has no checkpoints/"):
        RunDirectory.open(tmp_path)


def test_lock_is_for_one(run: RunDirectory) -> None:
    second = RunDirectory(run.path).lock()
    with run.lock(), pytest.raises(RunError, match="another process"), second:
        raise AssertionError
    with run.lock():
        pass


def test_rows_come_back_in_order(run: RunDirectory) -> None:
    assert run.rows() == []
    rows = [{"epoch": i, "train": {"loss": i / 3, "r2": None}} for i in range(5)]
    for row in rows:
        run.append_row(row)
    run.sync_rows()
    assert run.rows() == rows
    lines = run.metrics.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b'{"epoch": 3',
        b'{"epoch": 3}',
        b"\xff\xfe\n",
        b"3\n",
        b"null\n",
        b"[]\n",
        b"[" * 100_000 + b"\n",
        b"a" * 2**21 + b"\n",
        b"\0\0\0\0",
        b"\n",
    ],
    ids=lambda tail: repr(tail[:12]),
)
def test_rows_end_before_the_first_that_is_not_whole(
    run: RunDirectory, tail: bytes
) -> None:
    whole = b'{"epoch": 1}\n{"epoch": 2}\n'
    run.metrics.write_bytes(whole + tail)
    assert run.rows() == [{"epoch": 1}, {"epoch": 2}]
    run.keep_rows(2)
    assert run.metrics.read_bytes() == whole
    run.append_row({"epoch": 3})
    assert run.rows()[-1] == {"epoch": 3}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_keep_rows_leaves_the_first_bytes_as_they_are(
    run: RunDirectory, count: int
) -> None:
    lines = [b'{"a":  1e-3}\n', b'{ "a": 2}\n', b'{"a": 3}\n']
    run.metrics.write_bytes(b"".join(lines))
    run.keep_rows(count)
    assert run.metrics.read_bytes() == b"".join(lines[:count])


def test_keep_rows_refuses_where_rows_are_missing(run: RunDirectory) -> None:
    run.append_row({"epoch": 1})
    before = run.metrics.read_bytes()
    with pytest.raises(RunError, match=r"at least the 2 rows.*got 1"):
        run.keep_rows(2)
    assert run.metrics.read_bytes() == before


def test_find_checkpoint_takes_the_best_then_the_last(run: RunDirectory) -> None:
    with pytest.raises(RunError, match="found none"):
        find_checkpoint(run.path)
    run.last.write_bytes(b"")
    assert find_checkpoint(run.path) == run.last
    run.best.write_bytes(b"")
    assert find_checkpoint(run.path) == run.best
    assert find_checkpoint(run.last) == run.last
    with pytest.raises(UsageError, match="found nothing"):
        find_checkpoint(run.path / "missing")


def test_drafts_of_processes_that_were_killed_are_removed(tmp_path: Path) -> None:
    left = tmp_path / ".x.abcdefgh.draft"
    (left / "checkpoints").mkdir(parents=True)
    (tmp_path / ".mine").mkdir()
    seen: list[Path] = []

    def fill_slowly(run: RunDirectory) -> None:
        # Another run is made while this one is being filled.
        seen.append(run.path)
        make(tmp_path, "y")
        assert run.checkpoints.is_dir()

    RunDirectory.create(tmp_path, "x", fill_slowly)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine", "x-1", "y-1"]


def test_run_that_is_opened_loses_what_a_kill_left(run: RunDirectory) -> None:
    left = [
        run.checkpoints / ".last.safetensors.abcd_123",
        run.checkpoints / ".best.safetensors.abcd_123",
        run.path / ".summary.json.abcd_123",
    ]
    kept = [run.path / ".summary.json.mine.txt", run.path / ".notes.abcd_123"]
    for path in (*left, *kept):
        path.write_bytes(b"half")
    with run.lock():
        assert not any(path.exists() for path in left)
        assert all(path.exists() for path in kept)
        left[0].write_bytes(b"half")
        # Who does not hold the run removes nothing.
        with pytest.raises(RunError), RunDirectory(run.path).lock():
            raise AssertionError
        assert left[0].exists()


def test_lock_that_cannot_be_had_names_the_run(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("nncli.runs.locks.fcntl.flock", fail)
    with pytest.raises(OSError, match="No locks") as caught, run.lock():
        raise AssertionError
    assert caught.value.filename == str(run.path)


def test_row_that_has_no_space_names_its_file(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.metrics.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space") as caught:
        run.append_row({"epoch": 1})
    assert caught.value.filename == str(run.metrics)
