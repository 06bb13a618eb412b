"""Group: how workers wait for each other, and what is told of those that end."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from nncli.core.errors import NncliError, PluginError
from nncli.training.shards import bells
from nncli.training.shards.group import LOST, WORDS, Group, WorkerLostError
from nncli.training.shards.shared import Shared

FDS = Path("/proc/self/fd")


def children() -> list[int]:
    """Return the processes that this one has started and not waited for."""
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(each) for each in own.read_text().split()]


@pytest.fixture
def _nothing_is_left() -> Iterator[None]:
    """Fail where a test leaves a process or an open descriptor."""
    if not FDS.exists():
        yield
        return
    fds, before = set(FDS.iterdir()), children()
    yield
    assert children() == before
    assert set(FDS.iterdir()) == fds


pytestmark = pytest.mark.usefixtures("_nothing_is_left")


def forked(workers: int, follow: Callable[[Group], None]) -> Group:
    """Return the group of which this process is the first worker."""
    group = Group(workers)
    words = Shared({"words": ((workers, WORDS), np.uint8)})["words"]
    group.fork(lambda: follow(group), words)
    return group


def ended(workers: int, follow: Callable[[Group], None]) -> NncliError:
    """Return what is raised where the others do something else than meet."""
    group = forked(workers, follow)
    with pytest.raises(NncliError) as caught:
        group.meet()
    return caught.value


def went_well(codes: dict[int, int]) -> bool:
    """Say whether others ended by themselves: some learn first that they are let go."""
    return set(codes.values()) <= {0, LOST}


def end_by(which: int, index: int) -> Callable[[Group], None]:
    """Return how one worker is ended while the others wait for it."""

    def follow(group: Group) -> None:
        if group.index == index:
            os.kill(os.getpid(), which)
        group.meet()

    return follow


def test_workers_meet_again_and_again() -> None:
    rows = Shared({"counts": ((4, 4), np.int64)})["counts"]

    def work(group: Group) -> None:
        for number in range(1, 101):
            rows[group.index, 0] = number
            group.meet()
            assert (rows[:, 0] == number).all()
            group.meet()

    group = forked(4, work)
    work(group)
    assert went_well(group.close())


def test_one_worker_waits_for_nobody() -> None:
    group = forked(1, lambda _: None)
    group.meet()
    assert group.close() == {}


@pytest.mark.parametrize("index", [1, 2])
@pytest.mark.parametrize("which", [signal.SIGKILL, signal.SIGUSR1])
def test_a_worker_that_is_ended_is_told_with_its_signal(
    which: signal.Signals, index: int
) -> None:
    error = ended(3, end_by(which, index))
    assert isinstance(error, WorkerLostError)
    assert f"worker {index} of 3 was ended by {which.name}, not by" in str(error)
    assert ("memory is short" in str(error)) == (which is signal.SIGKILL)


def test_a_worker_that_goes_by_itself_is_told() -> None:
    error = ended(3, lambda group: os._exit(7) if group.index == 2 else group.meet())
    assert str(error) == "worker 2 of 3 ended before its time."


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (PluginError("p.py:3: the plugin failed: no."), "p.py:3: the plugin failed"),
        (MemoryError(), "the memory of this machine does not suffice."),
        (ValueError("odd" * 9999), "oddodd"),
        (SystemExit(0), "SystemExit"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_worker_that_fails_is_told_in_its_words(
    failure: BaseException, words: str
) -> None:
    def fail(group: Group) -> None:
        if group.index == 2:
            raise failure
        group.meet()

    error = ended(3, fail)
    assert not isinstance(error, WorkerLostError)
    assert str(error).startswith("worker 2 of 3: ")
    assert words in str(error)


def test_a_worker_that_does_not_go_is_made_to_and_not_blamed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def follow(group: Group) -> None:
        if group.index == 2:
            os._exit(7)
        signal.pause()

    close = Group.close
    monkeypatch.setattr(Group, "close", lambda self: close(self, patience=0.05))
    assert str(ended(3, follow)) == "worker 2 of 3 ended before its time."


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_workers_leave_it_to_the_first_one_to_stop(which: signal.Signals) -> None:
    def follow(group: Group) -> None:
        os.kill(os.getpid(), which)
        group.meet()

    group = forked(2, follow)
    group.meet()
    assert group.close() == {1: 0}


def test_a_signal_while_workers_are_made_is_for_the_first_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    fork = os.fork

    def signalled() -> int:
        # To this thread: another one would take it at once, and tell Python of it.
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        child = fork()
        # Of the first worker's handlers, none has run: neither before nor after.
        assert not seen
        return child

    monkeypatch.setattr(os, "fork", signalled)
    before = signal.signal(signal.SIGTERM, lambda which, _: seen.append(which))
    try:
        group = forked(3, lambda group: group.meet())
        assert seen == [signal.SIGTERM]
        group.meet()
        assert went_well(group.close())
    finally:
        signal.signal(signal.SIGTERM, before)


def test_where_processes_are_not_to_be_had_one_message_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    fork = os.fork

    def second_fails() -> int:
        if made:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        made.append(1)
        return fork()

    monkeypatch.setattr(os, "fork", second_fails)
    with pytest.raises(NncliError, match=r"expected 3 processes .* got: Resource temp"):
        forked(3, lambda group: group.meet())


def test_where_descriptors_are_not_to_be_had_one_message_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    bell = bells.Bell

    def few() -> bells.Bell:
        if len(made) == 3:
            raise OSError(24, "Too many open files")
        made.append(1)
        return bell()

    monkeypatch.setattr(bells, "Bell", few)
    with pytest.raises(NncliError, match=r"expected 18 descriptors .* got: Too many"):
        forked(3, lambda group: group.meet())


def test_the_limit_of_descriptors_is_raised_as_far_as_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(bells, "DESCRIPTORS", before[0])
    try:
        group = forked(2, lambda group: group.meet())
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(
            before[0] + 8, before[1]
        )
        group.meet()
        group.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_what_was_printed_is_printed_once(capfd: pytest.CaptureFixture[str]) -> None:
    sys.stdout.write("before, ")
    group = forked(3, lambda group: print(f"worker {group.index}"))
    with pytest.raises(WorkerLostError):
        group.meet()
    sys.stdout.flush()
    lines = capfd.readouterr().out
    assert lines.count("before") == 1
    assert lines.count("worker 1") == lines.count("worker 2") == 1
