"""``mpirun nncli train``: what the ranks of one training agree on, and how they end."""

from __future__ import annotations

import contextlib
import hashlib
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from nncli.cli.console import note
from nncli.core.errors import NncliError, UsageError
from nncli.core.text import json_text

if TYPE_CHECKING:
    from nncli.experiment.experiment import Experiment
    from nncli.training.shards.ranks import Ranks
    from nncli.training.shards.sharded import Sharded


def ranks_here() -> Ranks | None:
    """Return the ranks that mpirun has started; None where it has not.

    Raises:
        SystemExit: MPI cannot be used; the first rank says why.
    """
    from nncli.training.shards.ranks import Ranks, launched

    rank, count = launched()
    if count == 1:
        return None
    try:
        return Ranks()
    except NncliError as error:
        if rank == 0:
            raise
        raise SystemExit(error.exit_code) from None


def built(ranks: Ranks, build: Callable[[], Experiment], workers: int) -> Experiment:
    """Build an experiment on every rank, and see that it is the same one.

    Args:
        ranks: The ranks.
        build: Makes it.
        workers: How many processes each rank has.

    Raises:
        NncliError: It cannot be built on some rank; raised on the first one.
        UsageError: Ranks differ; raised on the first one.
        SystemExit: The same, on the others.
    """
    experiment, failure, told = None, None, {}
    try:
        experiment = build()
        _cut(experiment, ranks.size * workers)
        told = _facts(experiment, workers)
    except NncliError as error:
        failure = error
        told = {"error": str(error), "code": error.exit_code}
    every = ranks.everyone(told)
    code = next((each["code"] for each in every if "error" in each), 0)
    different = [
        (rank, [key for key, value in every[0].items() if each.get(key) != value])
        for rank, each in enumerate(every)
    ]
    if not code and not any(keys for _, keys in different) and experiment is not None:
        return experiment
    if ranks.rank:
        raise SystemExit(code or UsageError.exit_code)
    if failure is not None:
        raise failure
    for rank, each in enumerate(every):
        if "error" in each:
            raise _failed(code, f"rank {rank}: {each['error']}")
    rank, keys = next((rank, keys) for rank, keys in different if keys)
    raise UsageError(
        f"mpirun: expected the same training on all {ranks.size} ranks, got another "
        f"{' and '.join(keys)} on rank {rank}. Give all ranks the same command, files "
        "and versions."
    )


def _failed(code: int, text: str) -> NncliError:
    error = NncliError(text)
    error.exit_code = code  # type: ignore[misc] # as it was on its own rank
    return error


def _cut(experiment: Experiment, workers: int) -> None:
    """Cut batches into a shard for each worker at least, where nothing is said."""
    from nncli.training.threads import shards_of

    undecided = experiment.shards is None
    shards, why = shards_of(experiment)
    if shards >= workers:
        return
    if undecided and experiment.shards is not None and workers <= experiment.batch_size:
        experiment.shards = workers
        return
    raise UsageError(
        f"mpirun: expected at most {shards} workers for {shards} shards ({why}), got "
        f"{workers}. Start fewer ranks: mpirun -n {shards}"
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
        "versions": versions(),
        "shards": shards_of(experiment)[0],
        "threads": threads_of(experiment),
        "workers": workers,
    }


@contextlib.contextmanager
def ending_all(ranks: Ranks, sharded: Sharded) -> Iterator[None]:
    """End all ranks where this one fails and the others would wait for it."""
    from nncli.cli.app import outcome

    failure: BaseException | None = None
    try:
        yield
    except BaseException as error:
        if ranks.rank == 0 and not sharded.team.broken:
            raise
        failure = error
    if failure is None:
        return
    try:
        code, text = outcome(lambda: _raise(failure))
    except Exception:
        # A fault of ours, which is told whole.
        code, text = 1, traceback.format_exc()
    note(text)
    ranks.abort(code)


def _raise(error: BaseException) -> None:
    raise error
