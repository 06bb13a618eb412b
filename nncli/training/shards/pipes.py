"""Pipes between all workers of a machine, as far as there are descriptors for them."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterable

from nncli.core.errors import NncliError

DESCRIPTORS = 256
"""How many descriptors a training has beside the pipes of its workers, at most."""

Pipes = dict[tuple[int, int], tuple[int, int]]


def pipes_between(workers: int) -> Pipes:
    """Make a pipe from each worker to each other one: (read, write) by (from, to).

    The limit of descriptors is raised for them, as far as the system lets us.

    Raises:
        NncliError: So many descriptors are not to be had.
    """
    wanted = 2 * workers * (workers - 1)
    _raise_limit(wanted + DESCRIPTORS)
    pipes: Pipes = {}
    try:
        for i in range(workers):
            for j in range(workers):
                if i != j:
                    pipes[i, j] = os.pipe()
    except OSError as error:
        close_all(end for pipe in pipes.values() for end in pipe)
        raise NncliError(
            f"training: expected {wanted:,} descriptors for pipes between {workers} "
            f"workers, got: {error.strerror}. Use fewer: --workers 2"
        ) from None
    return pipes


def _raise_limit(enough: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft in (resource.RLIM_INFINITY, hard) or soft >= enough:
        return
    most = enough if hard == resource.RLIM_INFINITY else min(hard, enough)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def close_all(ends: Iterable[int]) -> None:
    """Close descriptors, those that are closed too."""
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)
