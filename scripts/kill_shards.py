"""Kill workers, and their parents, of one training again and again, and go on with it.

    python -m scripts.kill_shards [--kills 200] [--seed 0]

A small training with dropout, whose batches are cut into four shards, is killed with
SIGKILL at random moments, now one of its workers, now the process that the others came
from, and resumed with another number of workers. After each kill no process of it may
be left, nor a file in the folder of temporary files; where a worker was killed, one
message must say so. In the end the run must have the bits of one that nobody killed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from nncli.cli.app import run as run_command
from nncli.runs.checkpoint import load_checkpoint
from nncli.runs.directory import RunDirectory

CONFIG = """\
name: killed
seed: 5
dataset: {type: spiral, samples: 100, classes: 3}
split: {validation: 0.2}
layers:
  - {type: dense, units: 32, l2: 1e-4}
  - relu
  - {type: dropout, rate: 0.3}
  - {type: dense, units: 3}
loss: softmax_cross_entropy
optimizer: {type: adam, lr: 0.01}
schedule: {type: cosine, final: 0.01}
metrics: [accuracy]
training:
  epochs: 300
  batch_size: 17
  shards: 4
  clip_norm: 5.0
  average: {decay: 0.99}
  evaluate_every: 5
  checkpoint_seconds: 0.02
"""

PATIENCE = 1.0
"""Seconds in which all processes of a killed training must be gone."""

LONGEST = 0.7
"""Seconds of life of a training, from its first checkpoint, at most."""

EARLY = 0.9995
"""Chance, at every look, to wait on for a training's first checkpoint."""


class Training:
    """A training that runs as a process.

    Args:
        number: The process.
        err: What its standard error is written to.
    """

    def __init__(self, number: int, err: Path) -> None:
        self.number = number
        self.code = 0
        self._err = err
        self._over = False

    def over(self, seconds: float) -> bool:
        """Wait for its end, some seconds at most; return whether it has come."""
        limit = time.monotonic() + seconds
        while not self._over:
            done, status = os.waitpid(self.number, os.WNOHANG)
            if done:
                self._over, self.code = True, os.waitstatus_to_exitcode(status)
            elif time.monotonic() > limit:
                return False
            else:
                time.sleep(0.001)
        return True

    @property
    def told(self) -> str:
        """What it has written to its standard error."""
        return self._err.read_text(encoding="utf-8")


def _be(arguments: list[str], temporary: Path, err: Path) -> NoReturn:
    """Be a process that runs a command."""
    code = 1
    try:
        os.setsid()
        tempfile.tempdir = str(temporary)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        code = run_command(arguments)
    finally:
        os._exit(code)


