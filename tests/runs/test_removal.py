"""Removal: runs go whole, and what is no run of the directory stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nncli.core.errors import RunError, UsageError
from nncli.runs.directory import RunDirectory
from nncli.runs.drafts import remove_directory
from nncli.runs.listing import list_runs
from nncli.runs.removal import removable, remove
from tests.runs.made import make_run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    for name in ("a-1", "a-2"):
        make_run(folder, name)
    return folder


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_run_is_deleted_by_its_name_or_its_path(runs: Path) -> None:
    found = removable(["a-1", runs / "a-1", f"{runs}/a-1/"], runs)
    assert [each.path for each in found] == [runs / "a-1"]
    files = [path for path in (runs / "a-1").rglob("*") if path.is_file()]
    assert found[0].files == len(files)
    assert found[0].bytes == sum(path.stat().st_size for path in files)
    remove(found[0])
    assert left(runs) == ["a-2"]


@pytest.mark.parametrize(
    "given", ["", ".", "..", "runs/..", "/", "elsewhere/a-1", "runs/a-1/checkpoints"]
)
def test_path_elsewhere_is_refused(
    runs: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs.parent)
    make_run(Path("elsewhere"), "a-1")
    with pytest.raises(UsageError, match="expected a run in runs"):
        removable(["a-2", given], Path("runs"))
    assert left(runs) == ["a-1", "a-2"]


def test_what_is_no_run_is_left_as_it_is(runs: Path, tmp_path: Path) -> None:
    (runs / "notes.txt").touch()
    (runs / "other").mkdir()
    (runs / "half" / "checkpoints").mkdir(parents=True)
    (runs / "link").symlink_to(make_run(tmp_path / "b", "b-1").path)
    shutil.copytree(runs / "a-1", runs / ".hidden")
    before = left(runs)
    for name in set(before) - {"a-1", "a-2"}:
        with pytest.raises(UsageError, match="left as it is"):
            removable([name], runs)
    with pytest.raises(UsageError, match="Did you mean 'a-1' or 'a-2'"):
        removable(["a-3"], runs)
    assert left(runs) == before


def test_run_that_is_trained_is_refused(runs: Path) -> None:
    (found,) = removable(["a-1"], runs)
    with RunDirectory(runs / "a-1").lock():
        with pytest.raises(RunError, match="being trained"):
            removable(["a-2", "a-1"], runs)
        # It may have begun after it was looked at.
        with pytest.raises(RunError, match="another process is training"):
            remove(found)
    assert left(runs) == ["a-1", "a-2"]


def test_run_that_became_something_else_is_left(runs: Path) -> None:
    (found,) = removable(["a-1"], runs)
    (runs / "a-1" / "manifest.json").unlink()
    with pytest.raises(UsageError, match="left as it is"):
        remove(found)
    assert left(runs) == ["a-1", "a-2"]


def test_link_inside_a_run_leads_nowhere(runs: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    (runs / "a-1" / "link").symlink_to(precious)
    remove(removable(["a-1"], runs)[0])
    assert (precious / "file").read_text() == "kept"


def test_run_is_gone_before_its_first_file_is(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path) -> None:
        assert left(path) == files
        raise KeyboardInterrupt

    files = left(runs / "a-1")
    monkeypatch.setattr("nncli.runs.drafts.shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        remove(removable(["a-1"], runs)[0])
    monkeypatch.undo()
    assert [run.name for run in list_runs(runs).runs] == ["a-2"]
    # The next run that is made there removes the rest.
    RunDirectory.create(runs, "b", lambda run: None)
    assert left(runs) == ["a-2", "b-1"]


def test_run_that_cannot_be_renamed_stays_whole(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    before = sorted((runs / "a-1").rglob("*"))
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(PermissionError) as caught:
        remove_directory(runs / "a-1")
    assert caught.value.filename == str(runs / "a-1")
    assert sorted((runs / "a-1").rglob("*")) == before
    assert left(runs) == ["a-1", "a-2"]


def test_cross_validation_goes_with_its_folds(runs: Path) -> None:
    whole = runs / "a-cv-1"
    fold = make_run(whole, "fold-1")
    for file in ("cv.json", "resolved.yaml"):
        (whole / file).write_text("{}")
    with fold.lock(), pytest.raises(RunError, match="fold-1: it is being trained"):
        removable(["a-cv-1"], runs)
    remove(removable(["a-cv-1"], runs)[0])
    assert left(runs) == ["a-1", "a-2"]
