"""Accuracy: which class a row is taken for, and how rows count."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.metrics.base import decide
from nncli.metrics.classification import Accuracy


def test_decide_takes_the_most_probable_class_and_the_first_of_equals() -> None:
    p = np.array([[0.1, 0.7, 0.2], [0.4, 0.2, 0.4], [0.0, 0.0, 1.0]])
    assert decide(p).tolist() == [1, 0, 2]


def test_decide_takes_class_1_above_one_half_only() -> None:
    p = np.array([[0.49], [0.5], [np.nextafter(0.5, 1)], [1.0]])
    assert decide(p).tolist() == [0, 0, 1, 1]


def test_accuracy_weighs_rows_not_batches() -> None:
    metric = Accuracy().live()
    metric.reset()
    right = np.array([[0.9, 0.1]])
    metric.update(np.repeat(right, 3, axis=0), np.zeros(3, int))
    metric.update(right, np.ones(1, int))
    assert metric.result() == pytest.approx(3 / 4)


def test_reset_forgets_all_batches() -> None:
    metric = Accuracy().live()
    metric.reset()
    metric.update(np.array([[0.9, 0.1]]), np.array([1]))
    metric.reset()
    metric.update(np.array([[0.9, 0.1]]), np.array([0]))
    assert metric.result() == 1.0
