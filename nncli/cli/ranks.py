"""``mpirun nncli train``: what the ranks of one training agree on, and how they end."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import time
import traceback
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from nncli.cli.console import note
from nncli.core.errors import NncliError, UsageError
from nncli.core.launched import launched
from nncli.core.stopping import STOPPING
from nncli.core.text import count, json_text

if TYPE_CHECKING:
    from nncli.cli.jobs import Job
    from nncli.experiment.experiment import Experiment
    from nncli.training.shards.ranks import Ranks

TURN = 2.0
"""Seconds that a rank waits for the first one to say what is wrong, and to end all."""

WORDS = 10_000
"""Characters of a message that one rank tells another, at most."""

NAMES = {
    "config": "another config",
    "data": "other data",
    "weights": "other weights",
    "step": "another step",
    "shards": "another number of shards",
    "threads": "another number of threads",
    "workers": "another number of workers",
}
"""What differs between two ranks, as messages say it."""


def ranks_here() -> Ranks | None:
    """Return the ranks that mpirun has started; None where it has not.

    Raises:
        NncliError: MPI cannot be used.
    """
    here = launched()
    if here.size == 1:
        return None
    from nncli.training.shards.ranks import Ranks

    return Ranks(here)


def built(
    ranks: Ranks, job: Job, stack: contextlib.ExitStack, workers: int
) -> Experiment:
    """Build an experiment on every rank, and see that it is the same one.

    Args:
        ranks: The ranks.
        job: Builds it.
        stack: Until it is closed, nobody else writes to the run.
        workers: How many processes each rank has.

    Raises:
        NncliError: It cannot be built on some rank; raised on the first one.
        UsageError: Ranks differ; raised on the first one.
        SystemExit: The same, on the others.
    """
    from nncli.cli.app import outcome

    experiment: Experiment | None = None
    failure: Exception | None = None
    told: dict[str, Any]
    try:
        if not ranks.rank:
            job.hold(stack)
        experiment = job.build()
        _cut(experiment, ranks.size, workers)
        told = _facts(experiment, workers)
    except Exception as error:
        failure = error
        code, text = outcome(partial(_raise, error))
        told = {"error": text.removeprefix("error: ")[:WORDS], "code": code}
    every = ranks.everyone(told)
    failed = [rank for rank, each in enumerate(every) if "error" in each]
    different = {
        rank: [name for name, value in every[0].items() if each[name] != value]
        for rank, each in enumerate(every)
        if not failed and each != every[0]
    }
    if experiment is not None and not failed and not different:
        return experiment
    # All know it, and end by themselves.
    ranks.settled = True
    code = every[failed[0]]["code"] if failed else UsageError.exit_code
    if ranks.rank:
        raise SystemExit(code)
    if failure is not None:
        raise failure
    if failed:
        raise _failed(code, f"rank {failed[0]}: {every[failed[0]]['error']}")
    rank, names = next(iter(different.items()))
    raise UsageError(
        f"mpirun: expected the same training on all {ranks.size} ranks, got "
        f"{_differing(names, every[0], every[rank])} on rank {rank}. Give all ranks "
        "the same command, files and versions."
    )


def _failed(code: int, text: str) -> NncliError:
    error = NncliError(text)
    error.exit_code = code  # type: ignore[misc] # as it was on its own rank
    return error


def _differing(names: list[str], ours: dict[str, Any], other: dict[str, Any]) -> str:
    """Say what differs: another config and other weights."""
    told = [NAMES[name] for name in names if name in NAMES]
    told += [
        f"{name} {other[name]} (rank 0 has {ours[name]})"
        for name in names
        if name not in NAMES
    ]
    return " and ".join(told)


def _cut(experiment: Experiment, ranks: int, each: int) -> None:
    """Cut batches into a shard for each worker at least, where nothing is said.

    Raises:
        UsageError: There are more workers than shards.
    """
    from nncli.training.threads import shards_of

    workers = ranks * each
    undecided = experiment.shards is None
    shards, why = shards_of(experiment)
    if shards >= workers:
        return
    most = shards
    if undecided and experiment.shards is not None:
        most, why = experiment.batch_size, "batches have no more rows"
        if workers <= most:
            experiment.shards = workers
            return
    fewer = f"mpirun -n {max(most // each, 1)}"
    if most < each:
        fewer += f" ... --workers {most}"
    raise UsageError(
        f"mpirun: expected at most {count(most, 'worker')}, one a shard ({why}), got "
        f"{workers}. Start fewer: {fewer}"
    )


def _facts(experiment: Experiment, workers: int) -> dict[str, Any]:
    """Return what must be the same on all ranks."""
    from nncli.runs.manifest import versions
    from nncli.training.threads import shards_of, threads_of

    values = experiment.network.flat.values
    config = json_text(experiment.config.spec).encode()
    return {
        "config": hashlib.sha256(config).hexdigest(),
        "data": experiment.data_sha256,
        "weights": hashlib.sha256(values.tobytes()).hexdigest(),
        "step": experiment.optimizer.steps,
        "shards": shards_of(experiment)[0],
        "threads": threads_of(experiment),
        "workers": workers,
        **versions(),
    }


@contextlib.contextmanager
def ending_all(ranks: Ranks) -> Iterator[None]:
    """End all ranks where this one fails and the others would wait for it."""
    from nncli.cli.app import outcome

    failure: BaseException | None = None
    try:
        yield
    except BaseException as error:
        if ranks.settled:
            raise
        failure = error
    if failure is None:
        return
    try:
        code, text = outcome(partial(_raise, failure))
    except Exception:
        # A fault of ours, which is told whole.
        code, text = 1, traceback.format_exc().strip()
    tell(text)
    ranks.abort(code or 1)


def tell(text: str) -> None:
    """Say why this process ends; where it is not the first rank, only if that is not.

    What has gone wrong on all ranks, the first one says. It then ends, and mpirun ends
    those that wait here.
    """
    rank = launched().rank
    if rank:
        for which in STOPPING:
            signal.signal(which, signal.SIG_DFL)
        time.sleep(TURN + 0.1 * min(rank, 10))
        text = f"rank {rank}: {text.removeprefix('error: ')}"
        text = f"error: {text}"
    note(text)


def _raise(error: BaseException) -> NoReturn:
    raise error
