"""Workers and their parent that are ended: one message, nothing left, the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from nncli.cli.app import run as call
from nncli.runs.checkpoint import load_checkpoint
from nncli.runs.directory import RunDirectory
from tests.command import finish, soon, start, wait_until
from tests.training.jobs import assert_same_bits

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="needs Linux's /proc"
)

CONFIG = """\
name: long
seed: 5
dataset: {type: spiral, samples: 40, classes: 3}
split: {validation: 0.2}
layers:
  - {type: dense, units: 16, l2: 1e-4}
  - relu
  - {type: dropout, rate: 0.3}
  - {type: dense, units: 3}
loss: softmax_cross_entropy
optimizer: {type: adam, lr: 0.01}
metrics: [accuracy]
training: {epochs: 40, batch_size: 17, shards: 3, checkpoint_seconds: 0.01}
"""

FAILING = """\
import numpy as np
from nncli.data.base import Augmentation


class Failing(Augmentation, name="failing"):
    '''Fails in one shard of a batch.'''

    def apply(self, x, y, rng):
        if 7 in y:
            raise ValueError("no sevens here")
"""


@dataclass(frozen=True)
class Job:
    """A config, and its run that nothing has disturbed."""

    config: Path
    whole: RunDirectory


def trained(*arguments: object) -> bool:
    """Train in this process; return whether all went well."""
    return call(["train", "-q", *map(str, arguments)]) == 0


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Train once, in one process."""
    folder = tmp_path_factory.mktemp("job")
    config = folder / "long.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    assert trained(config, "--workers", 1, "--runs-dir", folder / "whole")
    return Job(config, RunDirectory(folder / "whole" / "long-1"))


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Return the processes that a training has forked."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        return [int(each) for each in path.read_text().split()]
    except OSError:
        return []


def lives(number: int) -> bool:
    """Say whether there is a process that has not ended."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def all_end(numbers: list[int]) -> bool:
    """Say whether all processes end."""
    return soon(lambda: not any(map(lives, numbers)))


def training(job: Job, run: RunDirectory) -> tuple[subprocess.Popen[str], list[int]]:
    """Begin a training with three workers; return it and them when it is under way."""
    process = start("train", job.config, "--workers", 3, "--runs-dir", run.path.parent)

    def under_way() -> bool:
        return run.metrics.exists() and run.metrics.read_bytes().count(b"\n") > 2

    assert wait_until(under_way, process)
    # What they share has no name that could be left behind.
    maps = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
    assert "/dev/shm" not in maps
    assert "/dev/zero (deleted)" in maps
    return process, workers_of(process)


def assert_goes_on(job: Job, run: RunDirectory, workers: int) -> None:
    """Resume, and compare with the run that nothing has disturbed."""
    assert trained("--resume", run.path, "--workers", workers)
    assert run.metrics.read_bytes() == job.whole.metrics.read_bytes()
    for path, expected in ((run.last, job.whole.last), (run.best, job.whole.best)):
        ours, theirs = load_checkpoint(path), load_checkpoint(expected)
        assert_same_bits(ours.arrays, theirs.arrays)
        assert ours.meta == theirs.meta


@pytest.mark.slow
@pytest.mark.parametrize(
    "which",
    [signal.SIGKILL, pytest.param(signal.SIGSEGV, marks=pytest.mark.slow)],
    ids=lambda which: which.name,
)
def test_a_worker_that_is_ended_ends_the_training_with_one_message(
    job: Job, tmp_path: Path, which: signal.Signals
) -> None:
    run = RunDirectory(tmp_path / "long-1")
    process, workers = training(job, run)
    assert len(workers) == 2
    os.kill(workers[1], which)
    outcome = finish(process)
    assert outcome.code == 1
    told, advice = outcome.err.splitlines()[-2:]
    assert told.startswith(f"error: worker 2 of 3 was ended by {which.name}, not by")
    assert advice == f"Go on with: nncli train --resume {run.path}"
    assert all_end(workers)
    assert_goes_on(job, run, 2)


@pytest.mark.slow
def test_workers_end_with_their_parent(job: Job, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "long-1")
    process, workers = training(job, run)
    process.kill()
    # Nobody holds its standard error any more.
    finish(process)
    assert all_end(workers)
    assert_goes_on(job, run, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "which",
    [signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
    ids=lambda which: which.name,
)
@pytest.mark.parametrize("to_all", [False, True])
def test_a_training_that_is_asked_to_stop_stops_after_a_step(
    job: Job, tmp_path: Path, which: signal.Signals, to_all: bool
) -> None:
    run = RunDirectory(tmp_path / "long-1")
    process, workers = training(job, run)
    if to_all:
        for worker in workers:
            os.kill(worker, which)
    process.send_signal(which)
    outcome = finish(process)
    assert outcome.code == 130
    assert "everything is saved" in outcome.err
    assert all_end(workers)
    assert_goes_on(job, run, 2)


@pytest.mark.slow
def test_a_worker_alone_does_not_stop_for_a_polite_signal(
    job: Job, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path / "long-1")
    process, workers = training(job, run)
    os.kill(workers[0], signal.SIGTERM)
    assert finish(process).code == 0
    assert run.metrics.read_bytes() == job.whole.metrics.read_bytes()


@pytest.mark.slow
def test_a_second_signal_stops_at_once(job: Job, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "long-1")
    process, workers = training(job, run)
    # The first worker waits for one that is held: after the step is never.
    os.kill(workers[0], signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    outcome = finish(process)
    assert outcome.code == 130
    assert "stopped at once; the last checkpoint is kept" in outcome.err
    assert all_end(workers)
    assert_goes_on(job, run, 2)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_a_plugin_that_fails_in_a_shard_is_told_of_as_in_one_process(
    tmp_path: Path, workers: int
) -> None:
    (tmp_path / "failing.py").write_text(FAILING, encoding="utf-8")
    config = tmp_path / "config.yaml"
    text = CONFIG.replace("name: long", "name: long\nplugins: [failing.py]")
    text = text.replace("samples: 40, classes: 3", "samples: 4, classes: 9")
    text = text.replace("units: 3", "units: 9").replace("shards: 3", "shards: 4")
    text += "augmentations: [failing]\n"
    config.write_text(text.replace("batch_size: 17", "batch_size: 4"))
    arguments = ["train", config, "--allow-plugins", "--workers", workers]
    outcome = finish(start(*arguments, "--runs-dir", tmp_path))
    assert outcome.code == 1
    assert "failing.py:10: the plugin failed" in outcome.err
    assert "while making training step" in outcome.err
    assert "ValueError: no sevens here" in outcome.err
    assert "Traceback" not in outcome.err
