"""``mpirun nncli train``: the bits of ranks, their beginning and their end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.core.errors import UsageError
from nncli.core.launched import VARIABLES, Launched, launched
from nncli.runs.checkpoint import load_checkpoint
from nncli.runs.directory import RunDirectory
from nncli.training.shards.ranks import Ranks
from tests.cli import mpi, ranked
from tests.cli.mpi import mpirun, needs_mpi
from tests.command import Command, Outcome, finish, wait_until
from tests.training.jobs import assert_same_bits
from tests.training.shards.jobs import SPIRAL

pytestmark = needs_mpi
COUNTED = """\
import atexit, json, os
from nncli.data.batches import Batches

counts = [0] * 72
filled = Batches._filled

def counted(self, buffers, index):
    if self.seed is not None:
        for row in index:
            counts[row] += 1
    return filled(self, buffers, index)

def write():
    with open(f"{os.environ['COUNTED']}/rows-{os.environ['PMI_RANK']}.json", "w") as f:
        json.dump(counts, f)

Batches._filled = counted
atexit.register(write)
"""
slow = pytest.mark.slow
Write = Callable[..., Path]

TEXT = SPIRAL.replace("batch_size: 17", "batch_size: 17, shards: 4")
ENDLESS = ("training.epochs=1000000", "training.checkpoint_seconds=0", "--quiet")


# As many as even a busy machine trains in a minute.
THREES = [ranked.ALL[i : i + 3] for i in range(0, len(ranked.ALL), 3)]


def assert_same_run(ours: RunDirectory, theirs: RunDirectory) -> None:
    """Compare every array and fact of the checkpoints, and every row."""
    assert ours.metrics.read_bytes() == theirs.metrics.read_bytes()
    for name in ("last", "best"):
        a, b = (load_checkpoint(getattr(run, name)) for run in (ours, theirs))
        assert_same_bits(a.arrays, b.arrays)
        assert a.meta == b.meta


@pytest.mark.parametrize(
    ("ranks", "workers", "nets"),
    [
        pytest.param(2, 2, ("wide", "lstm", "lengths"), id="2x2"),
        *(
            pytest.param(r, w, nets, id=f"{r}x{w}-{nets[0]}", marks=slow)
            for r, w in ((4, 1), (3, 1))
            for nets in THREES
        ),
    ],
)
def test_bits_do_not_depend_on_the_number_of_ranks(
    ranks: int, workers: int, nets: tuple[str, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "ranks"
    line = mpi.command_line(ranks, "tests.cli.ranked", folder, workers, *nets)
    outcome = finish(mpi.start(line))
    assert outcome.code == 0, outcome.err
    for net in nets:
        ranked.train(net, tmp_path / "alone", workers=1)
        run = ranked.run_in(folder, net)
        assert len(run.rows()) >= 2
        assert_same_run(run, ranked.run_in(tmp_path / "alone", net))


@slow
def test_a_run_that_is_killed_goes_on_with_other_ranks_and_the_same_bits(
    tmp_path: Path, write_config: Write, command: Command
) -> None:
    config, runs = write_config(TEXT), tmp_path / "runs"
    run = RunDirectory(runs / "spiral-1")
    line = mpi.command_line(2, "nncli", "train", config, *ENDLESS, "--runs-dir", runs)
    process = mpi.start(line)
    assert wait_until(lambda: run.last.exists() and len(run.rows()) > 3, process)
    mpi.stop_rank(runs, 1, signal.SIGKILL)
    assert finish(process).code
    at = load_checkpoint(run.last).meta["progress"]["epoch"]
    changes = (f"training.epochs={at + 3}", "training.checkpoint_seconds=30")
    resume = ("train", "--resume", run.path, *changes, "--quiet")
    outcome = mpirun(4, *resume)
    assert outcome.code == 0, outcome.err
    command.train(config, "training.epochs=1000000", *changes)
    alone = RunDirectory(runs / "spiral-2")
    assert run.metrics.read_bytes() == alone.metrics.read_bytes()
    ours, theirs = (load_checkpoint(each.last).arrays for each in (run, alone))
    assert_same_bits(ours, theirs)


def test_ranks_that_differ_are_told_apart(tmp_path: Path, write_config: Write) -> None:
    line = mpi.command_line(1, "nncli", "train", write_config(TEXT))
    other = [*line[1:], "layers[0].units=7", "training.epochs=2"]
    outcome = finish(mpi.start([*line, ":", *other], tmp_path))
    assert outcome.code == 2
    assert outcome.err.strip() == (
        "error: mpirun: expected the same training on all 2 ranks, got another config "
        "and other weights on rank 1. Give all ranks the same command, files and "
        "versions."
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, Launched()),
        ({"PMI_RANK": "2", "PMI_SIZE": "4", "MPI_LOCALNRANKS": "3"}, Launched(2, 4, 3)),
        (
            {
                "OMPI_COMM_WORLD_RANK": "1",
                "OMPI_COMM_WORLD_SIZE": "2",
                "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
                "PMIX_RANK": "1",
            },
            Launched(1, 2, 2, by_open_mpi=True),
        ),
        ({"PMIX_RANK": "1", "SLURM_STEP_NUM_TASKS": "8"}, Launched(1, 8)),
        # In a job of Slurm's, but not started by it.
        ({"SLURM_STEP_NUM_TASKS": "8"}, Launched()),
        ({"PMI_RANK": "0", "PMI_SIZE": "1"}, Launched()),
    ],
)
def test_the_launcher_says_how_many_ranks_there_are(
    variables: dict[str, str], told: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    for names in VARIABLES:
        for name in names:
            monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert launched() == told


@pytest.mark.parametrize("verb", ["eval", "predict", "lr-find", "cv", "data"])
def test_other_verbs_are_no_work_for_ranks(
    verb: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setenv("PMI_RANK", "0")
    outcome = command(verb, "spiral")
    assert outcome.code == 2
    assert f"ranks share, got {verb}, which each of 2 ranks" in outcome.err
    monkeypatch.setenv("PMI_RANK", "1")
    assert command(verb, "spiral") == Outcome(0, "", "")


@pytest.mark.parametrize("given", ["soon", "0", "-3", "nan", "inf", ""])
def test_a_patience_that_is_no_number_is_refused(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNCLI_RANK_SECONDS", given)
    with pytest.raises(UsageError, match="NNCLI_RANK_SECONDS: expected how many sec"):
        Ranks(Launched(0, 2))


@slow
def test_a_layer_that_needs_whole_batches_is_named(
    write_config: Write, tmp_path: Path
) -> None:
    config = write_config(TEXT.replace("- tanh", "- batch_norm"))
    outcome = mpirun(2, "train", config, cwd=tmp_path)
    assert outcome.code == 2
    assert outcome.err == (
        "error: mpirun: expected at most 1 worker, one a shard (layers[1] batch_norm "
        "needs whole batches), got 2. Start fewer: mpirun -n 1\n"
    )


@slow
def test_a_dry_run_makes_its_step_on_all_ranks(
    write_config: Write, tmp_path: Path
) -> None:
    outcome = mpirun(4, "train", write_config(TEXT), "--dry-run", "--json")
    assert outcome.json()["shards"] == 4
    assert not (tmp_path / "runs").exists()


@slow
def test_the_result_is_printed_once(write_config: Write, tmp_path: Path) -> None:
    outcome = mpirun(2, "train", write_config(TEXT), "--json", "-q", cwd=tmp_path)
    assert outcome.json()["status"] == "finished"
    assert outcome.err == ""
    again = mpirun(
        2, "train", "spiral-1", "--from", "spiral-1", "layers[2].units=3", cwd=tmp_path
    )
    assert again.out.count("taken:") == 1
    assert again.out.count("next: nncli eval runs/spiral-2") == 1


@slow
def test_each_rank_reads_its_own_rows(tmp_path: Path, write_config: Write) -> None:
    (tmp_path / "counted.py").write_text(COUNTED, encoding="utf-8")
    config = write_config(
        "plugins: [counted.py]\n" + TEXT.replace("batch_size: 17", "batch_size: 16")
    )
    variables = {"COUNTED": str(tmp_path)}
    arguments = ("train", config, "--allow-plugins", "-q", "training.evaluate_every=3")
    outcome = mpirun(2, *arguments, cwd=tmp_path, variables=variables)
    assert outcome.code == 0, outcome.err
    # Three epochs of 72 rows, cut in two.
    rows = [
        json.loads((tmp_path / f"rows-{rank}.json").read_text()) for rank in range(2)
    ]
    assert [sum(counts) for counts in rows] == [3 * 36, 3 * 36]
    assert [a + b for a, b in zip(*rows, strict=True)] == [3] * 72
