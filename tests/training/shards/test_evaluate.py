"""Evaluations whose batches several workers run: to the bit what one process gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from nncli.core.errors import DivergedError
from nncli.network.network import Network
from nncli.training.evaluate import Evaluator
from nncli.training.shards.sharded import Sharded
from tests.training.jobs import experiment
from tests.training.shards.jobs import SPIRAL
from tests.training.shards.test_values import LINES

TWO = (
    "dataset={type: xor, samples: 20}",
    "layers=[{type: dense, units: 4}, tanh, {type: dense, units: 1}]",
    "loss=sigmoid_binary_cross_entropy",
    "metrics=[roc_auc, average_precision, f1, matthews, log_loss]",
)
# Its last rows, a fifth, are all of one class.
ONE_CLASS = (
    *TWO,
    "split={order: given, stratify: false, validation: 0.2}",
)
CASES = {
    "classes": ("metrics=[accuracy, balanced_accuracy, {type: top_k, k: 2}]",),
    "ranks": TWO,
    "undefined": ONE_CLASS,
    "sum": ("loss={type: softmax_cross_entropy, reduction: sum}",),
    "ignored": ("loss={type: softmax_cross_entropy, ignore_label: 0}",),
    "average": ("training.average.decay=0.9",),
    "numbers": (
        "dataset={type: linear, samples: 60}",
        "layers=[{type: dense, units: 1}]",
        "loss=mse",
        "metrics=[mae, r2]",
    ),
}


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let batches of evaluation be small, the last one smaller."""
    monkeypatch.setattr(Network, "rows_within", lambda self, nbytes: 7)


@contextmanager
def working(*overrides: str, text: str = SPIRAL, workers: int) -> Iterator[Sharded]:
    """Let workers wait for commands, with parameters that make scores differ."""
    made = experiment(
        "training.shards=3", "split.validation=0.5", *overrides, text=text
    )
    values = made.network.flat.values
    values += np.random.default_rng(0).normal(size=values.size).astype(values.dtype)
    with Sharded(made, 3, workers) as sharded:
        yield sharded


def assert_scores_are_the_same(
    *overrides: str, text: str = SPIRAL, workers: int
) -> list[dict[str, float | None]]:
    found = []
    with working(*overrides, text=text, workers=workers) as sharded:
        assert len(sharded.evaluators["train"].batches) > workers
        for evaluator in sharded.evaluators.values():
            alone = Evaluator(sharded.experiment, evaluator.batches.part)  # type: ignore[arg-type]
            # Twice: the rooms are used again.
            scores = alone.run()
            assert evaluator.run() == scores
            assert evaluator.run() == scores
            found.append(scores)
    return found


@pytest.mark.parametrize("case", CASES)
def test_workers_score_as_one_process_does(case: str) -> None:
    scores = assert_scores_are_the_same(*CASES[case], workers=2)
    undefined = {name for each in scores for name in each if each[name] is None}
    assert ("roc_auc" in undefined) == (case == "undefined")


def test_workers_score_sequences_with_lengths(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("ab\na\nabbaab\nb\naab\n" * 9, encoding="utf-8")
    text = LINES.format(path=tmp_path / "t.txt", units=3)
    assert_scores_are_the_same(text=text, workers=3)


def test_the_layer_that_is_not_finite_is_named_whoever_finds_it() -> None:
    with working(workers=3) as sharded:
        sharded.experiment.network.flat.tensors["layers.2.bias"].data[0] = np.nan
        with pytest.raises(DivergedError, match=r"layers\[2\] dense is not finite"):
            sharded.evaluators["train"].run()


def test_one_row_that_is_not_finite_is_found_by_its_worker() -> None:
    with working(workers=3) as sharded:
        values = sharded.experiment.network.flat.values
        values[:] = 1.5e38
        evaluator = sharded.evaluators["train"]
        with pytest.raises(DivergedError) as caught:
            evaluator.run()
    with pytest.raises(DivergedError) as expected:
        Evaluator(sharded.experiment, evaluator.batches.part).run()  # type: ignore[arg-type]
    assert str(caught.value) == str(expected.value)
