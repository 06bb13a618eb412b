"""TrainingStep: one batch forward, backward and into the parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nncli.autograd.replay import Replay
from nncli.autograd.tape import Leaf, Step, labelled, record
from nncli.core.arrays import Array, quiet_context, xp
from nncli.core.errors import DivergedError
from nncli.data.batches import Batch
from nncli.losses.base import Loss
from nncli.network.network import Network
from nncli.optimizers.average import WeightAverage
from nncli.optimizers.base import Optimizer


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
        self._plans: dict[Batch, tuple[Replay, Array]] = {}
        self._gathered: Gathered | None = None

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
            value, _ = self._differentiate(batch, number)
            self.optimizer.step(lr)
            return value
        if self.optimizer.full_batch:
            return self._minimize(batch, lr, number)
        value, square = self._differentiate(batch, number)
        if self._gathered is not None:
            value = self._gathered.finish(self._amount(batch), value)
            square = _square(self.network.flat.grads)
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
        if self._gathered is None:
            self._gathered = Gathered(self.network.flat.grads)
            self._plain = False
        value, _ = self._quiet.run(self._differentiate, batch, number)
        self._gathered.add(self._amount(batch), value)

    def _differentiate(self, batch: Batch, number: int) -> tuple[float, float]:
        """Compute gradients; return the loss and the sum of the gradients' squares."""
        grads = self.network.flat.grads
        plan = self._plans.get(batch)
        if plan is None:
            # The recording runs the step forward: it is the first one.
            plan = self._plans[batch] = self.record(batch)
        else:
            plan[0].forward()
        replay, objective = plan
        replay.backward()
        square = float(xp.dot(grads, grads))
        value: float = objective.item()
        # A sum is finite where both are; two that are not do not cancel to a number.
        if not math.isfinite(square + value):
            square = self._examine(replay, number)
        return value, square

    def _minimize(self, batch: Batch, lr: float, number: int) -> float:
        """Let the optimizer look at as many points as it wants, with all rows."""
        values = self.network.flat.values
        before = values.copy()
        seen: list[float] = []

        def objective() -> float:
            value, _ = self._differentiate(batch, number)
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

    def _amount(self, batch: Batch) -> float:
        """Return what a batch counts for in the mean over several."""
        if self.loss.reduction == "mean":
            return float(self.loss.amount(batch.targets.data, batch.lengths))
        return 0.0

    def record(self, batch: Batch) -> tuple[Replay, Array]:
        """Run a batch forward and plan its replays."""
        self.network.set_training(True)
        with record() as steps:
            outputs = self.network(batch.x)
            with labelled(f"loss {self.loss.type_name}"):
                loss = self.loss(outputs, batch.targets, batch.weights)
            objective = self.network.with_penalties(loss)
        leaves = self.network.flat.leaves
        replay = Replay(steps, [objective], objective, leaves)
        return replay, replay.values[0]

    def _clip(self, square: float) -> None:
        """Cut elements, then scale all by limit / (norm + 1e-6).

        As PyTorch's ``clip_grad_value_`` and ``clip_grad_norm_``.
        """
        grads = self.network.flat.grads
        if self.clip_value:
            xp.clip(grads, -self.clip_value, self.clip_value, out=grads)
            square = _square(grads)
        if self.clip_norm:
            factor = self.clip_norm / (math.sqrt(square) + 1e-6)
            if factor < 1:
                xp.multiply(grads, factor, out=grads)

    def _examine(self, replay: Replay, number: int) -> float:
        """Say where the first number that is not finite came from.

        Returns:
            Σ g², for gradients that are finite but whose squares overflow.
        """
        for step, inputs, value in replay.trace():
            if not xp.isfinite(value).all():
                raise DivergedError(_where(step, inputs, number, self.optimizer.lr))
        for name, tensor in self.network.flat.tensors.items():
            if tensor.grad is not None and not xp.isfinite(tensor.grad).all():
                raise DivergedError(
                    f"step {number}: the gradient of {name} is not finite, though the "
                    f"loss is. {_REMEDY.format(lr=self.optimizer.lr)}"
                )
        return _square(self.network.flat.grads)


class Gathered:
    """The sum of the gradients of a step's first batches.

    Args:
        grads: (P,) where each batch's gradient is found, and the step's is put.
    """

    def __init__(self, grads: Array) -> None:
        self.grads = grads
        self._sum = xp.zeros_like(grads)
        self._amount = self._value = 0.0

    def add(self, amount: float, value: float) -> None:
        """Take in a batch's gradient and loss, of a mean over ``amount`` or a sum."""
        share = amount or 1.0
        if share != 1:
            xp.multiply(self.grads, share, out=self.grads)
        xp.add(self._sum, self.grads, self._sum)
        self._amount += amount
        self._value += share * value

    def finish(self, amount: float, value: float) -> float:
        """Add the last batch, write the step's gradient, and return its loss."""
        self.add(amount, value)
        xp.divide(self._sum, self._amount or 1.0, out=self.grads)
        value = self._value / (self._amount or 1.0)
        self._sum.fill(0)
        self._amount = self._value = 0.0
        return value


def _square(grads: Array) -> float:
    """Return Σ g², also where it is too large for float32."""
    square = float(xp.dot(grads, grads))
    if math.isfinite(square):
        return square
    wide = grads.astype(xp.float64)
    return float(xp.dot(wide, wide))


_REMEDY = "Try a smaller optimizer.lr (now {lr:g}) or training.clip_norm=1."


def _where(step: Step, inputs: Sequence[Array], number: int, lr: float) -> str:
    finite = [xp.isfinite(array).all() for array in inputs]
    own = [isinstance(parent, Leaf) for parent in step.parents]
    cause = ""
    if any(mine and not good for mine, good in zip(own, finite, strict=True)):
        cause = " (its parameters are not finite)"
    remedy = _REMEDY.format(lr=lr)
    return (
        f"step {number}: training diverged: the output of {step.label} is not "
        f"finite{cause}. {remedy}"
    )
