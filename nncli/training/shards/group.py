"""Group: the worker processes of one training on this machine."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable

from nncli.config.plugins import plugin_failure
from nncli.core.arrays import Array
from nncli.core.errors import NncliError
from nncli.core.stopping import STOPPING
from nncli.training.shards.bells import Wires
from nncli.training.shards.shared import read_text, write_text

LOST = 3
"""Exit code of a worker that ended because another one had."""

WORDS = 4096
"""Bytes of the message that a worker leaves behind when it fails."""

_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""


class WorkerLostError(NncliError):
    """A worker of a training ended before its time."""


class Group:
    """Workers 0 to W-1: this process, and W-1 that are forked from it.

    Each can ring each other one's bell, to say that it has come this far, and learns
    at once when one that it waits for has ended: nobody is left behind.

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
        self._wires: Wires | None = None

    @property
    def others(self) -> list[int]:
        """The workers beside this one."""
        return [i for i in range(self.size) if i != self.index]

    def fork(self, follow: Callable[[], None], words: Array) -> None:
        """Make the other workers; each calls ``follow`` and ends.

        Args:
            follow: What they do, with ``index`` set to theirs.
            words: (W, WORDS) bytes in shared memory, for their last words.
        """
        self._words = words
        wires = Wires(self.size)
        sys.stdout.flush()
        sys.stderr.flush()
        # No signal's handler of the first worker shall run in another one.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        parent = os.getpid()
        try:
            for index in range(1, self.size):
                with warnings.catch_warnings():
                    # BLAS has threads of its own, and takes care of them when forked.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    child = os.fork()
                if not child:
                    self._be(index, parent, wires, follow)
                self._children[index] = child
        except OSError as error:
            wires.close()
            self.close()
            raise NncliError(
                f"training: expected {self.size} processes to share its steps, got: "
                f"{error.strerror}. Use fewer: --workers 1"
            ) from None
        finally:
            if os.getpid() != parent:
                # Whatever was raised before it could live its own life, by a handler of
                # a signal that another thread had taken: there is one first worker.
                os._exit(1)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._keep(wires)

    def _be(
        self,
        index: int,
        parent: int,
        wires: Wires,
        follow: Callable[[], None],
    ) -> None:
        """Live the life of a forked worker; never returns."""
        code = 1
        try:
            # Who is asked to stop is the first worker; the others follow it.
            for which in STOPPING:
                signal.signal(which, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
            _die_with(parent)
            self.index, self._children = index, {}
            self._keep(wires)
            follow()
            code = 0
        except WorkerLostError:
            code = LOST
        except BaseException as error:  # it is told by the first worker
            self._leave_words(error)
        finally:
            with contextlib.suppress(Exception):
                # What a plugin has printed.
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _keep(self, wires: Wires) -> None:
        wires.keep(self.index)
        self._wires = wires

    def _leave_words(self, error: BaseException) -> None:
        if self._words is not None:
            write_text(self._words[self.index], _told(error), end=True)

    def meet(self) -> None:
        """Wait until all workers have come here.

        Raises:
            WorkerLostError: One of them has ended.
        """
        for other in self.others:
            self.tell(other)
        for other in self.others:
            self.hear(other)

    def tell(self, other: int) -> None:
        """Let another worker's ``hear`` return."""
        if self._wires is not None:
            self._wires.tell(other)

    def hear(self, other: int) -> None:
        """Wait until another worker tells this one something.

        Raises:
            WorkerLostError: It has ended, or another one.
        """
        ended = other if self._wires is None else self._wires.hear(other)
        if ended is not None:
            self._lost(ended)

    def _lost(self, other: int) -> None:
        """Find out who ended first, and why.

        Raises:
            WorkerLostError: It was ended.
            NncliError: It failed; the message is its own.
        """
        ended = self.close()
        for index in ended:
            words = self._words_of(index)
            if words:
                raise NncliError(f"worker {index} of {self.size}: {words}")
        for index, status in ended.items():
            if status < 0:
                name = signal.Signals(-status).name
                short = " Where memory is short, the system does that."
                raise WorkerLostError(
                    f"worker {index} of {self.size} was ended by {name}, not by this "
                    f"training.{short if name == 'SIGKILL' else ''}"
                )
        odd = [index for index, status in ended.items() if status != LOST]
        raise WorkerLostError(
            f"worker {(odd or [other])[0]} of {self.size} ended before its time."
        )

    def _words_of(self, index: int) -> str:
        return "" if self._words is None else read_text(self._words[index])

    def close(self, patience: float = 5.0) -> dict[int, int]:
        """End the other workers; return how each of them ended.

        They find their pipes closed, and go. Who does not within some seconds, is made
        to. The number is an exit code, or a signal's with a minus; LOST of those that
        were made to.
        """
        if self._wires is not None:
            self._wires.close()
            self._wires = None
        ended: dict[int, int] = {}
        limit = time.monotonic() + patience
        for index, child in self._children.items():
            ended[index] = _wait(child, limit)
        self._children = {}
        return ended


def _told(error: BaseException) -> str:
    """Return what is to be said of an exception."""
    failure = plugin_failure(error) or error
    if isinstance(failure, NncliError):
        return str(failure)
    if isinstance(error, MemoryError):
        return "the memory of this machine does not suffice."
    return "".join(traceback.format_exception(error)).strip()


def _wait(child: int, limit: float) -> int:
    """Wait for a process until a time, then kill it; return how it ended."""
    pause, patient = 0.0005, True
    while True:
        try:
            done, status = os.waitpid(child, os.WNOHANG)
        except ChildProcessError:
            return 0
        if done:
            return os.waitstatus_to_exitcode(status) if patient else LOST
        if patient and time.monotonic() > limit:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            patient = False
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def _die_with(parent: int) -> None:
    """Let the system end this process when its parent ends, where it can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        # It ended before it was asked.
        os._exit(LOST)
