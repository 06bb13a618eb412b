"""Metrics of tokens and of whole sequences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nncli.core.arrays import Array
from nncli.metrics.base import Metric

LENGTHS = np.array([3, 0, 2, 1])
TARGETS = np.array([[0, 1, 2], [0, 0, 0], [2, 1, 1], [1, 2, 2]])
TAKEN = np.array([[0, 1, 2], [1, 1, 1], [2, 0, 1], [1, 0, 0]])


def probabilities() -> Array:
    """Return rows whose most probable classes are ``TAKEN``."""
    p = np.random.default_rng(0).dirichlet(np.ones(3), TAKEN.shape) / 3
    np.put_along_axis(p, TAKEN[..., None], 0.5, axis=-1)
    rows: Array = p / p.sum(axis=-1, keepdims=True)
    return rows


def score(
    name: str, lengths: Array | None = None, size: int = 4, **options: Any
) -> float:
    metric = Metric.members()[name](**options).live()
    p = probabilities()
    for at in range(0, 4, size):
        part = slice(at, at + size)
        metric.score(p[part], TARGETS[part], None if lengths is None else lengths[part])
    return metric.result()


@pytest.mark.parametrize("size", [1, 3, 4])
def test_accuracies_count_steps_within_lengths(size: int) -> None:
    assert score("sequence_accuracy", LENGTHS, size) == 2 / 3
    assert score("sequence_accuracy", None, size) == 1 / 4
    for name in ("token_accuracy", "accuracy"):
        assert score(name, LENGTHS, size) == 5 / 6
        assert score(name, None, size) == 6 / 12


@pytest.mark.parametrize("size", [1, 3, 4])
def test_accuracies_leave_ignored_tokens_out(size: int) -> None:
    assert score("token_accuracy", None, size, ignore_label=0) == 5 / 8
    # The second row has no other token.
    assert score("sequence_accuracy", None, size, ignore_label=0) == 1 / 3
    assert score("sequence_accuracy", LENGTHS, size, ignore_label=1) == 1


def test_surprise_is_that_of_the_tokens_that_count() -> None:
    p = np.take_along_axis(probabilities(), TARGETS[..., None], -1)[..., 0]
    within = np.arange(3) < LENGTHS[:, None]
    for lengths, ignored, counts in (
        (LENGTHS, None, within),
        (None, 1, TARGETS != 1),
        (LENGTHS, 2, within & (TARGETS != 2)),
    ):
        mean = -np.log(p[counts]).mean()
        options = {} if ignored is None else {"ignore_label": ignored}
        value = score("perplexity", lengths, **options)
        assert value == pytest.approx(math.exp(mean), rel=1e-12)
        value = score("bits_per_character", lengths, **options)
        assert value == pytest.approx(mean / math.log(2), rel=1e-12)


@pytest.mark.parametrize(
    "name", ["perplexity", "bits_per_character", "token_accuracy", "sequence_accuracy"]
)
def test_metric_of_no_tokens_is_undefined(name: str) -> None:
    assert math.isnan(score(name, np.zeros(4, int)))
