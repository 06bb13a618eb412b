"""Plateau: the schedule that looks at how well training goes."""

from __future__ import annotations

from typing import Literal

from nncli.core.signature import Count, Fraction, NonNegative
from nncli.schedules.base import Schedule

_MEMORY = ("seen", "best", "bad", "rest", "falls")


class Plateau(Schedule, name="plateau"):
    """max(lr·factor^k, min_lr), k how often the monitored value had stopped improving.

    Looks at ``training.monitor`` after each evaluation (with ``evaluate_every: 1``,
    each epoch). PyTorch's ``ReduceLROnPlateau`` without its ``eps``: a value is better
    than the best b where it is below b·(1 − threshold) (rel) or b − threshold (abs),
    mirrored for scores; after more than ``patience`` evaluations in a row without a
    better one the rate falls. An evaluation whose score is undefined is not counted.
    (Keras's ``ReduceLROnPlateau`` is abs, and falls one evaluation earlier.)

    Args:
        factor: What the rate is multiplied with.
        patience: Evaluations without a better value that are borne.
        threshold: By how much a value must be better.
        threshold_mode: Whether the threshold is relative to the best value.
        cooldown: Evaluations after a change that are not counted.
        min_lr: The rate never falls below it.
    """

    factor: Fraction = 0.1
    patience: Count = 10
    threshold: NonNegative = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: Count = 0
    min_lr: NonNegative = 0.0

    def begin(self) -> None:
        self._state = dict.fromkeys(_MEMORY, 0.0)

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        falls = max(self._state["falls"], 0.0)
        return float(min(lr, max(lr * self.factor**falls, self.min_lr)))

    def observe(self, value: float, higher_is_better: bool) -> None:
        """Count evaluations without a better value, and let the rate fall."""
        at = self._state
        if not at["seen"] or self._better(value, at["best"], higher_is_better):
            at["best"], at["bad"] = value, 0.0
        else:
            at["bad"] += 1
        at["seen"] = 1.0
        if at["rest"] > 0:
            at["rest"] -= 1
            at["bad"] = 0.0
        if at["bad"] > self.patience:
            at["falls"] += 1
            at["rest"], at["bad"] = float(self.cooldown), 0.0

    def _better(self, value: float, best: float, higher_is_better: bool) -> bool:
        margin = self.threshold * (best if self.threshold_mode == "rel" else 1.0)
        return value > best + margin if higher_is_better else value < best - margin

    @property
    def state(self) -> dict[str, float]:
        """Best value, counts since, and how often the rate fell."""
        return self._state
