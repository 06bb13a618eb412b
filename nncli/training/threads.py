"""Threads of BLAS that a training uses, and shards that it cuts its batches into."""

from __future__ import annotations

import contextlib
import os
import sys
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


WORTH = 2**25
"""Operations of a step, forward, from which a second worker gains more than it costs.

Some two milliseconds of one core, forward and backward; what workers wait for each
other, and that each writes a whole gradient, takes up to half of one.
"""


FORKS = sys.platform not in ("darwin", "win32")
"""Whether a process may be forked here: macOS's libraries do not survive it."""


def threads_of(experiment: Experiment) -> int:
    """Return how many threads its products use: a function of the work, never the load.

    What the config says; else what its checkpoint says; else one where batches are cut
    into shards; else one, or all cores where an op of a training step takes 2²⁷
    operations forward, of a recurrent one a step of time. Bits depend on it.
    """
    wanted = experiment.config.training.threads
    if wanted != "auto":
        return wanted
    if experiment.threads is None:
        # The network is run to count its operations: only where that decides anything.
        large = (
            shards_of(experiment)[0] == 1
            and _operations(experiment)[1] * experiment.batch_size >= LARGE
        )
        experiment.threads = cores() if large else 1
    return experiment.threads


def shards_of(experiment: Experiment) -> tuple[int, str]:
    """Return into how many shards each batch is cut, and why: never by the load.

    What its checkpoint says; else one where a layer needs whole batches; else what the
    config says; else one, or two where a step takes 2²⁵ operations forward. Bits depend
    on it.
    """
    wanted = experiment.config.training.shards
    whole = _needing_whole_batches(experiment)
    if whole:
        return 1, f"{whole} needs whole batches"
    if wanted != "auto":
        return wanted, "as the config says"
    if experiment.config.training.threads not in ("auto", 1):
        return 1, "products use several threads, as the config says"
    if experiment.shards is None:
        work = _operations(experiment)[0] * experiment.batch_size
        experiment.shards = 2 if work >= WORTH and experiment.batch_size > 1 else 1
    if experiment.shards == 1:
        return 1, "a step is too small for a second worker to gain"
    return experiment.shards, "a step is large enough for several workers to gain"


def keep_whole(experiment: Experiment) -> None:
    """Let batches stay whole where nothing was decided: for who trains in one process.

    Large products then use the threads of BLAS.
    """
    if experiment.shards is None:
        experiment.shards = 1


def workers_for(shards: int) -> int:
    """Return how many processes work on so many shards: no more than there are cores.

    As few as need no more rounds: four shards on three cores take two rounds, as they
    do on two. One where processes cannot be forked safely.
    """
    return -(-shards // -(-shards // cores())) if FORKS else 1


def _needing_whole_batches(experiment: Experiment) -> str:
    """Return the label of the first layer that does, or "".

    One that keeps something from batch to batch, or has statistics over rows.
    """
    layers = experiment.network.nested.values()
    return next((each.label for each in layers if each.state or each.min_rows > 1), "")


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _operations(experiment: Experiment) -> tuple[int, int]:
    """Return the operations on one row, forward: of all ops, and the most at once."""
    network = experiment.network
    with trial(network, training=False), no_grad(), record() as steps:
        network(network.zeros(1))
    each = [step.flops() for step in steps]
    return sum(each), max((step.flops_at_once() for step in steps), default=0)


@contextlib.contextmanager
def using(threads: int) -> Iterator[None]:
    """Let BLAS use so many threads inside the block, and as many as before after it."""
    with _controller().limit(limits=threads, user_api="blas"):
        yield


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
