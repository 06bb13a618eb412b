"""Bells: how workers tell each other how far they are, and learn that one has ended."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import sys

from nncli.core.errors import NncliError

SPINS = 40
"""How often a worker looks before it sleeps: some 50 µs, about two changes of context.

Workers whose work is the same come that close to each other; on a busy machine, where
they do not, little is lost.
"""

DESCRIPTORS = 256
"""How many descriptors a training has beside those of its workers, at most."""

_ONE = (1).to_bytes(8, sys.byteorder)


class Bell:
    """A number that one process raises, and another one lowers when it sees it.

    An eventfd where there are such; else a pipe with a byte for each ring. Who writes
    to a pipe is taken by Linux for going to sleep, so that who reads is often woken on
    the same core, where the two then take turns.
    """

    def __init__(self) -> None:
        if sys.platform == "linux":
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
        _close(self.ear, self._mouth)


class Wires:
    """Bells between all workers, and a pipe of each that tells whether it lives.

    Nothing goes through that pipe: where its process ends, however it does, it closes,
    and who waits for that process learns it at once.

    Args:
        workers: How many there are.

    Raises:
        NncliError: So many descriptors are not to be had.
    """

    def __init__(self, workers: int) -> None:
        wanted = 2 * workers * workers
        _allow(wanted + DESCRIPTORS)
        self._bells: dict[tuple[int, int], Bell] = {}
        self._lives: dict[int, tuple[int, int]] = {}
        self._index = 0
        try:
            for i in range(workers):
                self._lives[i] = os.pipe()
                for j in range(workers):
                    if i != j:
                        self._bells[i, j] = Bell()
        except OSError as error:
            self.close()
            raise NncliError(
                f"training: expected {wanted:,} descriptors for {workers} workers, "
                f"got: {error.strerror}. Use fewer: --workers 2"
            ) from None

    def keep(self, index: int) -> None:
        """Close what does not belong to one worker, which this process is."""
        self._index = index
        for pair in [pair for pair in self._bells if index not in pair]:
            self._bells.pop(pair).close()
        for owner, (watched, held) in self._lives.items():
            other, own = (watched, held) if owner == index else (held, watched)
            os.close(other)
            self._lives[owner] = own, own

    def tell(self, other: int) -> None:
        """Let another worker's ``hear`` return."""
        self._bells[self._index, other].ring()

    def hear(self, other: int) -> int | None:
        """Wait until another worker tells this one something.

        Returns:
            None; or, where it will never tell it, which worker has ended. The first
            worker learns of any, the others of the one they wait for and of the first.
        """
        bell = self._bells[other, self._index]
        for _ in range(SPINS):
            if bell.rang():
                return None
        poll = select.poll()
        poll.register(bell.ear, select.POLLIN)
        watched = {}
        for index, (life, _) in self._lives.items():
            if index != self._index and (index in (0, other) or self._index == 0):
                watched[life] = index
                poll.register(life, 0)
        while True:
            ready = dict(poll.poll())
            # It may have told it before it ended.
            if bell.rang():
                return None
            ended = [index for life, index in watched.items() if life in ready]
            if ended:
                return ended[0]

    def close(self) -> None:
        """Close everything; who waits for this worker learns that it has gone."""
        for bell in self._bells.values():
            bell.close()
        for ends in self._lives.values():
            _close(*ends)
        self._bells, self._lives = {}, {}


def _allow(descriptors: int) -> None:
    """Raise the limit of descriptors, as far as this process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < descriptors:
        most = descriptors if hard == resource.RLIM_INFINITY else min(hard, descriptors)
        # Where it may not, making the bells tells.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _close(*ends: int) -> None:
    for end in set(ends):
        os.close(end)
