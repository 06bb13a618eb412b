"""Session: a training that goes on for as long as each request says."""

from __future__ import annotations

import math
import secrets
import time
from typing import Any

from nncli.config.load import load_values
from nncli.config.write import to_yaml
from nncli.core.errors import DivergedError
from nncli.experiment.build import build
from nncli.training.callbacks import Callback
from nncli.training.trainer import Trainer
from nncli.ui.playground.region import SIDE, Region
from nncli.ui.playground.settings import Settings

LAST_EPOCH = 10**6


class Session(Callback):
    """One network of the playground.

    It trains inside ``train`` only: when nobody asks any more, nothing goes on.

    Args:
        settings: What is trained.

    Attributes:
        name: Not to be guessed.
        diverged: Why it cannot go on; "" while it can.
    """

    def __init__(self, settings: Settings) -> None:
        self.name = secrets.token_hex(8)
        self.diverged = ""
        config = settings.config()
        self._yaml = to_yaml(config)
        length = {"epochs": LAST_EPOCH, "evaluate_every": LAST_EPOCH}
        endless = config | {"training": config["training"] | length}
        self._experiment = build(load_values(endless))
        self._trainer = Trainer(self._experiment, None, [self])
        self._region = Region(self._experiment)
        self._last_step = 0
        self._deadline = math.inf

    def train(self, steps: int, seconds: float) -> dict[str, Any]:
        """Make so many steps, or fewer in that time, and return the state after them.

        Args:
            steps: At most.
            seconds: After which no step begins.
        """
        trainer = self._trainer
        self._last_step = trainer.progress.step + steps
        self._deadline = time.monotonic() + seconds
        trainer.interrupted = False
        if not self.diverged:
            try:
                trainer.fit()
            except DivergedError as error:
                self.diverged = str(error)
        return self.state()

    def on_step(self, trainer: Trainer) -> None:
        """Stop after the last step, or when the time is over."""
        over = trainer.progress.step >= self._last_step
        trainer.interrupted = over or time.monotonic() >= self._deadline

    def state(self) -> dict[str, Any]:
        """Return step, epoch, scores of each part, and the region."""
        at = self._trainer.progress
        found: dict[str, Any] = {
            "step": at.step,
            "epoch": at.epoch + at.batch / self._experiment.steps_per_epoch,
            "diverged": self.diverged,
            "scores": {},
            "region": "",
        }
        try:
            evaluators = self._trainer.evaluators.items()
            found["scores"] = {name: each.run() for name, each in evaluators}
        except DivergedError as error:
            found["diverged"] = self.diverged = str(error)
        else:
            found["region"] = self._region.text()
        return found

    def description(self) -> dict[str, Any]:
        """Return what does not change: points, where they lie, size, config."""
        experiment, region = self._experiment, self._region
        parts = {}
        for name, part in experiment.parts.items():
            index = slice(0, len(part)) if part.index is None else part.index
            x, y = (part.rows.read(field, index) for field in ("x", "y"))
            parts[name] = {
                "x": x.astype(float).round(4).tolist(),
                "y": y.astype(float).reshape(-1).tolist(),
            }
        return {
            "id": self.name,
            "points": parts,
            "classes": experiment.classes,
            "low": region.low,
            "size": region.size,
            "side": SIDE,
            "parameters": experiment.network.size,
            "config": self._yaml,
        }
