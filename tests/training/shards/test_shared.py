"""Shared: arrays that forked processes see together, refused before memory is taken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nncli.core.arrays import LINE
from nncli.core.errors import NncliError
from nncli.training.shards.shared import Shared
from tests.command import environment

LIMITED = """\
import resource
from nncli.cli.app import run

limit = 2**30
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
raise SystemExit(run(["train", "spiral", "-q", *{}]))
"""


def test_arrays_are_zero_lie_apart_and_keep_their_types() -> None:
    shared = Shared(
        {
            "a": ((3, 5), np.float32),
            "nothing": ((0, 7), np.float64),
            "b": ((2,), np.float64),
            "end": ((0,), np.uint8),
        }
    )
    assert [array.shape for array in shared.arrays.values()] == [
        (3, 5),
        (0, 7),
        (2,),
        (0,),
    ]
    assert not any(array.any() for array in shared.arrays.values())
    for array in shared.arrays.values():
        assert array.ctypes.data % LINE == 0
        assert array.flags.writeable
    shared["a"][:] = 1
    assert not shared["b"].any()


def test_what_another_process_writes_is_seen() -> None:
    shared = Shared({"a": ((2,), np.int64)})
    child = os.fork()
    if not child:
        shared["a"][1] = 7
        os._exit(0)
    os.waitpid(child, 0)
    assert shared["a"].tolist() == [0, 7]


@pytest.mark.parametrize("shape", [(2**61,), (2**40, 2**40), (2**62, 4)])
def test_more_than_there_can_be_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(NncliError, match=r"training.shards: expected .* MiB of memory"):
        Shared({"a": (shape, np.float64)})


@pytest.mark.slow
def test_a_training_that_does_not_fit_is_refused_before_a_run_is_made(
    tmp_path: Path,
) -> None:
    arguments = [
        "layers[0].units=200000",
        "training.shards=300",
        "--workers=2",
        f"--runs-dir={tmp_path}",
    ]
    outcome = subprocess.run(
        [sys.executable, "-c", LIMITED.format(arguments)],
        env=environment() | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("error: training.shards: expected ")
    assert "Use fewer shards, or fewer workers." in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
