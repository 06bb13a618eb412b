"""Resume: a run that was stopped at any moments ends with the same bits."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from nncli.cli.app import run as call
from nncli.runs.checkpoint import load_checkpoint
from nncli.runs.directory import RunDirectory
from tests.command import finish, kill, start, wait_until
from tests.training.jobs import assert_same_bits

EPOCHS = 80
KILLS = 2

# Everything that a step can depend on: shuffled batches whose last one is smaller,
# noise, running averages, moments, a schedule, fitted transforms, early stopping.
CONFIG = """\
name: long
seed: 5
dataset: {{type: spiral, samples: 100, classes: 3}}
split: {{validation: 0.2}}
transforms: [standardize]
layers:
  - {{type: dense, units: 32, l2: 1e-4}}
  - batch_norm
  - relu
  - {{type: dropout, rate: 0.3}}
  - {{type: dense, units: 3}}
loss: softmax_cross_entropy
optimizer: {{type: adam, lr: 0.01}}
schedule: {{type: cosine, final: 0.01}}
metrics: [accuracy]
training:
  epochs: {epochs}
  batch_size: 17
  clip_norm: 5.0
  early_stopping: {{patience: {patience}, min_delta: 0.001}}
  checkpoint_seconds: {seconds}
"""


@dataclass(frozen=True)
class Job:
    """A config on disk, and the run that nothing disturbed."""

    config: Path
    whole: RunDirectory

    @property
    def rows(self) -> int:
        return len(self.whole.rows())


def make_job(folder: Path, seconds: float, patience: int, epochs: int = EPOCHS) -> Job:
    config = folder / "long.yaml"
    config.write_text(CONFIG.format(epochs=epochs, seconds=seconds, patience=patience))
    whole = RunDirectory(folder / "whole" / "long-1")
    assert call(["train", str(config), "--runs-dir", str(whole.path.parent)]) == 0
    return Job(config, whole)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Return a job that goes on to its last epoch."""
    return make_job(tmp_path_factory.mktemp("job"), 0.01, 500)


def begin(job: Job, run: RunDirectory) -> subprocess.Popen[str]:
    """Start a run, or go on with it."""
    if run.path.exists():
        return start("train", "--resume", run.path)
    return start("train", job.config, "--runs-dir", run.path.parent)


def count_rows(run: RunDirectory) -> int:
    try:
        return run.metrics.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def wait_for_rows(run: RunDirectory, rows: int, process: subprocess.Popen[str]) -> None:
    assert wait_until(lambda: count_rows(run) >= rows, process), "ended too early"


def wait_within_an_epoch(run: RunDirectory, process: subprocess.Popen[str]) -> None:
    """Let a process sleep as soon as its last checkpoint was made within an epoch."""

    def found() -> bool:
        process.send_signal(signal.SIGSTOP)
        if load_checkpoint(run.last).meta["progress"]["batch"]:
            return True
        process.send_signal(signal.SIGCONT)
        return False

    assert wait_until(found, process), "ended too early"


def end(run: RunDirectory) -> None:
    """Let a run go on to its end, in this process."""
    assert call(["train", "--resume", str(run.path)]) == 0