@dataclass
class Killer:
    """Kills a training and goes on with it.

    Attributes:
        folder: Where everything lies.
        chance: Of moments, victims and numbers of workers.
        counts: How often what happened.
        faults: What should not have happened.
    """

    folder: Path
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def train(self, *arguments: object) -> Training:
        """Start a training, in a session of its own."""
        line = ["train", "-q", *map(str, arguments)]
        number = os.fork()
        if not number:
            _be(line, self.temporary, self.folder / "err.txt")
        return Training(number, self.folder / "err.txt")

    @property
    def config(self) -> Path:
        """The config of all trainings."""
        return self.folder / "killed.yaml"

    @property
    def temporary(self) -> Path:
        """Where the trainings' temporary files would lie."""
        return self.folder / "temporary"

    def whole(self) -> RunDirectory:
        """Train without being killed, in one process."""
        self.temporary.mkdir()
        self.config.write_text(CONFIG, encoding="utf-8")
        # In this process, so that those forked from it begin with all that is needed.
        line = [self.config, "--workers", 1, "--runs-dir", self.folder / "whole"]
        if run_command(["train", "-q", *map(str, line)]):
            raise SystemExit(1)
        return RunDirectory(self.folder / "whole" / "killed-1")

    def live(self, run: RunDirectory, *, last: bool) -> bool:
        """Train until it is killed, or over; return whether it is over.

        Args:
            run: Where.
            last: Whether it is not killed any more.
        """
        workers = ("--workers", self.chance.choice([1, 2, 3, 4]))
        before = _changed(run.last)
        if before:
            training = self.train("--resume", run.path, *workers)
        else:
            training = self.train(self.config, *workers, "--runs-dir", run.path.parent)
        # Most are killed while they make steps, some while they begin.
        while (
            not last
            and self.chance.random() < EARLY
            and _changed(run.last) == before
            and not training.over(0)
        ):
            time.sleep(0.001)
        if not training.over(60 if last else self.chance.uniform(0.0, LONGEST)):
            self.kill(training)
            return False
        # It may have been killed when all was written, and not yet over.
        if training.code and "the run is finished" not in training.told:
            self.faults.append(f"it failed: {training.told}")
        return True

    def kill(self, training: Training) -> None:
        """Kill a worker, or the parent of all, and see what becomes of the others."""
        others = [each for each in _session(training.number) if each != training.number]
        victim = training.number
        if others and self.chance.random() < 0.6:
            victim = self.chance.choice(others)
            self.counts["workers killed"] += 1
        else:
            self.counts["parents killed"] += 1
            self.counts["of them with workers"] += bool(others)
        maps = Path(f"/proc/{training.number}/maps").read_text(encoding="utf-8")
        if "/dev/shm" in maps:  # noqa: S108 - it is looked for only
            self.faults.append("shared memory has a name")
        os.kill(victim, signal.SIGKILL)
        began = time.monotonic()
        if not training.over(60):
            self.faults.append("it does not end")
        taken = round(1000 * (time.monotonic() - began))
        self.counts["slowest end, ms"] = max(self.counts["slowest end, ms"], taken)
        if victim != training.number:
            self.told(training.code, training.told)
        while (
            left := _session(training.number)
        ) and time.monotonic() < began + PATIENCE:
            time.sleep(0.01)
        if left:
            self.faults.append(f"processes are left: {left}")
        files = [path.name for path in self.temporary.iterdir()]
        if files:
            self.faults.append(f"files are left: {files}")

    def told(self, code: int, err: str) -> None:
        """See that one message says which worker was ended."""
        if code == 0:
            # It was over just then.
            self.counts["too late"] += 1
        elif code != 1 or "was ended by SIGKILL" not in err or "Traceback" in err:
            self.faults.append(f"exit code {code}: {err}")

    def compare(self, run: RunDirectory, whole: RunDirectory) -> None:
        """See that a run has the bits of the one that nobody killed."""
        self.counts["runs that ended"] += 1
        if run.metrics.read_bytes() != whole.metrics.read_bytes():
            self.faults.append("rows differ")
        for path, expected in ((run.last, whole.last), (run.best, whole.best)):
            ours, theirs = load_checkpoint(path), load_checkpoint(expected)
            if ours.meta != theirs.meta:
                self.faults.append(f"{path.name}: values differ")
            for name, array in theirs.arrays.items():
                if ours.arrays[name].tobytes() != array.tobytes():
                    self.faults.append(f"{path.name}: {name} differs")
        names = [{path.name for path in each.path.rglob("*")} for each in (run, whole)]
        if names[0] != names[1]:
            self.faults.append(f"files differ: {sorted(names[0] ^ names[1])}")


def _changed(path: Path) -> int:
    """Return when a file was changed, 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _session(number: int) -> list[int]:
    """Return the processes of a session that have not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            stat = (folder / "stat").read_text(encoding="utf-8")
        except OSError:
            continue
        state, _, _, session, *_ = stat.rpartition(")")[2].split()
        if int(session) == number and state not in "ZX":
            found.append(int(folder.name))
    return found


def main() -> int:
    """Kill, and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    say = sys.stdout.write
    with tempfile.TemporaryDirectory() as folder:
        killer = Killer(Path(folder), random.Random(given.seed))  # noqa: S311
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        whole, number, over = killer.whole(), 0, True
        kills = 0
        while kills < given.kills or not over:
            if over:
                number += 1
                run = RunDirectory(Path(folder) / f"run-{number}" / "killed-1")
            over = killer.live(run, last=kills >= given.kills)
            kills += not over
            if over and run.last.exists():
                killer.compare(run, whole)
        if len(list(Path("/proc/self/fd").iterdir())) != descriptors:
            killer.faults.append("descriptors are left")
    for name, count in {"kills": kills, **killer.counts}.items():
        say(f"{name:<24}{count:>6,}\n")
    for fault in killer.faults:
        say(f"FAULT: {fault}\n")
    say("Nothing was left, and all bits are equal.\n" if not killer.faults else "")
    return 1 if killer.faults else 0


if __name__ == "__main__":
    sys.exit(main())
