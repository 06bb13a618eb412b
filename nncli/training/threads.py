"""Threads of BLAS: how many a training uses, and using so many for a while."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from nncli.autograd.tape import no_grad, record
from nncli.experiment.experiment import Experiment
from nncli.network.trial import trial

LARGE = 2**27
"""Operations of one product in a step from which several threads take part in it.

A few milliseconds on one core. Below, threads wait for each other longer than they
compute: where another program keeps a core busy, a step would take ten times as long.
"""


def threads_of(experiment: Experiment) -> int:
    """Return how many threads its products use: a function of the work, never the load.

    What the config says; else what its checkpoint says; else one, or all cores where an
    op of a training step takes 2²⁷ operations forward, of a recurrent one a step of
    time. Bits depend on it.
    """
    wanted = experiment.config.training.threads
    if wanted != "auto":
        return wanted
    if experiment.threads is None:
        large = _largest(experiment) * experiment.batch_size >= LARGE
        experiment.threads = cores() if large else 1
    return experiment.threads


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _largest(experiment: Experiment) -> int:
    """Return the most operations at once on one row, forward."""
    network = experiment.network
    with trial(network, training=False), no_grad(), record() as steps:
        network(network.zeros(1))
    return max((step.flops_at_once() for step in steps), default=0)


@contextlib.contextmanager
def using(threads: int) -> Iterator[None]:
    """Let BLAS use so many threads inside the block, and as many as before after it."""
    with _controller().limit(limits=threads, user_api="blas"):
        yield


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
