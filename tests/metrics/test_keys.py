"""What a metric is called among the scores, and what is refused or undefined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nncli.config.load import load_config
from nncli.core.errors import ConfigError, ShapeError
from nncli.experiment.build import build
from nncli.metrics.calibration import CalibrationError
from nncli.metrics.classification import Accuracy, LogLoss, TopK
from nncli.metrics.counts import F1
from nncli.metrics.ranking import RocAuc
from nncli.metrics.regression import ExplainedVariance, RSquared
from nncli.training.evaluate import Evaluator
from nncli.training.trainer import Trainer
from tests.conftest import SMALL


def test_key_is_the_name_and_what_is_not_the_default() -> None:
    assert Accuracy().key == "accuracy"
    assert TopK().key == TopK(k=5).key == "top_k"
    assert TopK(k=3).key == "top_k_3"
    assert F1("micro").key == "f1_micro"


def test_two_metrics_of_one_type_are_two_scores(
    write_config: Callable[[str], Path],
) -> None:
    several = "metrics: [{type: f1, average: micro}, f1, roc_auc, {type: top_k, k: 1}]"
    text = SMALL.replace("metrics: [accuracy]", several)
    text = text.replace("batch_size: 16", "batch_size: 16, monitor: f1_micro")
    experiment = build(load_config(write_config(text), []))
    scores = Evaluator(experiment, experiment.parts["train"]).run()
    assert list(scores) == ["loss", "f1_micro", "f1", "roc_auc", "top_k_1"]
    trainer = Trainer(experiment, None)
    assert trainer.higher_is_better
    trainer.fit()
    assert trainer.progress.best is not None


def test_the_same_metric_twice_is_refused(write_config: Callable[[str], Path]) -> None:
    twice = "metrics: [{type: top_k, k: 3}, {type: top_k, k: 3}]"
    with pytest.raises(ConfigError, match="top_k_3 again"):
        load_config(write_config(SMALL.replace("metrics: [accuracy]", twice)), [])


def test_binary_average_of_three_classes_is_refused() -> None:
    metric = F1("binary").live()
    metric.reset()
    metric.update(np.eye(3), np.arange(3))
    with pytest.raises(ShapeError, match="two classes"):
        metric.result()


def test_ranking_keeps_its_rows_when_the_buffer_is_written_over() -> None:
    metric = RocAuc().live()
    metric.reset()
    p, targets = np.array([[0.9], [0.2]]), np.array([1, 0])
    metric.update(p, targets)
    p[:], targets[:] = 0.5, 0
    assert metric.result() == 1.0


def test_probabilities_of_zero_cost_a_finite_loss() -> None:
    for dtype in (np.float32, np.float64):
        metric = LogLoss().live()
        metric.reset()
        metric.update(np.array([[1.0, 0.0]], dtype), np.array([1]))
        eps = np.finfo(dtype).eps
        assert metric.result() == pytest.approx(-np.log(eps))
        metric.reset()
        metric.update(np.array([[1.0, 0.0]], dtype), np.array([0]))
        assert metric.result() == pytest.approx(float(eps), rel=1e-6)


@pytest.mark.parametrize("value", [0.1, 1e8 / 3])
@pytest.mark.parametrize("metric", [RSquared(), ExplainedVariance()])
def test_targets_without_spread_are_found_in_every_batch_size(
    metric: RSquared | ExplainedVariance, value: float
) -> None:
    # A mean of equal numbers may round away from them, which would leave a spread.
    targets = np.full((97, 1), value)
    metric = metric.live()
    for size in (1, 3, 97):
        for error, expected in ((0.0, 1.0), (np.arange(97.0)[:, None], 0.0)):
            metric.reset()
            for begin in range(0, 97, size):
                rows = slice(begin, begin + size)
                metric.update((targets + error)[rows], targets[rows])
            assert metric.result() == expected


STEPS = (F1(), RocAuc(), LogLoss(), TopK(2), CalibrationError())


def test_calibration_error_is_how_far_confidence_is_from_what_is_right() -> None:
    metric = CalibrationError().live()
    # Four rows of confidence 0.8, three of them right; one of 0.4, in another bin.
    p = np.array([[0.8, 0.1, 0.1]] * 4 + [[0.3, 0.4, 0.3]])
    metric.update(p, np.array([0, 0, 0, 1, 1]))
    assert metric.result() == pytest.approx(4 / 5 * 0.05 + 1 / 5 * 0.6)
    # A bin holds its upper edge: 0.75 is not in the bin of 0.8.
    metric = CalibrationError(bins=4).live()
    metric.update(np.array([[0.75], [0.75], [0.8]]), np.array([0, 0, 1]))
    assert metric.result() == pytest.approx(2 / 3 * 0.75 + 1 / 3 * 0.2)


def test_sequences_are_scored_step_by_step() -> None:
    rng = np.random.default_rng(0)
    p, targets = rng.dirichlet(np.ones(3), (4, 5)), rng.integers(0, 3, (4, 5))
    for description in (*STEPS, Accuracy()):
        metric = description.live()
        metric.update(p, targets)
        whole = metric.result()
        metric.reset()
        metric.update(p.reshape(20, 3), targets.ravel())
        assert metric.result() == pytest.approx(whole, rel=1e-14)
