"""Gradient: the loss of a batch and its gradient, recorded once and then replayed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nncli.autograd.replay import Replay
from nncli.autograd.tape import Leaf, Step, labelled, record
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array, xp
from nncli.core.errors import DivergedError
from nncli.data.batches import Batch
from nncli.layers.base import Layer
from nncli.layers.chain import noted
from nncli.losses.base import Loss
from nncli.network.network import Network
from nncli.training.samples import Samples, sample

REMEDY = "Try a smaller optimizer.lr (now {lr:g}) or training.clip_norm=1."


class Gradient:
    """Computes the objective of one batch after the other, and its gradient.

    A step is recorded once for each batch's buffers, then replayed.

    Args:
        network: What is trained.
        loss: What is made small.
        grads: (P,) where the gradient is written; None for that of the network.
        penalties: Whether the network's penalties on weights are part of the objective.

    Attributes:
        wanted: Set to True from outside: take samples of the next batch.
        samples: What was taken last.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        grads: Array | None = None,
        *,
        penalties: bool = True,
    ) -> None:
        self.network = network
        self.loss = loss
        self.grads = network.flat.grads if grads is None else grads
        self.penalties = penalties
        self.wanted = False
        self.samples: Samples | None = None
        self._plans: dict[Batch, Plan] = {}
        self._gathered: Gathered | None = None

    def compute(self, batch: Batch) -> float:
        """Overwrite the gradient with that of a batch; return the objective."""
        if self.wanted:
            return self._sampled(batch)
        plan = self._plans.get(batch)
        if plan is None:
            # The recording runs the step forward: it is the first one.
            plan = self._plans[batch] = self.record(batch)
        else:
            plan.replay.forward()
        plan.replay.backward()
        value: float = plan.objective.item()
        return value

    def _sampled(self, batch: Batch) -> float:
        """Do as ``compute``, and take samples on the way."""
        self.wanted = False
        plan = self._plans.get(batch)
        first: dict[str, Array] = {}
        if plan is None:
            plan = self._plans[batch] = self.record(batch, first)
        if plan.samples is None:
            plan.samples = Samples(plan.replay, plan.outputs)
        self.samples = samples = plan.samples
        if first:
            for label, values in samples.values.items():
                xp.copyto(values, first[label])
        else:
            for call in samples.forward:
                call()
        for call in samples.backward:
            call()
        value: float = plan.objective.item()
        return value

    def record(self, batch: Batch, samples: dict[str, Array] | None = None) -> Plan:
        """Run a batch forward and plan its replays.

        Args:
            batch: What is computed.
            samples: Where samples of the layers' outputs are put, by label; None for
                not to take any.
        """
        network = self.network
        network.set_training(True)
        outputs: dict[str, Step] = {}

        def note(layer: Layer, y: Tensor) -> None:
            if y.step is not None:
                outputs[layer.label] = y.step
                if samples is not None:
                    samples[layer.label] = sample(y.data).copy()

        with record() as steps, noted(note):
            given = network(batch.x)
            with labelled(f"loss {self.loss.type_name}"):
                loss = self.loss(given, batch.targets, batch.weights)
            objective = network.with_penalties(loss) if self.penalties else loss
        with network.flat.gradients_in(self.grads):
            replay = Replay(steps, [objective], objective, network.flat.leaves)
        return Plan(replay, replay.values[0], outputs)

    def gather(self, batch: Batch, value: float) -> None:
        """Keep what was computed for a batch until ``finish``."""
        if self._gathered is None:
            mean = self.loss.reduction == "mean"
            self._gathered = Gathered(self.grads, mean=mean)
        self._gathered.add(self.amount(batch), value)

    def finish(self, batch: Batch, value: float) -> tuple[float, float]:
        """Join what was computed for a batch with what was gathered before it.

        Returns:
            The objective, and the amount that it is a mean over; 0 for a sum.
        """
        amount = self.amount(batch)
        if self._gathered is None:
            return value, amount
        return self._gathered.finish(amount, value)

    def amount(self, batch: Batch) -> float:
        """Return what a batch counts for in the mean over several; 0 for a sum."""
        if self.loss.reduction == "mean" and batch.rows:
            return float(self.loss.amount(batch.targets.data, batch.lengths))
        return 0.0

    def examine(self, batch: Batch, number: int, lr: float) -> None:
        """Say where the first number that is not finite came from.

        Raises:
            DivergedError: There is one, in a value or in the gradient.
        """
        for step, inputs, value in self._plans[batch].replay.trace():
            if not xp.isfinite(value).all():
                raise DivergedError(_where(step, inputs, number, lr))
        for name, grad in self.network.flat.views(self.grads).items():
            if not xp.isfinite(grad).all():
                raise DivergedError(
                    f"step {number}: the gradient of {name} is not finite, though the "
                    f"loss is. {REMEDY.format(lr=lr)}"
                )


@dataclass
class Plan:
    """How one batch's objective is computed, and its gradient.

    Attributes:
        replay: Does it.
        objective: The value, as it is after ``replay.forward``.
        outputs: The steps that give the layers' outputs, by the layers' labels.
        samples: Takes some of them, once they were asked for.
    """

    replay: Replay
    objective: Array
    outputs: dict[str, Step]
    samples: Samples | None = None


class Gathered:
    """The sum of the gradients of a step's first batches.

    Args:
        grads: (P,) where each batch's gradient is found, and the step's is put.
        mean: Whether losses are means over amounts, rather than sums.
    """

    def __init__(self, grads: Array, *, mean: bool) -> None:
        self.grads = grads
        self.mean = mean
        self._sum = xp.zeros_like(grads)
        self._amount = self._value = 0.0

    def add(self, amount: float, value: float) -> None:
        """Take in a batch's gradient and loss, of a mean over ``amount`` or a sum."""
        share = amount if self.mean else 1.0
        if not share:
            # All of its targets are ignored: it is no part of the mean.
            return
        if share != 1:
            xp.multiply(self.grads, share, out=self.grads)
        xp.add(self._sum, self.grads, self._sum)
        self._amount += amount
        self._value += share * value

    def finish(self, amount: float, value: float) -> tuple[float, float]:
        """Add the last batch, write the step's gradient; return its loss and amount."""
        if self.mean and not self._amount + amount:
            # Penalties alone are left, which each batch has in full.
            return value, 0.0
        self.add(amount, value)
        xp.divide(self._sum, self._amount or 1.0, out=self.grads)
        value, amount = self._value / (self._amount or 1.0), self._amount
        self._sum.fill(0)
        self._amount = self._value = 0.0
        return value, amount


def square_of(grads: Array) -> float:
    """Return Σ g², also where it is too large for float32."""
    square = float(xp.dot(grads, grads))
    if math.isfinite(square):
        return square
    wide = grads.astype(xp.float64)
    return float(xp.dot(wide, wide))


def _where(step: Step, inputs: Sequence[Array], number: int, lr: float) -> str:
    finite = [xp.isfinite(array).all() for array in inputs]
    own = [isinstance(parent, Leaf) for parent in step.parents]
    cause = ""
    if any(mine and not good for mine, good in zip(own, finite, strict=True)):
        cause = " (its parameters are not finite)"
    remedy = REMEDY.format(lr=lr)
    return (
        f"step {number}: training diverged: the output of {step.label} is not "
        f"finite{cause}. {remedy}"
    )
