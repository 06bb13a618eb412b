"""How far probabilities are from the shares of rows that turn out right."""

from __future__ import annotations

from nncli.core.arrays import Array, xp
from nncli.core.signature import Positive
from nncli.metrics.base import Metric, decide


class CalibrationError(Metric, name="calibration_error"):
    """Σ_b n_b / n · |accuracy of b − mean confidence of b|, over bins b of confidence.

    Confidence is the probability of the class that is decided for. The bins are equally
    wide and hold their upper edges, ((b − 1) / B, b / B]; empty ones count nothing. 0
    is perfect: of rows predicted with probability 0.8, 80 % are right. Guo et al. 2017,
    "On Calibration of Modern Neural Networks" (expected calibration error).

    Args:
        bins: How many bins B.
    """

    bins: Positive = 15

    task = "classification"
    higher_is_better = False

    def reset(self) -> None:
        self.edges = xp.arange(1, self.bins) / self.bins
        self.rows, self.right, self.confidence = xp.zeros((3, self.bins))

    def update(self, predictions: Array, targets: Array) -> None:
        """Add rows, right ones and confidences to the bins of the batch's rows."""
        probabilities = predictions.astype(xp.float64)
        confidence = probabilities.max(axis=-1)
        if predictions.shape[-1] == 1:
            confidence = xp.maximum(confidence, 1 - confidence)
        confidence = confidence.ravel()
        right = (decide(predictions) == targets).ravel()
        place = xp.searchsorted(self.edges, confidence)
        self.rows += xp.bincount(place, minlength=self.bins)
        self.right += xp.bincount(place, right, self.bins)
        self.confidence += xp.bincount(place, confidence, self.bins)

    def result(self) -> float:
        """Return the mean distance, weighted by rows."""
        return float(xp.abs(self.right - self.confidence).sum() / self.rows.sum())
