"""``mpirun nncli train``: each trouble ends all ranks, in one message of ours.

What mpirun adds of its own goes to stdout, or begins with its name.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.runs.checkpoint import load_checkpoint
from nncli.runs.directory import RunDirectory
from tests.cli import mpi
from tests.cli.mpi import MPIRUN, mpirun, needs_mpi
from tests.cli.test_mpi import ENDLESS, TEXT
from tests.command import Command, Outcome, finish, soon, wait_until

pytestmark = [needs_mpi, pytest.mark.slow]
Write = Callable[..., Path]

PLUGIN = """\
import os
from nncli.layers.base import Layer

class Odd(Layer, name="odd"):
    "y = x."
    output = None

    def __call__(self, x):
        if os.environ["PMI_RANK"] in os.environ["ODD"]:
            raise ValueError("odd")
        return x
"""
FULL = """\
import os, resource, signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if os.environ["PMI_RANK"] == "0":
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
"""
SITE = """\
import os
if os.environ.get("PMI_RANK") in os.environ["ODD"]:
    {code}
"""
NO_MPI4PY = "import sys; sys.modules['mpi4py'] = None"
OTHER_VERSION = "import numpy; numpy.__version__ = '0.1'"


def ours(outcome: Outcome) -> list[str]:
    """Return the lines of stderr that mpirun has not written itself."""
    lines = outcome.err.splitlines()
    return [line for line in lines if not line.startswith(("Abort(", "[mpiexec@"))]


def one_message(outcome: Outcome, code: int, *words: str) -> None:
    """Fail where there is another exit code, or another message than one."""
    lines = ours(outcome)
    assert outcome.code == code, outcome
    assert sum(line.startswith("error: ") for line in lines) == 1, outcome
    assert lines[0].startswith("error: ")
    assert not [line for line in lines[1:] if not line.startswith("Go on with: ")]
    for word in words:
        assert word in lines[0]


def with_site(folder: Path, code: str, ranks: str) -> dict[str, str]:
    """Return the environment in which Python runs some code first, on some ranks."""
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE.format(code=code), encoding="utf-8")
    path = f"{site}{os.pathsep}{Path(__file__).parents[2]}"
    return {"PYTHONPATH": path, "ODD": ranks}


def endless(config: Path, folder: Path, **variables: str) -> subprocess.Popen[str]:
    """Start a training of two ranks, and wait for its first checkpoint."""
    runs = folder / "runs"
    run = RunDirectory(runs / "spiral-1")
    arguments = ("train", config, *ENDLESS, "--runs-dir", runs)
    process = mpi.start(mpi.command_line(2, "nncli", *arguments), folder, variables)
    assert wait_until(lambda: run.last.exists() and len(run.rows()) > 2, process)
    return process


def goes_on(command: Command, run: Path) -> bool:
    """Whether one more epoch can be trained."""
    at = len(RunDirectory(run).rows())
    outcome = command("train", "--resume", run, f"training.epochs={at + 2}")
    return outcome.code == 0


@pytest.mark.parametrize("ranks", ["0", "1", "01"])
def test_no_mpi4py_is_told_once(
    ranks: str, write_config: Write, tmp_path: Path
) -> None:
    variables = with_site(tmp_path, NO_MPI4PY, ranks)
    outcome = mpirun(2, "train", write_config(TEXT), cwd=tmp_path, variables=variables)
    one_message(outcome, 2, "expected mpi4py to be installed", 'install "nncli[mpi]"')
    assert ("error: rank 1: " in outcome.err) == (ranks == "1")


def test_no_library_of_mpi_is_told_once(write_config: Write, tmp_path: Path) -> None:
    variables = {"MPI4PY_LIBMPI": "/nowhere/libmpi.so"}
    outcome = mpirun(2, "train", write_config(TEXT), cwd=tmp_path, variables=variables)
    one_message(outcome, 2, "mpi4py does not find a library of MPI", "install mpich")


@pytest.mark.skipif(mpi.OPEN_MPI is None, reason="needs mpirun.openmpi")
def test_open_mpi_under_the_mpirun_of_mpich_is_told(
    write_config: Write, tmp_path: Path
) -> None:
    variables = {"MPI4PY_MPIABI": "openmpi"}
    outcome = mpirun(2, "train", write_config(TEXT), cwd=tmp_path, variables=variables)
    one_message(outcome, 2, "mpi4py sees 1", "Use the mpirun of the same MPI")


@pytest.mark.skipif(mpi.OPEN_MPI is None, reason="needs mpirun.openmpi")
def test_mpich_under_the_mpirun_of_open_mpi_is_told(
    write_config: Write, tmp_path: Path
) -> None:
    line = mpi.open_mpi_line(2, "nncli", "train", write_config(TEXT))
    library = MPIRUN.parents[1] / "lib"
    variables = {"MPI4PY_MPIABI": "mpich", "LD_LIBRARY_PATH": str(library)}
    outcome = finish(mpi.start(line, tmp_path, variables))
    assert outcome.code == 2
    assert outcome.err.count("error: ") == 1
    assert "Open MPI has started 2 processes, but mpi4py uses MPICH" in outcome.err


@pytest.mark.skipif(mpi.OPEN_MPI is None, reason="needs mpirun.openmpi")
def test_open_mpi_gives_the_bits_of_one_process(
    write_config: Write, tmp_path: Path, command: Command
) -> None:
    config = write_config(TEXT)
    line = mpi.open_mpi_line(2, "nncli", "train", config, "-q")
    outcome = finish(mpi.start(line, tmp_path))
    assert outcome.code == 0, outcome.err
    command.train(config)
    first, second = (RunDirectory(command.runs / f"spiral-{i}") for i in (1, 2))
    assert first.last.read_bytes() == second.last.read_bytes()


def test_other_versions_are_named(write_config: Write, tmp_path: Path) -> None:
    variables = with_site(tmp_path, OTHER_VERSION, "1")
    outcome = mpirun(2, "train", write_config(TEXT), cwd=tmp_path, variables=variables)
    one_message(outcome, 2, "got numpy 0.1 (rank 0 has ", " on rank 1.")


def test_other_data_are_named(write_config: Write, tmp_path: Path) -> None:
    pytest.importorskip("polars")
    text = TEXT.replace(
        "{type: spiral, samples: 30, classes: 3}", "{type: csv, path: t.csv, target: y}"
    )
    lines = []
    for rank, last in enumerate(("9", "8")):
        folder = tmp_path / str(rank)
        folder.mkdir()
        rows = "".join(f"{i},{i % 7},{'abc'[i % 3]}\n" for i in range(60))
        (folder / "t.csv").write_text(f"u,v,y\n{rows}{last},1,a\n", encoding="utf-8")
        config = folder / "config.yaml"
        config.write_text(text, encoding="utf-8")
        lines += [
            ":",
            "-wdir",
            folder,
            *mpi.command_line(1, "nncli", "train", config)[1:],
        ]
    outcome = finish(mpi.start([str(MPIRUN), *map(str, lines[1:])], tmp_path))
    one_message(outcome, 2, "other data", "on rank 1.")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (("training.shards=2",), "at most 2 workers, one a shard (as the config says)"),
        (
            ("training.shards=auto", "training.batch_size=3"),
            "at most 3 workers, one a shard (batches have no more rows), got 4",
        ),
        (("training.shards=50",), "expected at most one shard for each of the 17 rows"),
    ],
)
def test_more_ranks_than_shards_or_shards_than_rows_are_refused(
    changes: tuple[str, ...], told: str, write_config: Write, tmp_path: Path
) -> None:
    outcome = mpirun(4, "train", write_config(TEXT), *changes, cwd=tmp_path)
    assert outcome.code == 2
    assert outcome.err.count(told) == 1
    assert not (tmp_path / "runs").exists()


def test_a_run_is_not_resumed_on_more_ranks_than_its_shards(
    write_config: Write, tmp_path: Path, command: Command
) -> None:
    command.train(write_config(TEXT), "training.shards=2")
    run = command.runs / "spiral-1"
    resume = ("train", "--resume", run, "training.epochs=5")
    outcome = mpirun(4, *resume)
    one_message(outcome, 2, "expected at most 2 workers", "mpirun -n 2")
    assert mpirun(4, *resume, "training.shards=4", "-q").code == 0


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_hangs_ends_all(
    rank: int, write_config: Write, tmp_path: Path, command: Command
) -> None:
    process = endless(write_config(TEXT), tmp_path, NNCLI_RANK_SECONDS="3")
    mpi.stop_rank(tmp_path / "runs", rank, signal.SIGSTOP)
    one_message(finish(process), 1, "has not answered for 3 seconds")
    assert soon(lambda: not mpi.ranks_of(tmp_path / "runs"))
    assert goes_on(command, tmp_path / "runs/spiral-1")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_is_killed_ends_all_and_leaves_nothing(
    rank: int, write_config: Write, tmp_path: Path, command: Command
) -> None:
    before = set(Path("/dev/shm").iterdir())
    process = endless(write_config(TEXT), tmp_path)
    mpi.stop_rank(tmp_path / "runs", rank, signal.SIGKILL)
    outcome = finish(process)
    # The message is mpirun's, which leaves nobody the time for another one.
    assert outcome.code == 9
    assert "Killed (signal 9)" in outcome.out
    assert soon(lambda: not mpi.ranks_of(tmp_path / "runs"))
    assert not set(Path("/dev/shm").iterdir()) - before
    assert goes_on(command, tmp_path / "runs/spiral-1")


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM], ids=str)
@pytest.mark.parametrize("to", ["mpirun", "rank 0"])
def test_ranks_that_are_asked_to_stop_save_after_the_step(
    which: signal.Signals,
    to: str,
    write_config: Write,
    tmp_path: Path,
    command: Command,
) -> None:
    process = endless(write_config(TEXT), tmp_path)
    if to == "mpirun":
        process.send_signal(which)
    else:
        mpi.stop_rank(tmp_path / "runs", 0, which)
    one_message(finish(process), 130, "stopped after step", "everything is saved")
    assert goes_on(command, tmp_path / "runs/spiral-1")


def test_a_full_disk_of_the_first_rank_ends_all(
    write_config: Write, tmp_path: Path
) -> None:
    (tmp_path / "full.py").write_text(FULL, encoding="utf-8")
    config = write_config(f"plugins: [full.py]\n{TEXT}")
    arguments = ("train", config, *ENDLESS, "--allow-plugins")
    outcome = mpirun(2, *arguments, cwd=tmp_path)
    one_message(outcome, 1, "runs/spiral-1/", "File too large")
    assert load_checkpoint(RunDirectory(tmp_path / "runs/spiral-1").last).arrays


def test_a_diverging_shard_names_its_layer(
    write_config: Write, tmp_path: Path, command: Command
) -> None:
    config = write_config(TEXT)
    diverging = ("optimizer={type: sgd, lr: 1e30}", "layers[1]=relu", "-q")
    alone = command.train(config, *diverging, expect=4)
    outcome = mpirun(2, "train", config, *diverging, cwd=tmp_path)
    one_message(outcome, 4, "the output of layers[2] dense is not finite")
    assert ours(outcome) == alone.err.splitlines()


@pytest.mark.parametrize("ranks", ["0", "1", "01"])
def test_a_plugin_that_fails_is_told_once(
    ranks: str, write_config: Write, tmp_path: Path
) -> None:
    (tmp_path / "odd.py").write_text(PLUGIN, encoding="utf-8")
    config = write_config(
        "plugins: [odd.py]\n" + TEXT.replace("layers:", "layers:\n  - odd")
    )
    arguments = ("train", config, "--allow-plugins")
    outcome = mpirun(2, *arguments, cwd=tmp_path, variables={"ODD": ranks})
    one_message(outcome, 1, "odd.py:10: the plugin failed", "ValueError: odd")
    assert ("error: rank 1: " in outcome.err) == (ranks == "1")


def test_a_run_that_is_in_use_is_told_once(
    write_config: Write, tmp_path: Path, command: Command
) -> None:
    process = endless(write_config(TEXT), tmp_path)
    outcome = mpirun(2, "train", "--resume", tmp_path / "runs/spiral-1")
    one_message(outcome, 1, "spiral-1")
    process.send_signal(signal.SIGTERM)
    assert finish(process).code == 130


def test_too_little_shared_memory_is_told_once(
    write_config: Write, tmp_path: Path
) -> None:
    inside = "mount -t tmpfs -o size=1m tmpfs /dev/shm && "
    tried = ["unshare", "-m", "sh", "-c"]
    if subprocess.run([*tried, inside + "true"], capture_output=True).returncode:
        pytest.skip("may not mount anything here")
    line = " ".join(mpi.command_line(2, "nncli", "train", write_config(TEXT)))
    outcome = finish(mpi.start([*tried, inside + line], tmp_path))
    one_message(outcome, 1, "of /dev/shm for the 2 ranks of this machine, got 1 MiB")


def test_usage_is_told_once(tmp_path: Path) -> None:
    outcome = mpirun(2, "train", "--nonsense", cwd=tmp_path)
    assert outcome.code == 2
    assert outcome.err.count("No such option") == 1
