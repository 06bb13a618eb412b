"""Tags: words in a run, added and removed whole."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from nncli.core.errors import RunError, UsageError
from nncli.runs.directory import RunDirectory
from nncli.runs.tags import MOST, change_tags, read_tags
from tests.runs.made import make_run


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return make_run(tmp_path)


def test_tags_are_added_once_and_removed(run: RunDirectory) -> None:
    assert read_tags(run) == []
    assert change_tags(run, ["b", "a", "b"], []) == ["b", "a"]
    assert change_tags(run, ["c", "a"], ["b"]) == ["a", "c"]
    assert read_tags(run) == ["a", "c"]
    assert change_tags(run, [], ["a", "c"]) == []


def test_tags_of_many_at_once_are_all_kept(run: RunDirectory) -> None:
    words = [f"w{i}" for i in range(16)]
    threads = [
        threading.Thread(target=change_tags, args=(run, [word], [])) for word in words
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_tags(run)) == sorted(words)
    assert [path.name for path in run.path.glob(".*")] == []


def test_run_that_is_trained_can_be_tagged(run: RunDirectory) -> None:
    with run.lock():
        assert change_tags(run, ["now"], []) == ["now"]


@pytest.mark.parametrize(
    "word", ["", "two words", "a,b", "a\nb", "\x1b[31m", "x" * 65, "\ud800", "a\u202eb"]
)
def test_what_is_no_word_is_no_tag(run: RunDirectory, word: str) -> None:
    with pytest.raises(UsageError, match="expected a word"):
        change_tags(run, ["good", word], [])
    assert read_tags(run) == []


def test_tag_that_is_not_there_cannot_be_removed(run: RunDirectory) -> None:
    change_tags(run, ["good"], [])
    with pytest.raises(UsageError, match=r"'good'.*got 'god'"):
        change_tags(run, ["new"], ["god"])
    assert read_tags(run) == ["good"]


def test_too_many_tags_are_refused(run: RunDirectory) -> None:
    change_tags(run, [f"w{i}" for i in range(MOST)], [])
    with pytest.raises(UsageError, match=f"at most {MOST}"):
        change_tags(run, ["more"], [])


@pytest.mark.parametrize("text", ["{", "3", '{"a": 1}', "[1]", "[" * 9999, "\xff"])
def test_tags_that_are_no_words_are_told(run: RunDirectory, text: str) -> None:
    (run.path / "tags.json").write_text(text, encoding="latin-1")
    with pytest.raises(RunError, match=r"tags\.json: expected a list of words"):
        read_tags(run)
    with pytest.raises(RunError):
        change_tags(run, ["good"], [])
