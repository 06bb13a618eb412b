"""Threads of BLAS: a function of the work, kept by a run, given back afterwards."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import nncli as nn
from nncli.training import threads
from nncli.training.state import Progress, capture, restore
from nncli.training.threads import threads_of, using
from tests.training.jobs import experiment


def now() -> set[int]:
    """Return how many threads BLAS uses."""
    info: list[dict[str, Any]] = threadpool_info()
    return {each["num_threads"] for each in info if each["user_api"] == "blas"}


def test_small_steps_use_one_thread_and_large_ones_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 7)
    assert threads_of(experiment()) == 1
    assert threads_of(experiment("training.batch_size=10")) == 1
    monkeypatch.setattr(threads, "LARGE", 10)
    assert threads_of(experiment()) == 7
    assert threads_of(experiment("training.threads=3")) == 3


@pytest.mark.parametrize(("units", "wanted"), [(8, 1), (400, 7)])
def test_steps_of_time_are_each_small(
    monkeypatch: pytest.MonkeyPatch, units: int, wanted: int
) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 7)
    monkeypatch.setattr(threads, "LARGE", 2**20)
    lstm = f"{{type: lstm, units: {units}, return_sequences: false}}"
    made = experiment(
        "dataset={type: adding, length: 50, samples: 64}",
        f"layers=[{lstm}, {{type: dense, units: 1}}]",
        "loss=mse",
        "metrics=[]",
        "training.batch_size=16",
        "training.shards=1",
    )
    assert threads_of(made) == wanted


def test_a_run_goes_on_with_as_many_as_it_began_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = experiment()
    assert threads_of(made) == 1
    saved = capture(made, Progress())
    # On another machine, or by another rule.
    monkeypatch.setattr(threads, "LARGE", 0)
    again = experiment()
    restore(again, saved)
    assert threads_of(again) == 1


def test_the_setting_of_the_process_is_left_as_it_was() -> None:
    before = now()
    with using(1):
        assert now() <= {1}
        model = nn.Model([nn.Dense(2)]).compile("sgd")
        model.fit(np.ones((4, 2)), np.arange(4) % 2, threads=2)
        model.predict(np.ones((4, 2)))
        assert now() <= {1}
    assert now() == before


def test_threads_are_those_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []
    real = threads.using

    def spy(count: int) -> AbstractContextManager[None]:
        used.append(count)
        return real(count)

    monkeypatch.setattr("nncli.training.trainer.using", spy)
    from nncli.cli.app import run

    config = Path(__file__).parents[2] / "configs" / "xor.yaml"
    arguments = ["train", str(config), "training.epochs=1", "--threads", "2"]
    assert run([*arguments, "--runs-dir", str(tmp_path)]) == 0
    assert used == [2]
    assert run(["train", str(config), "--threads", "0"]) == 2
