"""Group: the worker processes of one training on this machine."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable

from nncli.core.arrays import Array
from nncli.core.errors import NncliError

SPINS = 40
"""How often a worker looks before it sleeps: some 50 µs, about two changes of context.

Workers whose work is the same come that close to each other; on a busy machine, where
they do not, little is lost.
"""

LOST = 3
"""Exit code of a worker that ended because another one had."""

WORDS = 4096
"""Bytes of the message that a worker leaves behind when it fails."""

_ONE = (1).to_bytes(8, sys.byteorder)

_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""


class WorkerLostError(NncliError):
    """A worker of a training ended before its time."""


class Bell:
    """A number that one process raises, and another one lowers when it sees it.

    An eventfd where there are such; else a pipe with a byte for each ring. Who writes
    to a pipe is taken by Linux for going to sleep, so that who reads is often woken on
    the same core, where the two then take turns.
    """

    def __init__(self) -> None:
        if hasattr(os, "eventfd"):
            flags = os.EFD_NONBLOCK | os.EFD_SEMAPHORE | os.EFD_CLOEXEC
            self.ear = self._mouth = os.eventfd(0, flags)
        else:
            self.ear, self._mouth = os.pipe()
            os.set_blocking(self.ear, False)

    def ring(self) -> None:
        """Raise the number by one."""
        # Of an eventfd, eight bytes are the number.
        os.write(self._mouth, _ONE if self.ear == self._mouth else b".")

    def rang(self) -> bool:
        """Lower the number by one, if there is something to lower."""
        try:
            return bool(os.read(self.ear, 8 if self.ear == self._mouth else 1))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Give the descriptors back."""
        for end in {self.ear, self._mouth}:
            os.close(end)


class Group:
    """Workers 0 to W-1: this process, and W-1 that are forked from it.

    From each worker to each other one leads a bell, which says "I have come this far".
    Beside it each holds the end of a pipe that nothing goes through: where the process
    ends, however it does, it closes, and who waits for it learns that at once. Nobody
    is left behind.

    Args:
        workers: How many.

    Attributes:
        index: Which of them this process is; 0 for the one that the others came from.
    """

    def __init__(self, workers: int) -> None:
        self.size = workers
        self.index = 0
        self._children: dict[int, int] = {}
        self._words: Array | None = None
        self._ears: dict[int, Bell] = {}
        self._mouths: dict[int, Bell] = {}
        self._lives: dict[int, int] = {}

    @property
    def others(self) -> range | list[int]:
        """The workers beside this one."""
        return [i for i in range(self.size) if i != self.index]

    def fork(self, follow: Callable[[], None], words: Array) -> None:
        """Make the other workers; each calls ``follow`` and ends.

        Args:
            follow: What they do, with ``index`` set to theirs.
            words: (W, WORDS) bytes in shared memory, for their last words.
        """
        self._words = words
        everyone = range(self.size)
        pairs = [(i, j) for i in everyone for j in everyone if i != j]
        bells = {pair: Bell() for pair in pairs}
        lives = {i: os.pipe() for i in everyone}
        sys.stdout.flush()
        sys.stderr.flush()
        for index in range(1, self.size):
            parent = os.getpid()
            with warnings.catch_warnings():
                # BLAS has threads of its own, and takes care of them when forked.
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if not child:
                self._be(index, parent, bells, lives, follow)
            self._children[index] = child
        self._keep(bells, lives)

    def _be(
        self,
        index: int,
        parent: int,
        bells: dict[tuple[int, int], Bell],
        lives: dict[int, tuple[int, int]],
        follow: Callable[[], None],
    ) -> None:
        """Live the life of a forked worker; never returns."""
        code = 1
        try:
            # Who is asked to stop is the first worker; the others follow it.
            for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(which, signal.SIG_IGN)
            _die_with(parent)
            self.index, self._children = index, {}
            self._keep(bells, lives)
            follow()
            code = 0
        except WorkerLostError:
            code = LOST
        except BaseException as error:  # it is told by the first worker
            self._leave_words(error)
        finally:
            os._exit(code)

    def _keep(
        self, bells: dict[tuple[int, int], Bell], lives: dict[int, tuple[int, int]]
    ) -> None:
        """Close what belongs to other workers."""
        for (sender, hearer), bell in bells.items():
            if hearer == self.index:
                self._ears[sender] = bell
            elif sender == self.index:
                self._mouths[hearer] = bell
            else:
                bell.close()
        for owner, (watched, held) in lives.items():
            if owner == self.index:
                os.close(watched)
            else:
                os.close(held)
            self._lives[owner] = held if owner == self.index else watched

    def _leave_words(self, error: BaseException) -> None:
        if self._words is None:
            return
        text = str(error)
        if not isinstance(error, NncliError):
            text = "".join(traceback.format_exception(error)[-2:]).strip()
        data = text.encode(errors="replace")[:WORDS]
        self._words[self.index, : len(data)] = memoryview(data)

    def meet(self) -> None:
        """Wait until all workers have come here.

        Raises:
            WorkerLostError: One of them has ended.
        """
        for other in self._mouths:
            self.tell(other)
        for other in self._ears:
            self.hear(other)

    def tell(self, other: int) -> None:
        """Let another worker's ``hear`` return."""
        self._mouths[other].ring()

    def hear(self, other: int) -> None:
        """Wait until another worker tells this one something.

        Raises:
            WorkerLostError: It has ended.
        """
        bell = self._ears[other]
        for _ in range(SPINS):
            if bell.rang():
                return
        poll = select.poll()
        poll.register(bell.ear, select.POLLIN)
        poll.register(self._lives[other], 0)
        while not bell.rang():
            ended = self._lives[other] in dict(poll.poll())
            # It may have told it before it ended.
            if ended and not bell.rang():
                self._lost(other)
            elif ended:
                return

    def _lost(self, other: int) -> None:
        """Find out who ended first, and why.

        Raises:
            WorkerLostError: Always.
        """
        ended = self.close()
        for index, status in sorted(ended.items()):
            words = self._words_of(index)
            if words:
                raise WorkerLostError(f"worker {index}: {words}")
            if status < 0:
                name = signal.Signals(-status).name
                raise WorkerLostError(
                    f"worker {index} of {self.size} was ended by {name}, not by this "
                    "training. (Where memory is short, the system does that.)"
                )
        raise WorkerLostError(f"worker {other} of {self.size} ended before its time.")

    def _words_of(self, index: int) -> str:
        if self._words is None:
            return ""
        data: bytes = self._words[index].tobytes()
        return data.rstrip(b"\0").decode(errors="replace")

    def close(self, patience: float = 5.0) -> dict[int, int]:
        """End the other workers; return how each of them ended.

        They find their pipes closed, and go. Who does not within some seconds, is made
        to. The number is an exit code, or a signal's with a minus.
        """
        for bell in (*self._ears.values(), *self._mouths.values()):
            bell.close()
        for end in self._lives.values():
            os.close(end)
        self._ears, self._mouths, self._lives = {}, {}, {}
        ended: dict[int, int] = {}
        limit = time.monotonic() + patience
        for index, child in self._children.items():
            ended[index] = _wait(child, limit)
        self._children = {}
        return ended


def _wait(child: int, limit: float) -> int:
    """Wait for a process until a time, then kill it; return how it ended."""
    pause = 0.0005
    while True:
        try:
            done, status = os.waitpid(child, os.WNOHANG)
        except ChildProcessError:
            return 0
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > limit:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            limit = float("inf")
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def _die_with(parent: int) -> None:
    """Let the system end this process when its parent ends, where it can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        # It ended before it was asked.
        os._exit(LOST)
