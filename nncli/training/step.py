"""TrainingStep: one batch forward, backward and into the parameters."""

from __future__ import annotations

import math

from nncli.core.arrays import quiet_context, xp
from nncli.core.errors import DivergedError
from nncli.data.batches import Batch
from nncli.losses.base import Loss
from nncli.network.network import Network
from nncli.optimizers.average import WeightAverage
from nncli.optimizers.base import Optimizer
from nncli.training.gradient import Gradient, square_of


class TrainingStep:
    """Records a step once for each batch's buffers, then replays it.

    Args:
        network: What is trained.
        loss: What is made small, together with the network's penalties.
        optimizer: Bound to the network's flat parameters.
        clip_norm: Largest Euclidean norm of the whole gradient; None for no limit.
        clip_value: Largest size of each of its elements; None for no limit. Elements
            are cut before the norm is taken.
        average: Takes in the parameters after each step; None for no average.

    Attributes:
        square: Σ g² of the last step's gradient, before it was clipped.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        optimizer: Optimizer,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        average: WeightAverage | None = None,
    ) -> None:
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.average = average
        # One question a step for all that is seldom wanted.
        self._plain = not (
            clip_norm or clip_value or average is not None or optimizer.full_batch
        )
        # What is not finite is found by looking, not by warnings.
        self._quiet = quiet_context()
        self.gradient = Gradient(network, loss)
        self._gathered = False
        self.square = 0.0

    def run(self, batch: Batch, lr: float, number: int) -> float:
        """Make one step.

        The gradients of batches that were gathered before are part of it.

        Returns:
            The loss before the step, penalties on weights included.

        Raises:
            DivergedError: The loss or a gradient is not finite; the parameters are
                then still those before the step.
        """
        try:
            return self._quiet.run(self._run, batch, lr, number)
        except Exception as error:
            error.add_note(f"making training step {number}")
            raise

    def _run(self, batch: Batch, lr: float, number: int) -> float:
        if self._plain:
            value, self.square = self._differentiate(batch, number)
            self.optimizer.step(lr)
            return value
        if self.optimizer.full_batch:
            return self._minimize(batch, lr, number)
        value, square = self._differentiate(batch, number)
        if self._gathered:
            value, _ = self.gradient.finish(batch, value)
            square = square_of(self.network.flat.grads)
        self.square = square
        self._clip(square)
        self.optimizer.step(lr)
        if self.average is not None:
            self.average.update(self.optimizer.steps)
        return value

    def gather(self, batch: Batch, number: int) -> None:
        """Keep a batch's gradient for the next step, which is then that of one batch.

        A mean over all rows is what the step sees, whatever the sizes of its batches; a
        loss that is a sum is summed up, with the penalties on weights once a batch.
        """
        self._gathered, self._plain = True, False
        self._quiet.run(self._gather, batch, number)

    def _gather(self, batch: Batch, number: int) -> None:
        value, _ = self._differentiate(batch, number)
        self.gradient.gather(batch, value)

    def _differentiate(self, batch: Batch, number: int) -> tuple[float, float]:
        """Compute gradients; return the loss and the sum of the gradients' squares."""
        grads = self.network.flat.grads
        value = self.gradient.compute(batch)
        square = float(xp.dot(grads, grads))
        # A sum is finite where both are; two that are not do not cancel to a number.
        if not math.isfinite(square + value):
            self.gradient.examine(batch, number, self.optimizer.lr)
            # Gradients are finite, but their squares overflow.
            square = square_of(grads)
        return value, square

    def _minimize(self, batch: Batch, lr: float, number: int) -> float:
        """Let the optimizer look at as many points as it wants, with all rows."""
        values = self.network.flat.values
        before = values.copy()
        seen: list[float] = []

        def objective() -> float:
            value, square = self._differentiate(batch, number)
            if not seen:
                self.square = square
            seen.append(value)
            return value

        try:
            self.optimizer.minimize(lr, objective)
        except DivergedError:
            xp.copyto(values, before)
            raise
        if self.average is not None:
            self.average.update(self.optimizer.steps)
        return seen[0]

    def _clip(self, square: float) -> None:
        """Cut elements, then scale all by limit / (norm + 1e-6).

        As PyTorch's ``clip_grad_value_`` and ``clip_grad_norm_``.
        """
        grads = self.network.flat.grads
        if self.clip_value:
            xp.clip(grads, -self.clip_value, self.clip_value, out=grads)
            square = square_of(grads)
        if self.clip_norm:
            factor = self.clip_norm / (math.sqrt(square) + 1e-6)
            if factor < 1:
                xp.multiply(grads, factor, out=grads)
