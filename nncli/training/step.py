"""TrainingStep: one batch forward, backward and into the parameters."""

from __future__ import annotations

import math

from nncli.autograd.replay import Replay
from nncli.autograd.tape import Step, labelled, record
from nncli.autograd.tensor import Tensor
from nncli.backend import Array, xp
from nncli.data.batches import Batch
from nncli.errors import DivergedError
from nncli.losses.base import Loss
from nncli.network import Network
from nncli.optimizers.base import Optimizer


class TrainingStep:
    """Records a step once for each size of batch, then replays it.

    Args:
        network: What is trained.
        loss: What is made small, together with the network's prices.
        optimizer: Bound to the network's flat parameters.
        clip_norm: Largest Euclidean norm of the whole gradient; None for no limit.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        optimizer: Optimizer,
        clip_norm: float | None = None,
    ) -> None:
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.clip_norm = clip_norm
        self._plans: dict[int, tuple[Replay, Array]] = {}

    def run(self, batch: Batch, lr: float, number: int) -> float:
        """Make one step; inside ``xp.errstate(all="ignore")`` it warns of nothing.

        Returns:
            The loss before the step, prices of weights included.

        Raises:
            DivergedError: The loss or a gradient is not finite; the parameters are
                then still those before the step.
        """
        grads = self.network.flat.grads
        plan = self._plans.get(batch.rows)
        if plan is None:
            # The recording runs the step forward: it is the first one.
            plan = self._plans[batch.rows] = self.record(batch)
        else:
            plan[0].forward()
        replay, objective = plan
        replay.backward()
        square = float(xp.dot(grads, grads))
        value: float = objective.item()
        # A sum is finite where both are; two that are not do not cancel to a number.
        if not math.isfinite(square + value):
            square = self._examine(replay, number)
        if self.clip_norm is not None:
            self._clip(grads, math.sqrt(square))
        self.optimizer.step(lr)
        return value

    def record(self, batch: Batch) -> tuple[Replay, Array]:
        """Run a batch forward and plan its replays."""
        self.network.set_training(True)
        with record() as steps:
            outputs = self.network(batch.x)
            with labelled(f"loss {self.loss.type_name}"):
                loss = self.loss(outputs, batch.targets, batch.weights)
            objective = self.network.with_prices(loss)
        replay = Replay(steps, objective, self.network.flat.leaves)
        return replay, objective.data

    def _clip(self, grads: Array, norm: float) -> None:
        """Scale down as PyTorch's ``clip_grad_norm_``: by limit / (norm + 1e-6)."""
        limit = self.clip_norm or math.inf
        factor = limit / (norm + 1e-6)
        if factor < 1:
            xp.multiply(grads, factor, out=grads)

    def _examine(self, replay: Replay, number: int) -> float:
        """Say where the first number that is not finite came from.

        Returns:
            Σ g², for gradients that are finite but whose squares overflow.
        """
        for step in replay.steps:
            if not xp.isfinite(step.output.data).all():
                raise DivergedError(_where(step, number, self.optimizer.lr))
        for name, tensor in self.network.flat.tensors.items():
            if tensor.grad is not None and not xp.isfinite(tensor.grad).all():
                raise DivergedError(
                    f"step {number}: the gradient of {name} is not finite, though the "
                    f"loss is. {_REMEDY.format(lr=self.optimizer.lr)}"
                )
        grads = self.network.flat.grads.astype(xp.float64)
        return float(xp.dot(grads, grads))


_REMEDY = "Try a smaller optimizer.lr (now {lr:g}) or training.clip_norm=1."


def _where(step: Step, number: int, lr: float) -> str:
    def finite(tensor: Tensor) -> bool:
        return bool(xp.isfinite(tensor.data).all())

    cause = ""
    if not all(finite(tensor) for tensor in step.inputs if tensor.step is None):
        cause = " (its parameters are not finite)"
    remedy = _REMEDY.format(lr=lr)
    return (
        f"step {number}: training diverged: the output of {step.label} is not "
        f"finite{cause}. {remedy}"
    )