def assert_same_runs(run: RunDirectory, whole: RunDirectory) -> None:
    """Compare every tensor, every other value, and every row."""
    assert run.metrics.read_bytes() == whole.metrics.read_bytes()
    records = run.recorded(), whole.recorded()
    for rows in records:
        seconds = [row.pop("seconds") for row in rows]
        assert seconds == sorted(seconds)
    assert records[0] == records[1] != []
    for path, expected in ((run.last, whole.last), (run.best, whole.best)):
        ours, theirs = load_checkpoint(path), load_checkpoint(expected)
        assert_same_bits(ours.arrays, theirs.arrays)
        assert ours.meta == theirs.meta
    facts, expected_facts = (
        json.loads(r.summary.read_text(encoding="utf-8")) for r in (run, whole)
    )
    for name in ("status", "stopped_early", "epochs", "steps", "best", "last"):
        assert facts[name] == expected_facts[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "patience"),
    [
        pytest.param(0, 500, id="saved at every evaluation", marks=pytest.mark.slow),
        pytest.param(0.001, 500, id="saved within epochs"),
        pytest.param(
            0.05,
            25,
            id="saved now and then, stopped early",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_run_killed_many_times_ends_with_the_same_bits(
    tmp_path: Path, seconds: float, patience: int
) -> None:
    within, moments = seconds == 0.001, random.Random(seconds)
    # A checkpoint after every step takes its time: fewer of them are long enough.
    epochs = EPOCHS // 3 if within else EPOCHS
    job = make_job(tmp_path, seconds, patience, epochs)
    assert (job.rows < epochs) == (patience < epochs)
    run = RunDirectory(tmp_path / "killed" / "long-1")
    places = []
    for rows in sorted(moments.sample(range(2, job.rows * 6 // 10), KILLS)):
        process = begin(job, run)
        wait_for_rows(run, rows, process)
        time.sleep(moments.uniform(0, 0.003))
        if within:
            wait_within_an_epoch(run, process)
        kill(process)
        assert process.returncode == -signal.SIGKILL
        assert not run.summary.exists()
        places.append(load_checkpoint(run.last).meta["progress"])
    if within:
        assert any(place["batch"] for place in places)
    end(run)
    assert_same_runs(run, job.whole)


@pytest.mark.slow
def test_run_killed_before_its_first_checkpoint_begins_again(
    tmp_path: Path, job: Job
) -> None:
    config = tmp_path / "long.yaml"
    config.write_text(CONFIG.format(epochs=EPOCHS, seconds=1000, patience=500))
    run = RunDirectory(tmp_path / "runs" / "long-1")
    process = start("train", config, "--runs-dir", run.path.parent)
    wait_for_rows(run, 10, process)
    kill(process)
    assert load_checkpoint(run.last).meta["progress"]["step"] == 0
    end(run)
    assert run.metrics.read_bytes() == job.whole.metrics.read_bytes()
    assert_same_bits(
        load_checkpoint(run.last).arrays, load_checkpoint(job.whole.last).arrays
    )


@pytest.mark.slow
@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_run_interrupted_saves_and_says_how_to_go_on(
    tmp_path: Path, job: Job, which: signal.Signals
) -> None:
    run = RunDirectory(tmp_path / "runs" / "long-1")
    process = begin(job, run)
    wait_for_rows(run, 10, process)
    process.send_signal(which)
    outcome = finish(process)
    assert outcome.code == 130
    place = load_checkpoint(run.last).meta["progress"]
    assert place["rows"] == count_rows(run)
    assert f"stopped after step {place['step']}" in outcome.err
    assert f"nncli train --resume {run.path}" in outcome.err
    assert "Traceback" not in outcome.err
    assert json.loads(run.summary.read_text())["status"] == "interrupted"
    end(run)
    assert_same_runs(run, job.whole)


BLOCKING = """\
import signal
import time
from pathlib import Path

from nncli.layers.base import Layer


class Blocking(Layer, name="blocking"):
    \"\"\"Never ends in training; tells of signals that were handled.\"\"\"

    output = None

    def __call__(self, x):
        if not self.training:
            return x
        stop = signal.getsignal(signal.SIGINT)

        def tell(number, frame):
            stop(number, frame)
            Path(__file__).with_name("heard").touch()

        signal.signal(signal.SIGINT, tell)
        Path(__file__).with_name("entered").touch()
        while True:
            time.sleep(0.001)
"""


@pytest.mark.slow
def test_run_interrupted_twice_stops_at_once(tmp_path: Path) -> None:
    (tmp_path / "blocking.py").write_text(BLOCKING, encoding="utf-8")
    config = tmp_path / "long.yaml"
    text = CONFIG.format(epochs=EPOCHS, seconds=0, patience=500).replace(
        "  - batch_norm\n", ""
    )
    config.write_text(f"{text.replace('relu', 'blocking')}plugins: [blocking.py]\n")
    run = RunDirectory(tmp_path / "runs" / "long-1")
    process = start("train", config, "--allow-plugins", "--runs-dir", run.path.parent)
    assert wait_until((tmp_path / "entered").exists, process)
    process.send_signal(signal.SIGINT)
    # The step under way is waited for, which here never ends.
    assert wait_until((tmp_path / "heard").exists, process)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    outcome = finish(process)
    assert outcome.code == 130
    assert "stopped at once" in outcome.err
    assert f"nncli train --resume {run.path}" in outcome.err
    assert "Traceback" not in outcome.err
    assert load_checkpoint(run.last).meta["progress"]["step"] == 0


@pytest.mark.slow
def test_run_that_is_being_trained_is_not_resumed(
    tmp_path: Path, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory(tmp_path / "runs" / "long-1")
    process = begin(job, run)
    wait_for_rows(run, 1, process)
    process.send_signal(signal.SIGSTOP)
    try:
        assert call(["train", "--resume", str(run.path)]) == 1
    finally:
        process.send_signal(signal.SIGCONT)
    assert "another process is training this run" in capsys.readouterr().err
    assert finish(process).code == 0
    assert_same_runs(run, job.whole)
